"""Readers and governors as the settings want them (docs/architecture.md section 6)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.conf import settings

from integrations.stripe.api.addresses import require_private
from integrations.stripe.api.calls import OnCall
from integrations.stripe.api.client import DEFAULT_TIMEOUT, StripeReader
from integrations.stripe.api.governor import Governor
from integrations.stripe.api.permissions import Mode
from integrations.stripe.api.retry import RetryPolicy

# What the whole account may be asked, as a multiple of one endpoint's rate: 80/s and 20/s at the defaults.
_ACCOUNT_SHARE = {"live": 4, "test": 2}


@dataclass(frozen=True, slots=True)
class Patience:
    """How much waiting a reader may do at most: tries, seconds for one answer, and the longest Retry-After sat out."""

    tries: int
    answer_seconds: float
    retry_after_seconds: float


AT_ONCE = Patience(tries=2, answer_seconds=8, retry_after_seconds=2)
"""Somebody waits for a page."""

IN_A_SLICE = Patience(tries=2, answer_seconds=8, retry_after_seconds=5)
"""What fails is tried again in a later slice."""


def governor_for(mode: Mode, *, share: float = 1.0, sleep: Callable[[float], None] | None = None) -> Governor:
    """The pace of one connection of ``mode``; ``share`` of it when several processes call at the same time."""
    endpoint_rate = float(getattr(settings, f"STRIPE_RATE_{mode.upper()}")) * share
    account_rate = endpoint_rate * _ACCOUNT_SHARE[mode]
    return Governor(endpoint_rate, account_rate, sleep=sleep or time.sleep)


def reader_for(
    mode: Mode,
    access_token: str | Callable[[], str],
    *,
    governor: Governor | None = None,
    on_call: OnCall | None = None,
    sleep: Callable[[float], None] | None = None,
    patience: Patience | None = None,
) -> StripeReader:
    """A reader of one connection of ``mode``. ``sleep`` replaces every waiting, and may raise to end it.

    ``patience`` bounds what the settings allow, for callers that cannot wait as long as a run can.

    Raises ImproperlyConfigured when STRIPE_API_BASE is plain http and not on this machine.
    """
    retry = RetryPolicy(
        tries=settings.STRIPE_RETRY_TRIES,
        base_seconds=settings.STRIPE_RETRY_BASE_SECONDS,
        sleep=sleep or time.sleep,
    )
    answer_seconds = settings.STRIPE_TIMEOUT_SECONDS
    if patience is not None:
        retry = replace(retry, tries=min(patience.tries, retry.tries), patience_seconds=patience.retry_after_seconds)
        answer_seconds = min(patience.answer_seconds, answer_seconds)
    return StripeReader(
        access_token,
        base_url=require_private(settings.STRIPE_API_BASE),
        governor=governor or governor_for(mode, sleep=sleep),
        on_call=on_call,
        retry=retry,
        timeout=(min(DEFAULT_TIMEOUT[0], answer_seconds), answer_seconds),
    )

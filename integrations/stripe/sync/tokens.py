"""The access token of a connection, fresh, and refreshed by one worker at a time (docs/architecture.md section 4).

A refresh kills the old pair, so two at once would cost us the grant. The right to refresh is claimed on the row by
compare-and-set, not held as a lock across the network; the new pair is stored before anybody uses it.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from integrations.errors import IntegrationError
from integrations.fields import is_unreadable
from integrations.models import AuthKind, ConnectionState, NoticeKind, StripeConnection
from integrations.stripe.api import oauth
from integrations.stripe.api.calls import Call
from integrations.stripe.api.permissions import Mode
from integrations.stripe.sync import calls, notices

logger = logging.getLogger(__name__)

OTHER_KEYS = "Our access is stored under an encryption key that this server does not have."
EARLY = timedelta(minutes=10)
CLAIM = timedelta(seconds=60)
WAIT_SECONDS = 0.2


def mode_of(connection: StripeConnection) -> Mode:
    """The mode of a connection, as the wire knows it."""
    return "live" if connection.mode == "live" else "test"


def access_token(connection: StripeConnection) -> str:
    """The token to call Stripe with; refreshes one that ends soon.

    Raises IntegrationError ``reauthorize`` when the connection is not connected or Stripe refuses the refresh, and
    ``stripe_unavailable`` when it cannot be reached.
    """
    deadline = time.monotonic() + CLAIM.total_seconds()
    while True:
        row = StripeConnection.objects.annotate(now=Now()).get(pk=connection.pk)
        if is_unreadable(row.access_token) or is_unreadable(row.refresh_token):
            error = IntegrationError("reauthorize", OTHER_KEYS)
            ask_to_reauthorize(row, error)
            raise error
        if row.state != ConnectionState.CONNECTED or not row.access_token:
            raise IntegrationError("reauthorize")
        if row.token_expires_at is None or row.token_expires_at - row.now > EARLY:
            return row.access_token
        if claim(row):
            try:
                return refresh(row)
            except IntegrationError as error:
                if error.permanent or row.token_expires_at <= row.now:
                    raise
                logger.warning("Stripe %s: %s The token we have is used while it lasts.", row.mode, error)
                return row.access_token
        if time.monotonic() > deadline:
            raise IntegrationError("stripe_unavailable", "The access token could not be refreshed in time.")
        time.sleep(WAIT_SECONDS)  # somebody refreshes it; the one we have dies the moment that succeeds


def claim(connection: StripeConnection) -> bool:
    """Take the right to refresh; False when another worker has it."""
    free = Q(refresh_claimed_until__isnull=True) | Q(refresh_claimed_until__lt=Now())
    same = Q(token_expires_at=connection.token_expires_at)
    return bool(
        StripeConnection.objects.filter(free & same, pk=connection.pk).update(refresh_claimed_until=Now() + CLAIM)
    )


def refresh(connection: StripeConnection) -> str:
    """Trade the refresh token for a new pair and store it; the caller has claimed the right to.

    Raises IntegrationError ``reauthorize`` when Stripe refuses it; the connection then asks for reauthorisation. Raises
    ``not_configured``, ``rate_limited`` or ``stripe_unavailable`` when the pair we have may still be good.
    """
    made: list[Call] = []
    try:
        grant = oauth.refresh(
            mode_of(connection),
            AuthKind(connection.auth_kind),
            connection.refresh_token,
            account_id=connection.account_id,
            on_call=made.append,
        )
    except IntegrationError as error:
        StripeConnection.objects.filter(pk=connection.pk).update(refresh_claimed_until=None)
        if not error.permanent or error.code == "not_configured":
            raise
        ask_to_reauthorize(connection, error)
        raise IntegrationError("reauthorize", error.detail) from error
    else:
        # In SQL, not on the instance: whoever disconnected meanwhile must not get a token back.
        StripeConnection.objects.filter(
            pk=connection.pk, state=ConnectionState.CONNECTED, token_expires_at=connection.token_expires_at
        ).update(
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
            token_expires_at=grant.expires_at,
            refresh_claimed_until=None,
        )
        return grant.access_token
    finally:
        calls.record(connection, made)


def is_renewed(connection: StripeConnection, token: str) -> bool:
    """Whether a token that Stripe no longer takes was traded for a new one by somebody else, or is being right now."""
    deadline = time.monotonic() + CLAIM.total_seconds()
    while True:
        row = StripeConnection.objects.annotate(now=Now()).get(pk=connection.pk)
        if row.state != ConnectionState.CONNECTED:
            return False
        if row.access_token != token:
            return True
        if row.refresh_claimed_until is None or row.refresh_claimed_until < row.now or time.monotonic() > deadline:
            return False
        time.sleep(WAIT_SECONDS)


def check_readable() -> None:
    """See whether FIELD_ENCRYPTION_KEYS open what is stored: a connection they do not open asks to be connected again,
    and one that they open again, because the key was put back, is connected as before.
    """
    for connection in StripeConnection.objects.exclude(state=ConnectionState.DISCONNECTED):
        closed = is_unreadable(connection.access_token) or is_unreadable(connection.refresh_token)
        mine = StripeConnection.objects.filter(pk=connection.pk)
        if closed:
            ask_to_reauthorize(connection, IntegrationError("reauthorize", OTHER_KEYS))
        elif connection.state_reason == OTHER_KEYS and connection.access_token:
            mine.filter(state=ConnectionState.REAUTHORIZE, state_reason=OTHER_KEYS).update(
                state=ConnectionState.CONNECTED, state_reason=""
            )


def ask_to_reauthorize(connection: StripeConnection, error: IntegrationError) -> None:
    """Remember that Stripe no longer lets us in, and why; a disconnected connection stays disconnected."""
    reason = (error.detail or error.text.what)[:255]
    lost = StripeConnection.objects.filter(pk=connection.pk, state=ConnectionState.CONNECTED).update(
        state=ConnectionState.REAUTHORIZE, state_reason=reason
    )
    if lost:
        notices.tell(connection, NoticeKind.REAUTHORIZE, about=f"connected {connection.connected_at}", detail=reason)

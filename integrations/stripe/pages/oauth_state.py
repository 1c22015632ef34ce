"""The ``state`` of a consent: random, single use, bound to the session and the mode, and gone after ten minutes.

Up to ten consents may be open in one session (two tabs, live beside test). Taking a state removes it before anything
else happens; the session row is locked meanwhile, so that two answers arriving together cannot both use it.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest

from integrations.errors import IntegrationError

SESSION_KEY = "stripe_consents"
LIFETIME = timedelta(minutes=10)
MOST_OPEN = 10

Entries = dict[str, dict[str, str | float]]


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent that was started here: for which mode."""

    mode: str


def open_consent(request: HttpRequest, mode: str) -> str:
    """Start a consent for ``mode`` in this session and return its state; the oldest makes room for the eleventh."""
    entries: Entries = request.session.get(SESSION_KEY, {})
    state = secrets.token_urlsafe(32)
    entries[state] = {"mode": mode, "at": time.time()}
    newest = sorted(entries.items(), key=lambda entry: float(entry[1]["at"]))[-MOST_OPEN:]
    request.session[SESSION_KEY] = dict(newest)
    return state


def take_consent(request: HttpRequest, state: str) -> Consent:
    """Use up the state of an answer and return the consent it belongs to.

    Raises IntegrationError ``state_mismatch`` when it was not started in this session, was used before, or has expired.
    """
    entry = _pop(request, state)
    if entry is None:
        raise IntegrationError("state_mismatch", "It was started elsewhere, or its answer came in before.")
    if time.time() - float(entry["at"]) > LIFETIME.total_seconds():
        raise IntegrationError("state_mismatch", "It was started more than ten minutes ago.")
    return Consent(mode=str(entry["mode"]))


def _pop(request: HttpRequest, state: str) -> dict[str, str | float] | None:
    with transaction.atomic():
        # What is stored counts, not what this request read before it waited for the lock.
        key = request.session.session_key
        Session.objects.select_for_update().filter(session_key=key).first()
        stored = type(request.session)(key)
        entries: Entries = stored.get(SESSION_KEY, {})
        entry = entries.pop(state, None)
        if entry is not None:
            stored[SESSION_KEY] = entries
            stored.save(must_create=False)
    request.session[SESSION_KEY] = entries
    return entry

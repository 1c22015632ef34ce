"""The events poll: what changed since the last complete one, in one request, with or without a webhook.

It promises two minutes; the webhook is quicker, the nightly run comes last (docs/architecture.md section 4
"Incremental"). Everything it finds goes through the same inbox as a webhook's.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.db.models.functions import Least, Now

from integrations.errors import IntegrationError
from integrations.models import (
    AttemptKind,
    AttemptState,
    ConnectionState,
    IssueState,
    RunKind,
    Severity,
    StripeConnection,
    StripeEvent,
    SyncIssue,
)
from integrations.stripe.api.calls import Call
from integrations.stripe.api.events import POLLED, Hint, read_hint
from integrations.stripe.api.factory import IN_A_SLICE, reader_for
from integrations.stripe.api.objects import Page
from integrations.stripe.api.pages import iterate
from integrations.stripe.sync import attempts, calls, derive, dirty, inbox, issues, runs, tokens
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.rows import Problem

logger = logging.getLogger(__name__)

PERMISSION = "event_read"
OVERLAP = timedelta(minutes=5)
FIRST_OVERLAP = timedelta(hours=1)  # no event is known yet to tell Stripe's clock by
KEPT_BY_STRIPE = timedelta(days=30)
EACH = timedelta(minutes=1)
WHEN_QUIET = timedelta(minutes=5)
QUIET_AFTER = 10  # polls in a row that found nothing
BESIDE_WEBHOOKS = timedelta(minutes=10)
BETWEEN_RUNS = timedelta(hours=1)
EARLY = timedelta(seconds=10)  # a schedule of each minute is a little early as often as late


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a poll found: ``events`` listed, how many of them ``new``; ``run`` that reads what events no longer tell.

    ``polled`` is False when there is nothing to ask with: not connected, before the first run, or no permission.
    """

    polled: bool = False
    events: int = 0
    new: int = 0
    requests: int = 0
    run: int | None = None


def poll(connection: StripeConnection, *, wake: bool = True) -> PollResult:
    """Ask Stripe for the events since the last complete poll; its inbox is woken unless ``wake`` is False.

    Raises IntegrationError as the reader does; then the cursor stays where it was. A missing permission is no error:
    it is said once, as a warning, and nothing is polled until it is granted.
    """
    connection.refresh_from_db()
    if not connection.is_connected or not derive.has_written(connection):
        return PollResult()
    if PERMISSION not in connection.permissions:
        say_missing(connection)
        return PollResult()
    clock, made = DatabaseClock(), deque[Call]()
    began = clock.now()
    if is_gap(connection, began):
        return after_gap(connection, began)
    try:
        events, new = read(connection, made, began, wake=wake)
    except IntegrationError as error:
        if error.code == "permission_missing":
            forget_permission(connection)
            return PollResult(requests=len(made))
        state = AttemptState.FAILED
        attempts.record(
            connection, AttemptKind.POLL, started_at=began, state=state, error=error, api_requests=len(made)
        )
        raise
    finally:
        calls.record(connection, list(made))
    complete(connection, began, is_quiet=not new)
    attempts.record(connection, AttemptKind.POLL, started_at=began, api_requests=len(made), events=new)
    return PollResult(polled=True, events=events, new=new, requests=len(made))


def read(connection: StripeConnection, made: deque[Call], began: datetime, *, wake: bool) -> tuple[int, int]:
    """Every page from the cursor on, each put into the inbox as it comes; how many events, and how many new."""
    token = tokens.access_token(connection)
    reader = reader_for(tokens.mode_of(connection), token, on_call=made.append, patience=IN_A_SLICE)
    events = new = 0
    params = {"types": list(POLLED), "created": {"gte": int(cursor_of(connection, began).timestamp())}}
    try:
        with closing(reader):
            for page in iterate(reader, "/v1/events", params):
                events += len(page.data)
                new += inbox.receive(connection, hints_of(page), source=StripeEvent.Source.POLL, wake=wake)
    except IntegrationError as error:
        if error.code == "reauthorize" and not tokens.is_renewed(connection, token):
            tokens.ask_to_reauthorize(connection, error)
        raise
    return events, new


def hints_of(page: Page) -> list[Hint]:
    """The hints on a page; an event that cannot be read is passed over, since the nightly run needs none."""
    hints = []
    for raw in page.data:
        try:
            hint = read_hint(raw)
        except IntegrationError as error:
            logger.warning("an event could not be read: %s", error)
            continue
        if hint.taken:
            hints.append(hint)
    return hints


def cursor_of(connection: StripeConnection, began: datetime) -> datetime:
    """Where to begin: before the last complete poll, and before the newest event we know.

    The second is a moment of Stripe's own clock, so that a database whose clock is ahead misses nothing. Before the
    first poll the last complete walk is where to begin.
    """
    since = last_complete(connection) or began
    newest = dirty.newest_created(connection)
    if newest is None:
        return since - FIRST_OVERLAP
    return min(since, newest) - OVERLAP


def is_gap(connection: StripeConnection, now: datetime) -> bool:
    """Whether Stripe has forgotten events since we last asked or walked."""
    last = last_complete(connection)
    return last is not None and now - last > KEPT_BY_STRIPE


def last_complete(connection: StripeConnection) -> datetime | None:
    """The start of the last complete poll or walk: whatever changed before then is known."""
    looks = (connection.events_polled_at, connection.last_look_at)
    return max((each for each in looks if each is not None), default=None)


def after_gap(connection: StripeConnection, began: datetime) -> PollResult:
    """A full run reads what the events no longer tell, and the next poll begins at its start.

    One that failed is not started again at once, or it would be each minute.
    """
    last = runs.latest(connection)
    if last is not None and not last.is_active and last.created_at > began - BETWEEN_RUNS:
        return PollResult()
    return PollResult(run=runs.start(connection, kind=RunKind.FULL, actor=None).pk)


def complete(connection: StripeConnection, began: datetime, *, is_quiet: bool) -> None:
    """Move the cursor: every page was read. With nothing waiting, everybody is as fresh as this poll."""
    StripeConnection.objects.filter(pk=connection.pk).update(
        events_polled_at=began, quiet_polls=Least(F("quiet_polls") + 1, 1000) if is_quiet else 0
    )
    SyncIssue.objects.filter(
        connection=connection, object_id=PERMISSION, code="permission_missing", state=IssueState.OPEN
    ).exclude(object_type="figure").update(state=IssueState.RESOLVED)
    dirty.note_look(connection)
    connection.refresh_from_db()


def say_missing(connection: StripeConnection) -> None:
    """Say once that nothing can be polled."""
    mine = SyncIssue.objects.filter(connection=connection, code="permission_missing", object_id=PERMISSION)
    if not mine.filter(state=IssueState.OPEN).exists():
        detail = "Without it changes arrive by webhook and with the nightly run only."
        problem = Problem("permission_missing", "permission", PERMISSION, detail=detail)
        issues.record(connection, [problem], run=None, severity=Severity.WARNING)


def forget_permission(connection: StripeConnection) -> None:
    """It was taken away since the last probe."""
    connection.permissions = [each for each in connection.permissions if each != PERMISSION]
    connection.save(update_fields=["permissions"])
    say_missing(connection)


def poll_due() -> None:
    """Poll every connection whose time it is; one that fails is tried again a minute later."""
    for connection in StripeConnection.objects.filter(state=ConnectionState.CONNECTED):
        if not claim(connection):
            continue
        try:
            poll(connection)
        except IntegrationError as error:
            logger.warning("Stripe %s: the events poll failed: %s", connection.mode, error)


def claim(connection: StripeConnection) -> bool:
    """Take the right to poll now, and say when it is time again; False when it is not, or somebody else polls."""
    due = Q(next_poll_at__isnull=True) | Q(next_poll_at__lte=Now() + EARLY)
    mine = StripeConnection.objects.filter(due, pk=connection.pk)
    return bool(mine.update(next_poll_at=Now() + pause_of(connection)))


def pause_of(connection: StripeConnection) -> timedelta:
    """How long until the next poll: webhooks that arrive make it rarer, and so does a quiet account."""
    recent = StripeConnection.objects.filter(pk=connection.pk, webhook_at__gt=Now() - BESIDE_WEBHOOKS)
    if recent.exists():
        return BESIDE_WEBHOOKS
    if connection.quiet_polls < QUIET_AFTER:
        return EACH
    return min(WHEN_QUIET, EACH * (connection.quiet_polls - QUIET_AFTER + 2))

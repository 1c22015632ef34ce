"""Refreshes: one Stripe customer or several, read fresh and followed to the header.

The one path of webhook, events poll, "Resync from Stripe" and "Retry this record": look, store, derive
(docs/architecture.md section 4 "Incremental"). The inbox looks at several at once; everything behind that is shared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Now

from integrations import context
from integrations.errors import IntegrationError
from integrations.models import (
    AttemptKind,
    AttemptState,
    IssueState,
    Severity,
    StripeConnection,
    StripeCustomer,
    SyncIssue,
)
from integrations.stripe.api.calls import Call
from integrations.stripe.api.factory import AT_ONCE, Patience, reader_for
from integrations.stripe.sync import attempts, calls, derive, dirty, issues, prices, store, tokens
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.looks import Look, looks_at, merged, missing_catalog


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What a refresh changed: field names by Pivotal customer, when the look began, and what is still wrong.

    ``known`` is False when neither Stripe nor the mirror has ever heard of the customer.
    """

    as_of: datetime
    by_customer: dict[int, list[str]] = field(default_factory=dict)
    issues: list[SyncIssue] = field(default_factory=list)
    known: bool = True

    @property
    def changed(self) -> list[str]:
        """The names of the fields that changed, on whichever customer."""
        return sorted({name for names in self.by_customer.values() for name in names})


@context.of_connection
def refresh(
    connection: StripeConnection,
    stripe_customer_id: str,
    *,
    actor: User | None = None,
    patience: Patience | None = AT_ONCE,
) -> RefreshResult:
    """Read one Stripe customer fresh and follow it to the header; somebody waits for it, so it gives up early.

    Raises IntegrationError ``reauthorize``, ``stripe_unavailable``, ``rate_limited`` or ``permission_missing``; nothing
    is stored then. A record that cannot be decoded becomes an issue and the rest goes on. ``patience`` None waits as
    long as a run would.
    """
    clock, made = DatabaseClock(), deque[Call]()
    started_at = clock.now()
    waiting = dirty.of_customer(connection, stripe_customer_id)
    try:
        look = look_once(connection, stripe_customer_id, clock=clock, made=made, patience=patience)
        changed = land(connection, [look], origin=f"Resync by {actor}" if actor else "Stripe")
    except IntegrationError as error:
        attempts.record(
            connection,
            AttemptKind.REFRESH,
            started_at=started_at,
            state=AttemptState.FAILED,
            actor=actor,
            error=error,
            stripe_customer_id=stripe_customer_id,
            api_requests=len(made),
        )
        raise
    finally:
        calls.record(connection, list(made))
    still = list(
        SyncIssue.objects.filter(
            connection=connection, stripe_customer_id=stripe_customer_id, state=IssueState.OPEN, severity=Severity.ERROR
        )
    )
    attempts.record(
        connection,
        AttemptKind.REFRESH,
        started_at=started_at,
        state=AttemptState.PARTIAL if still else AttemptState.SUCCEEDED,
        actor=actor,
        stripe_customer_id=stripe_customer_id,
        api_requests=len(made),
        customers=1,
        changed=len(changed),
    )
    if not look.batch.problems:
        dirty.close(waiting)
        dirty.settle_failed(connection, [stripe_customer_id])
    mirrored = StripeCustomer.objects.filter(connection=connection, stripe_id=stripe_customer_id)
    return RefreshResult(look.began, changed, still, known=look.found or mirrored.exists())


def look_once(
    connection: StripeConnection,
    stripe_customer_id: str,
    *,
    clock: DatabaseClock,
    made: deque[Call],
    patience: Patience | None,
) -> Look:
    """Look at one Stripe customer and at what its subscriptions name; asks to reauthorize when access is over."""
    used: list[str] = []

    def token() -> str:
        used.append(tokens.access_token(connection))
        return used[-1]

    try:
        reader = reader_for(tokens.mode_of(connection), token, on_call=made.append, patience=patience)
        with closing(reader):
            (look,) = looks_at(connection, reader, [stripe_customer_id], clock=clock)
            look.read()
            for missing in missing_catalog(connection, [look]):
                look.read_catalog(missing.resource, missing.type, missing.stripe_id)
            return look
    except IntegrationError as error:
        if error.code == "reauthorize" and not tokens.is_renewed(connection, used[-1] if used else ""):
            tokens.ask_to_reauthorize(connection, error)
        raise


def land(
    connection: StripeConnection,
    looks: Sequence[Look],
    *,
    origin: str = "Stripe",
    fence: Callable[[], None] | None = None,
) -> dict[int, list[str]]:
    """Store what these looks found and follow it to the header; the changed fields by Pivotal customer.

    ``fence`` raises when the right to write is gone; it is called inside the transaction that stores. Raises
    IntegrationError ``reauthorize`` when the connection was disconnected, or changed account, meanwhile.
    """
    batch, ids = merged(looks), [look.customer_id for look in looks]
    with derive.lock(connection):
        require_same_connection(connection)
        store.write(connection.pk, batch, refresh=True)
        prices.carry(connection, customer_ids=ids)
        issues.record(connection, batch.problems, run=None)
        broken = {problem.stripe_customer_id for problem in batch.problems}
        issues.resolve_errors(connection, stripe_customer_ids=set(ids) - broken, run=None)
        if fence is not None:
            fence()
    changed = derive.refreshed(connection, ids, as_of=min(look.began for look in looks), origin=origin)
    if changed:
        say_updated(connection)
    return changed


def say_updated(connection: StripeConnection) -> None:
    """A change in Stripe has landed just now."""
    StripeConnection.objects.filter(pk=connection.pk).update(last_incremental_update_at=Now())


def require_same_connection(connection: StripeConnection) -> None:
    """Raises IntegrationError ``reauthorize`` when it was disconnected, or changed account, while we were reading."""
    now = StripeConnection.objects.filter(pk=connection.pk)
    if not now.filter(Q(state="connected") & Q(account_id=connection.account_id)).exists():
        raise IntegrationError("reauthorize", "Stripe was disconnected meanwhile; nothing was written.")


def retry_issue(issue: SyncIssue, *, actor: User | None) -> RefreshResult:
    """**Retry this record**: read its Stripe customer fresh; the issue resolves when nothing is wrong any more.

    Raises IntegrationError as ``refresh`` does, and ``invalid_response`` when not even the customer is known: then only
    a run can look again.
    """
    if not issue.stripe_customer_id:
        raise IntegrationError("invalid_response", "Its Stripe customer is not known; run a sync to look again.")
    result = refresh(issue.connection, issue.stripe_customer_id, actor=actor)
    issue.refresh_from_db()
    return result

"""The connection as the page shows it: its state, what it may read, and the proof that it only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from customers.models import Customer
from integrations.models import ApiCall, ConnectionState, RunKind, RunState, StripeConnection, SyncRun
from integrations.stripe.api.permissions import PERMISSIONS, Permission
from integrations.stripe.pages.presenters.drift import last_verdict
from integrations.stripe.sync.freshness import FULL_SYNC_LATE, Freshness, freshness_of
from integrations.stripe.sync.progress import SILENT

LAST_CALLS = 200
FINISHED = (RunState.SUCCEEDED, RunState.PARTIAL)


class Stage:
    """Where a connection is on its way; what the page leads with."""

    NEW = "new"  # never connected
    LEFT = "left"  # disconnected, with figures from before
    REAUTHORIZE = "reauthorize"
    SETUP = "setup"  # connected, nothing synced yet
    SYNCED = "synced"


def stage_of(connection: StripeConnection, recent: list[SyncRun]) -> str:
    """Where the connection is; ``recent`` are its newest runs."""
    if connection.state == ConnectionState.REAUTHORIZE:
        return Stage.REAUTHORIZE
    if connection.state == ConnectionState.DISCONNECTED:
        return Stage.LEFT if connection.connected_at else Stage.NEW
    synced = connection.last_full_sync_at or any(
        run.state in FINISHED and run.kind != RunKind.PREVIEW for run in recent
    )
    return Stage.SYNCED if synced else Stage.SETUP


@dataclass(frozen=True, slots=True)
class Banner:
    """State and timestamps; ``tone`` is one of connected, late (amber), failed (red), reauthorize, disconnected.

    ``full_sync_late``: the last full sync is more than a day old. ``stale``: nobody has looked for too long. ``drift``
    is what the last night said, ``silent_since`` when the worker reported last, if it should have since.
    """

    tone: str
    full_sync_late: bool
    stale: bool
    freshness: Freshness
    looked_at: datetime | None
    looked_later: bool
    drift: str
    silent_since: datetime | None


def banner_of(connection: StripeConnection, stage: str, *, worker_age: timedelta | None) -> Banner:
    """What the banner says now (docs/rules.md section 6)."""
    freshness = freshness_of(connection)
    full_sync = connection.last_full_sync_at
    synced = stage == Stage.SYNCED
    late = synced and full_sync is not None and timezone.now() - full_sync > FULL_SYNC_LATE
    stale = synced and freshness.stale
    if stage in (Stage.SYNCED, Stage.SETUP):
        tone = "failed" if late else "late" if stale else "connected"
    else:
        tone = "reauthorize" if stage == Stage.REAUTHORIZE else "disconnected"
    looked_at = max((at for at in (connection.last_look_at, full_sync) if at), default=None)
    changed_at = connection.last_incremental_update_at
    return Banner(
        tone=tone,
        full_sync_late=late,
        stale=stale,
        freshness=freshness,
        looked_at=looked_at,
        looked_later=bool(looked_at and changed_at and looked_at > changed_at),
        drift=last_verdict(connection) if synced else "",
        silent_since=silent_since(worker_age) if synced else None,
    )


def silent_since(age: timedelta | None) -> datetime | None:
    """When the worker reported last, if that is too long ago; schedules make it report every minute."""
    return timezone.now() - age if age is not None and age > SILENT else None


@dataclass(frozen=True, slots=True)
class Access:
    """What may be read, and what the last calls were.

    ``writes`` counts calls that were neither a GET nor the token exchange: it is 0 by construction, and shown.
    """

    granted: int
    total: int
    missing: list[Permission]
    calls: int
    writes: int


def access_of(connection: StripeConnection) -> Access:
    """Permissions as the last probe found them, and the methods of the last calls."""
    methods = list(
        ApiCall.objects.filter(connection=connection).order_by("-at", "-id").values_list("method", "path")[:LAST_CALLS]
    )
    missing = [one for one in PERMISSIONS if one.slug not in connection.permissions]
    return Access(
        granted=len(PERMISSIONS) - len(missing),
        total=len(PERMISSIONS),
        missing=missing,
        calls=len(methods),
        writes=sum(1 for method, path in methods if method != "GET" and not is_token_exchange(method, path)),
    )


def is_token_exchange(method: str, path: str) -> bool:
    """Whether a call is the one POST there is: the OAuth token exchange or refresh."""
    return method == "POST" and path.split("?", 1)[0].endswith("/oauth/token")


@dataclass(frozen=True, slots=True)
class Customers:
    """How many customers of the connection's environment there are to match, and how many have a domain."""

    total: int
    with_domain: int


def matchable_customers(connection: StripeConnection) -> Customers:
    """Customers that could match, archived ones left out."""
    matchable = Customer.objects.in_environment(connection.environment).matchable()
    return Customers(total=matchable.count(), with_domain=matchable.exclude(domain="").count())

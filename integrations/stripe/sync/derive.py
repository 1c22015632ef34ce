"""From the mirror to the header: match, contributions and roll-up in one transaction, without Stripe.

Everything derived for a connection is written under its derive lock, one writer at a time; within it the Pivotal
customers are locked in the order of their ids. What happens on our side (a decision, a scope, an option, an edit, an
import, a new rate, the clock) ends in one of these functions (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from customers.models import Activity, Customer
from integrations.models import (
    BillingSummary,
    RunKind,
    RunState,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
    SyncRun,
)
from integrations.stripe.rules.money import Rates
from integrations.stripe.sync import chunked, issues, kept, match, rates
from integrations.stripe.sync.chunked import in_chunks, walk
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.contributions import Contributions
from integrations.stripe.sync.rollup import SOURCE, Rollup
from integrations.stripe.sync.unmoved import moved

LOCK_SPACE = 0x5354  # "ST": keeps our advisory locks apart from anybody else's


@contextmanager
def lock(connection: StripeConnection) -> Iterator[None]:
    """A transaction that is alone in writing what is derived for this connection."""
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, connection.pk])
        yield
        kept.age(connection)


def lock_with_others(connection: StripeConnection) -> None:
    """Keep everybody out of the derived rows, in the caller's transaction, but who takes this same lock.

    Who does writes rows that none of the others touch, and at the end says so (``kept.age``) in its turn.
    """
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [LOCK_SPACE, connection.pk])


def rematch(
    connection: StripeConnection,
    *,
    domains: frozenset[str] = frozenset(),
    customer_ids: frozenset[int] = frozenset(),
    stripe_ids: frozenset[str] = frozenset(),
    decided: bool = False,
    origin: str = "Stripe",
) -> dict[int, list[str]]:
    """Match again what these domains, customers or Stripe customers concern, and roll up whoever that touches.

    Returns the names of the changed fields by Pivotal customer. ``decided`` says that people on our side caused it.
    Before the first run has written customers nothing is rolled up: they wait for it.
    """
    changed: dict[int, list[str]] = {}
    with lock(connection):
        touched = match.rematch(connection, match.Subset(domains, customer_ids, stripe_ids)) | customer_ids
        kept.forget(connection)
        if not has_written(connection):
            return changed
        rollup = Rollup(connection, now=DatabaseClock().now(), origin=origin, decided=decided)
        for ids in in_chunks(touched):
            changed |= rollup.roll_up(ids)
    issues.sync_warnings(connection)
    return changed


def rematch_all(connection: StripeConnection, *, decided: bool = False, origin: str = "Stripe") -> None:
    """Match everybody again and roll up every customer of the connection: what a scope or an option concerns."""
    with lock(connection):
        match.rematch_all(connection)
        kept.forget(connection)
        if not has_written(connection):
            return
        rollup = Rollup(connection, now=DatabaseClock().now(), origin=origin, decided=decided)
        for ids in walk(customers_of(connection), "pk"):
            rollup.roll_up(ids)
    issues.sync_warnings(connection)


def refreshed(
    connection: StripeConnection, stripe_ids: Iterable[str], *, as_of: datetime | None, origin: str = "Stripe"
) -> dict[int, list[str]]:
    """Follow fresh mirror rows of these Stripe customers to the header; ``as_of`` is when the look at them began."""
    ids = frozenset(stripe_ids)
    now = DatabaseClock().now()
    with lock(connection):
        changes = Contributions(connection, rates=rates.load(), now=now).compute(ids)
        touched = match.rematch(connection, match.Subset(stripe_ids=ids))
        touched |= match.attached_customers(connection, ids)
        changed = Rollup(connection, now=now, origin=origin).roll_up(
            touched, changes=changes, as_of=as_of, looked_at=ids
        )
    issues.sync_warnings(connection)
    return changed


def has_written(connection: StripeConnection) -> bool:
    """Whether a run of this connection has written customers, or is past matching and about to.

    Only then may anything else roll up; before, a preview must leave every customer as it is.
    """
    runs = SyncRun.objects.filter(connection=connection).exclude(kind=RunKind.PREVIEW)
    ended = Q(state__in=(RunState.SUCCEEDED, RunState.PARTIAL))
    return (
        StripeConnection.objects.filter(pk=connection.pk, last_full_sync_at__isnull=False).exists()
        or runs.filter(ended | Q(checkpoint__done__contains=["match"])).exists()
    )


def customers_of(connection: StripeConnection) -> QuerySet[Customer]:
    """The Pivotal customers whose billing this connection writes: attached now, or until now."""
    attached = StripeCustomer.objects.filter(connection=connection, customer=OuterRef("pk"))
    written = BillingSummary.objects.filter(connection=connection, customer=OuterRef("pk"))
    here = Q(environment=connection.environment) & (Q(billing_source=SOURCE) | Exists(attached))
    return Customer.objects.filter(here | Exists(written))


def next_customers(connection: StripeConnection, *, after: int) -> list[int]:
    """The ids of the next chunk of :func:`customers_of` behind ``after``, in order.

    Each reason to be among them is looked up by itself along an index; in one condition, every chunk of a run would
    look at everybody. One that moved to the other environment may be among them too: a roll-up knows whose it is.
    """
    most, here = chunked.CHUNK, Customer.objects.filter(environment=connection.environment)
    shown = here.filter(billing_source=SOURCE, pk__gt=after).order_by("pk").values_list("pk")
    attached = StripeCustomer.objects.filter(connection=connection, customer__gt=after).order_by("customer_id")
    owners = attached.values_list("customer_id").distinct()
    written = BillingSummary.objects.filter(connection=connection, pk__gt=after).order_by("pk").values_list("pk")
    return sorted(number for (number,) in shown[:most].union(owners[:most], written[:most]))[:most]


def roll_up_moved(connection: StripeConnection, ids: list[int], *, rates: Rates, now: datetime) -> None:
    """Contributions and roll-up of these Pivotal customers, for a run; the caller holds a lock.

    Those about whom nothing was written since a run last rolled them up are left as they are.
    """
    changes = Contributions(connection, rates=rates, now=now).compute(on_customers(connection, ids))
    rollup = Rollup(connection, now=now, remembers=True)
    rollup.roll_up(moved(connection, rollup.scope, ids, now=now), changes=changes, as_of=now)


def figures_chunk(
    connection: StripeConnection, *, after: str, rates: Rates, now: datetime, attached_too: bool
) -> str | None:
    """Contributions of the next Stripe customers behind ``after``, without a roll-up; returns the last id.

    Those that no Pivotal customer has, since roll-up does the others; a preview, which rolls nothing up, wants all.
    """
    with lock(connection):
        subscribed = StripeSubscription.objects.filter(connection=connection, customer_id=OuterRef("stripe_id"))
        rows = StripeCustomer.objects.filter(Exists(subscribed), connection=connection, stripe_id__gt=after)
        if not attached_too:
            rows = rows.filter(customer__isnull=True)
        ids: list[str] = next(walk(rows, "stripe_id"), [])
        if not ids:
            return None
        Contributions(connection, rates=rates, now=now).compute(ids)
        return ids[-1]


def due_of(connection: StripeConnection, *, now: datetime) -> QuerySet[Customer]:
    """The customers whose moment has come.

    That of customers from an earlier release, of whom nobody has worked out what is at risk, came with the upgrade.
    """
    unknown = Q(billing_source=SOURCE, mrr_at_risk__isnull=True)
    return customers_of(connection).filter(Q(next_change_at__lte=now) | unknown)


def clock_ticked(connection: StripeConnection, *, now: datetime | None = None) -> int:
    """Recompute what the clock alone has changed, from the mirror; returns how many Pivotal customers that moved.

    ``now`` is database time when not said. First the customers whose moment has come; then subscriptions that no
    customer shows, unmatched ones and those out of scope, since lists say what is at stake there.
    """
    now = now or DatabaseClock().now()
    current: Rates | None = None
    moved = 0
    for ids in walk(due_of(connection, now=now), "pk"):
        current = current or rates.load()
        with lock(connection):
            changes = Contributions(connection, rates=current, now=now).compute(on_customers(connection, ids))
            rollup = Rollup(connection, now=now, origin="Stripe, by date", actor_type=Activity.ActorType.CLOCK)
            moved += len(rollup.roll_up(ids, changes=changes))
    subscriptions = StripeSubscription.objects.filter(connection=connection, next_change_at__lte=now)
    for stripe_ids in walk(subscriptions.distinct(), "customer_id"):
        current = current or rates.load()
        with lock(connection):
            Contributions(connection, rates=current, now=now).compute(stripe_ids)
    if current is not None:
        issues.sync_warnings(connection)
    return moved


def converted_chunk(
    connection: StripeConnection, *, after: str, currencies: Collection[str], rates: Rates, now: datetime
) -> str | None:
    """Convert again what the next Stripe customers behind ``after`` are billed in these currencies, or in any.

    Returns the last id, None at the end. All that shares a Pivotal customer with them is computed along, so that a
    header moves once.
    """
    with lock(connection):
        billed = StripeSubscription.objects.filter(connection=connection, customer_id__gt=after).exclude(currency="usd")
        if currencies:
            billed = billed.filter(currency__in=currencies)
        ids: list[str] = next(walk(billed.distinct(), "customer_id"), [])
        if not ids:
            return None
        attached = match.attached_customers(connection, ids)
        concerned = {*ids, *on_customers(connection, attached)}
        changes = Contributions(connection, rates=rates, now=now).compute(concerned)
        if has_written(connection):
            Rollup(connection, now=now, origin="Exchange rate").roll_up(attached, changes=changes)
        return ids[-1]


def on_customers(connection: StripeConnection, customer_ids: Iterable[int]) -> list[str]:
    """The Stripe customers that are on these Pivotal customers."""
    rows = StripeCustomer.objects.filter(connection=connection, customer_id__any=set(customer_ids))
    return list(rows.values_list("stripe_id", flat=True))

"""The five billing fields of Pivotal customers, from committed mirror rows (docs/rules.md sections 3 and 5).

Callers hold the derive lock and this module locks the customers, ordered by id, before it reads anything, so that two
workers on one merged customer cannot lose an update (docs/architecture.md section 4 "Runs").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.db import connection as database
from django.db.models import F, TextField
from django.db.models.functions import Cast

from customers.models import Activity, BillingFlag, Customer, MrrPoint
from integrations.models import (
    BillingSummary,
    MatchState,
    Standing,
    StripeConnection,
    StripeCustomer,
    StripeInvoice,
    StripeInvoicePayment,
    StripePaymentIntent,
)
from integrations.stripe.api.objects import Invoice, InvoicePayment, InvoicePayments
from integrations.stripe.rules.payment_status import LiveSubscription, PaymentStatus, payment_status
from integrations.stripe.rules.subscriptions import is_live
from integrations.stripe.rules.summary import AttachedCustomer, AttachedSubscription, Summary, summarise
from integrations.stripe.sync.causes import cause_of
from integrations.stripe.sync.contributions import Change
from integrations.stripe.sync.match import WINNER_ENDED
from integrations.stripe.sync.scope_sql import Scope

FIRST = MrrPoint.Cause.FIRST_SYNC
SOURCE = "stripe"
FIELDS = ("plan", "mrr", "payment_status", "billing_started_at", "stripe_customer_id")
BY_RATE = frozenset({"plan", "mrr", "stripe_customer_id"})
"""Fields that an exchange rate alone may change: the MRR, and what is primary by the highest MRR."""

SUBSCRIPTIONS = """
SELECT s.stripe_id, s.customer_id, s.status, s.start_date, s.mrr, s.plan, s.plan_label, s.problems, s.next_change_at,
       s.data->>'collection_method'
FROM integrations_stripesubscription s
WHERE s.connection_id = %(connection)s AND s.customer_id = ANY(%(stripe_ids)s) AND {scope}
"""

# One statement for a chunk; bulk_update would send a CASE per row and column.
UPDATE = """
UPDATE customers_customer AS c
SET plan = r.plan, plan_label = r.plan_label, mrr = r.mrr, payment_status = r.payment_status,
    billing_started_at = r.billing_started_at, stripe_customer_id = r.stripe_customer_id,
    billing_source = r.billing_source, billing_as_of = r.billing_as_of, billing_flags = r.billing_flags,
    next_change_at = r.next_change_at
FROM json_to_recordset(%s::json) AS r(
    id bigint, plan text, plan_label text, mrr numeric, payment_status text, billing_started_at timestamptz,
    stripe_customer_id text, billing_source text, billing_as_of timestamptz, billing_flags text[],
    next_change_at timestamptz
)
WHERE c.id = r.id
"""
WRITTEN = (*FIELDS, "plan_label", "billing_source", "billing_as_of", "billing_flags", "next_change_at")


@dataclass(slots=True)
class Attached:
    """Everything attached to one Pivotal customer; ``covered_at`` is the oldest look at one of its Stripe customers."""

    customers: list[AttachedCustomer] = field(default_factory=list)
    subscriptions: list[AttachedSubscription] = field(default_factory=list)
    live: list[LiveSubscription] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    changes: list[datetime] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    undecided: bool = False
    covered_at: datetime | None = None

    @property
    def speaking(self) -> list[str]:
        """The Stripe customers whose invoices count: the live ones, or all when none is live."""
        live = [customer.stripe_id for customer in self.customers if customer.live]
        return live or [customer.stripe_id for customer in self.customers]

    @property
    def mrr(self) -> Decimal:
        """The exact sum, before it is rounded once."""
        return sum((each.mrr for each in self.subscriptions), Decimal(0))


@dataclass(frozen=True, slots=True)
class Look:
    """When Stripe was looked at: ``began``, and at whom; ``stripe_ids`` None means everybody, as a run does."""

    began: datetime
    stripe_ids: frozenset[str] | None

    def covers(self, stripe_id: str) -> bool:
        """Whether this Stripe customer was looked at."""
        return self.stripe_ids is None or stripe_id in self.stripe_ids


class Rollup:
    """Rolls up with one ``now``; ``decided`` marks changes that people on our side caused."""

    def __init__(
        self,
        connection: StripeConnection,
        *,
        now: datetime,
        origin: str = "Stripe",
        decided: bool = False,
        actor_type: str = Activity.ActorType.INTEGRATION,
    ) -> None:
        self.connection = connection
        self.scope = Scope.of(connection)
        self.now = now
        self.origin = origin
        self.decided = decided
        self.actor_type = actor_type

    def roll_up(
        self,
        customer_ids: Iterable[int],
        *,
        changes: Iterable[Change] = (),
        as_of: datetime | None = None,
        looked_at: frozenset[str] | None = None,
    ) -> dict[int, list[str]]:
        """Recompute these customers; returns the names of the fields that changed, by customer.

        ``changes`` are the receipts that moved in the same transaction: they name the cause of an MRR change. ``as_of`` is
        when a look at Stripe began, ``looked_at`` at which Stripe customers; None is all of them. A refresh moves the
        customers' ``billing_as_of``; a run, which says itself when it looked, writes it only along with something else.
        """
        locked = list(
            Customer.objects.select_for_update(of=("self",)).filter(pk__in=sorted(customer_ids)).order_by("pk")
        )
        summaries = BillingSummary.objects.in_bulk([customer.pk for customer in locked])
        mine = [customer for customer in locked if self._is_mine(customer, summaries.get(customer.pk))]
        look = Look(as_of, looked_at) if as_of is not None else None
        attached = self._attached([customer.pk for customer in mine], look)
        receipts = {change.stripe_id: change for change in changes}
        intents = self._load_invoices(attached)
        with_history = self._with_history([customer.pk for customer in mine])
        updated, wanted, gone, points, activities = [], [], [], [], []
        changed: dict[int, list[str]] = {}
        for customer in mine:
            found = attached.get(customer.pk) or Attached()
            was_attached = customer.billing_source == SOURCE
            status = payment_status(found.invoices, intents=intents, subscriptions=found.live, now=self.now)
            summary = summarise(found.customers, found.subscriptions, payment=status)
            before = {name: getattr(customer, name) for name in FIELDS}
            if self._apply(customer, found, summary, status, moves_as_of=looked_at is not None):
                updated.append(customer)
            old = summaries.get(customer.pk)
            if found.customers:
                wanted.append(self._summary(customer, found, summary, status))
            elif old is not None:
                gone.append(customer.pk)
            names = [name for name in FIELDS if getattr(customer, name) != before[name]]
            if names or was_attached != bool(found.customers):
                changed[customer.pk] = names
            has_moved = customer.mrr != before["mrr"]
            cause = self._cause(found, old, receipts) if has_moved else None
            if found.customers and customer.pk not in with_history:
                points.append(MrrPoint(customer=customer, at=self.now, mrr=customer.mrr, cause=FIRST))
            elif cause is not None:
                points.append(MrrPoint(customer=customer, at=self.now, mrr=customer.mrr, cause=cause))
            activities += self._activities(customer, before, names, was_attached=was_attached, cause=cause)
        self._save(updated)
        self._save_summaries(wanted, summaries, gone)
        MrrPoint.objects.bulk_create(points)
        Activity.objects.bulk_create(activities)
        return changed

    def _is_mine(self, customer: Customer, summary: BillingSummary | None) -> bool:
        """Whether this connection writes the customer: it is of its environment, or what it shows was written by it.

        A customer that moved to the other environment is announced in both, and the two connections may come in any order.
        """
        if customer.environment == self.connection.environment:
            return True
        return summary is not None and summary.connection_id == self.connection.pk

    # --- reading -------------------------------------------------------------------------------------------------

    def _attached(self, customer_ids: list[int], look: Look | None) -> dict[int, Attached]:
        """What is attached to each customer, or waits there for a decision; those with neither are left out."""
        found: dict[int, Attached] = defaultdict(Attached)
        owner: dict[str, int] = {}
        rows = StripeCustomer.objects.filter(
            connection=self.connection,
            customer_id__in=customer_ids,
            customer__environment=self.connection.environment,
            match_state=MatchState.MATCHED,
        )
        for row in rows.defer("data"):
            if row.customer_id is None:
                continue
            attached = found[row.customer_id]
            attached.undecided = attached.undecided or bool(row.ambiguous_kind)
            if row.match_reason == WINNER_ENDED:
                continue
            owner[row.stripe_id] = row.customer_id
            is_live = row.standing == Standing.LIVE
            attached.customers.append(AttachedCustomer(row.stripe_id, row.created, is_live, row.winner))
            covered = look.began if look is not None and look.covers(row.stripe_id) else row.observed_at
            attached.covered_at = min(attached.covered_at or covered, covered)
        if owner:
            self._load_subscriptions(found, owner)
        return found

    def _load_subscriptions(self, found: dict[int, Attached], owner: Mapping[str, int]) -> None:
        with database.cursor() as cursor:
            cursor.execute(
                SUBSCRIPTIONS.format(scope=self.scope.sql),
                {"connection": self.connection.pk, "stripe_ids": list(owner), **self.scope.parameters},
            )
            for row in cursor.fetchall():
                stripe_id, customer, status, start, mrr, plan, label, problems, next_change_at, collection = row
                attached = found[owner[customer]]
                attached.subscriptions.append(
                    AttachedSubscription(stripe_id, customer, status, start, mrr, plan, label)
                )
                attached.problems += problems
                if next_change_at is not None:
                    attached.changes.append(next_change_at)
                if is_live(status):
                    attached.live.append(LiveSubscription(status, collection))

    def _load_invoices(self, attached: Mapping[int, Attached]) -> dict[str, str]:
        """Give each customer the invoices that speak for it; returns the status of the payment intents behind them."""
        owner = {stripe_id: found for found in attached.values() for stripe_id in found.speaking}
        if not owner:
            return {}
        rows = (
            StripeInvoice.objects.filter(connection=self.connection, customer_id__in=list(owner))
            .annotate(text=Cast(F("data"), TextField()))
            .values_list("customer_id", "text")
        )
        invoices = [(customer, msgspec.json.decode(text, type=Invoice, strict=False)) for customer, text in rows]
        payments = self._payments([invoice.id for _customer, invoice in invoices])
        for customer, invoice in invoices:
            inline = InvoicePayments(data=payments.get(invoice.id, []))
            owner[customer].invoices.append(msgspec.structs.replace(invoice, payments=inline))
        wanted = {
            each.payment.payment_intent_id
            for group in payments.values()
            for each in group
            if each.payment and each.payment.payment_intent_id
        }
        intents = StripePaymentIntent.objects.filter(connection=self.connection, stripe_id__in=list(wanted))
        return dict(intents.values_list("stripe_id", "status")) if wanted else {}

    def _payments(self, invoice_ids: list[str]) -> dict[str, list[InvoicePayment]]:
        payments: dict[str, list[InvoicePayment]] = defaultdict(list)
        rows = StripeInvoicePayment.objects.filter(connection=self.connection, invoice_id__in=invoice_ids)
        for invoice_id, data in rows.values_list("invoice_id", "data"):
            payments[invoice_id].append(msgspec.convert(data, InvoicePayment, strict=False))
        return payments

    def _with_history(self, customer_ids: list[int]) -> set[int]:
        return set(
            MrrPoint.objects.filter(customer_id__in=customer_ids).values_list("customer_id", flat=True).distinct()
        )

    # --- writing -------------------------------------------------------------------------------------------------

    def _apply(
        self, customer: Customer, found: Attached, summary: Summary, status: PaymentStatus, *, moves_as_of: bool
    ) -> bool:
        """Write the fields onto the instance; True when a row has to be saved."""
        flags = []
        if found.undecided:
            flags.append(BillingFlag.UNDECIDED)
        if found.problems:
            flags.append(BillingFlag.INCOMPLETE)
        if status.also_open is not None:
            flags.append(BillingFlag.OLDER_INVOICE_OPEN)
        changes = [*found.changes, *([status.next_change_at] if status.next_change_at else [])]
        values: dict[str, Any] = {
            "plan": summary.plan,
            "plan_label": summary.plan_label,
            "mrr": summary.mrr,
            "payment_status": summary.payment_status,
            "billing_started_at": summary.billing_started_at,
            "stripe_customer_id": summary.stripe_customer_id,
            "billing_source": SOURCE if found.customers else "",
            "billing_flags": [str(flag) for flag in flags],
            "next_change_at": min(changes, default=None) if found.customers else None,
        }
        is_dirty = any(getattr(customer, name) != value for name, value in values.items())
        as_of = max(filter(None, (customer.billing_as_of, found.covered_at)), default=None)
        as_of = as_of if found.customers else None
        if as_of != customer.billing_as_of and (is_dirty or moves_as_of or customer.billing_as_of is None):
            values["billing_as_of"] = as_of
            is_dirty = True
        for name, value in values.items():
            setattr(customer, name, value)
        return is_dirty

    def _save(self, customers: list[Customer]) -> None:
        """Write the billing columns of these customers, and no others."""
        if not customers:
            return
        rows = [{"id": each.pk, **{name: getattr(each, name) for name in WRITTEN}} for each in customers]
        with database.cursor() as cursor:
            cursor.execute(UPDATE, [msgspec.json.encode(rows).decode()])

    def _summary(self, customer: Customer, found: Attached, summary: Summary, status: PaymentStatus) -> BillingSummary:
        reason = status.reason
        if reason.subscription and reason.subscription not in {each.stripe_id for each in found.subscriptions}:
            reason = msgspec.structs.replace(reason, outside_scope=True)
        counts: dict[str, int] = defaultdict(int)
        for problem in found.problems:
            counts[problem] += 1
        return BillingSummary(
            customer_id=customer.pk,
            connection=self.connection,
            payment_reason=msgspec.to_builtins(reason),
            also_open=msgspec.to_builtins(status.also_open) if status.also_open else None,
            incomplete=[
                {"code": problem.partition(" ")[0], "subject": problem.partition(" ")[2], "subscriptions": number}
                for problem, number in sorted(counts.items())
            ],
            problems=[f"{problem.code} {problem.subject}"[:300] for problem in status.problems],
            mrr_exact=found.mrr,
            primary_subscription=summary.primary_subscription,
            live_subscriptions=summary.live_subscriptions,
            computed_at=self.now,
        )

    def _save_summaries(
        self, wanted: list[BillingSummary], known: Mapping[int, BillingSummary], gone: list[int]
    ) -> None:
        """Write the summaries that say something new; ``computed_at`` alone is no news."""
        names = [
            each.attname
            for each in BillingSummary._meta.concrete_fields
            if each.name not in ("customer", "computed_at")
        ]
        news = []
        for summary in wanted:
            old = known.get(summary.customer_id)
            if old is None or any(getattr(old, name) != getattr(summary, name) for name in names):
                news.append(summary)
        BillingSummary.objects.bulk_create(
            news,
            update_conflicts=True,
            unique_fields=["customer"],
            update_fields=["connection", *[n for n in names if n != "connection_id"], "computed_at"],
        )
        if gone:
            BillingSummary.objects.filter(customer_id__in=gone).delete()

    def _cause(self, found: Attached, old: BillingSummary | None, receipts: Mapping[str, Change]) -> str:
        """Why the MRR moved.

        What the receipts do not explain came or went as a whole: a Stripe customer joined or left this one.
        """
        if self.decided:
            return MrrPoint.Cause.DECISION
        moved = [receipts[each.stripe_id] for each in found.subscriptions if each.stripe_id in receipts]
        unexplained = found.mrr - (old.mrr_exact if old else 0) - sum(change.difference for change in moved)
        return cause_of(moved, unexplained=unexplained)

    def _activities(
        self, customer: Customer, before: Mapping[str, Any], names: list[str], *, was_attached: bool, cause: str | None
    ) -> list[Activity]:
        """History entries: one when billing comes or goes, else one per field; a rate alone is no entry."""

        def entry(event: str, name: str = "", old: Any = "", new: Any = "") -> Activity:
            return Activity(
                customer=customer,
                at=self.now,
                actor_type=self.actor_type,
                event_type=event,
                field=name,
                old=as_text(old),
                new=as_text(new),
                origin=self.origin,
            )

        is_attached = customer.billing_source == SOURCE
        if is_attached and not was_attached:
            return [entry("billing.attached", new=customer.stripe_customer_id)]
        if was_attached and not is_attached:
            return [entry("billing.detached", old=before["stripe_customer_id"])]
        by_rate = BY_RATE if cause == MrrPoint.Cause.EXCHANGE_RATE else frozenset()
        kept = [name for name in names if name not in by_rate]
        return [entry("customer.field_changed", name, before[name], getattr(customer, name)) for name in kept]


def as_text(value: Any) -> str:
    """A field's value as history keeps it: ISO 8601 times, empty for nothing."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)

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
from integrations.stripe.sync.scope_sql import Scope

SOURCE = "stripe"
FIELDS = ("plan", "mrr", "payment_status", "billing_started_at", "stripe_customer_id")
WRITTEN = [*FIELDS, "plan_label", "billing_source", "billing_as_of", "billing_flags", "next_change_at"]

SUBSCRIPTIONS = """
SELECT s.stripe_id, s.customer_id, s.status, s.start_date, s.mrr, s.plan, s.plan_label, s.problems, s.next_change_at,
       s.data->>'collection_method'
FROM integrations_stripesubscription s
WHERE s.connection_id = %(connection)s AND s.customer_id = ANY(%(stripe_ids)s) AND {scope}
"""


@dataclass(slots=True)
class Attached:
    """Everything attached to one Pivotal customer."""

    customers: list[AttachedCustomer] = field(default_factory=list)
    subscriptions: list[AttachedSubscription] = field(default_factory=list)
    live: list[LiveSubscription] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    changes: list[datetime] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    undecided: bool = False

    @property
    def speaking(self) -> list[str]:
        """The Stripe customers whose invoices count: the live ones, or all when none is live."""
        live = [customer.stripe_id for customer in self.customers if customer.live]
        return live or [customer.stripe_id for customer in self.customers]


class Rollup:
    """Rolls up with one ``now``; ``decided`` marks changes that a person's decision caused."""

    def __init__(self, connection: StripeConnection, *, now: datetime, origin: str = "Stripe", decided: bool = False) -> None:
        self.connection = connection
        self.scope = Scope.of(connection)
        self.now = now
        self.origin = origin
        self.decided = decided

    def roll_up(
        self, customer_ids: Iterable[int], *, changes: Iterable[Change] = (), as_of: datetime | None = None
    ) -> dict[int, list[str]]:
        """Recompute these customers; returns the names of the fields that changed, by customer.

        ``changes`` are the receipts that moved in the same transaction: they name the cause of an MRR change. ``as_of`` is
        given by a refresh alone: the moment its look began.
        """
        locked = list(
            Customer.objects.select_for_update(of=("self",)).filter(pk__in=sorted(customer_ids)).order_by("pk")
        )
        attached = self._attached([customer.pk for customer in locked])
        causes = {change.stripe_id: change for change in changes}
        intents = self._load_invoices(attached)
        updated, summaries, gone, points, activities = [], [], [], [], []
        changed: dict[int, list[str]] = {}
        with_history = self._with_history([customer.pk for customer in locked])
        for customer in locked:
            found = attached.get(customer.pk)
            if found is None and customer.billing_source != SOURCE:
                continue
            found = found or Attached()
            status = payment_status(found.invoices, intents=intents, subscriptions=found.live, now=self.now)
            summary = summarise(found.customers, found.subscriptions, payment=status)
            before = {name: getattr(customer, name) for name in FIELDS}
            first = customer.billing_source != SOURCE
            dirty = self._apply(customer, found, summary, status, as_of)
            if dirty:
                updated.append(customer)
            if found.customers:
                summaries.append(self._summary(customer, found, summary, status))
            else:
                gone.append(customer.pk)
            names = [name for name in FIELDS if getattr(customer, name) != before[name]]
            if names or first:
                changed[customer.pk] = names
            cause = self._cause(customer, found, before, causes, first=customer.pk not in with_history)
            if cause is not None:
                points.append(MrrPoint(customer=customer, at=self.now, mrr=customer.mrr, cause=cause))
            activities += self._activities(customer, before, names, first=first, cause=cause)
        Customer.objects.bulk_update(updated, [*WRITTEN], batch_size=1000)
        self._save_summaries(summaries, gone)
        MrrPoint.objects.bulk_create(points)
        Activity.objects.bulk_create(activities)
        return changed

    # --- reading -------------------------------------------------------------------------------------------------

    def _attached(self, customer_ids: list[int]) -> dict[int, Attached]:
        """What is attached to each customer; those with nothing are left out."""
        found: dict[int, Attached] = defaultdict(Attached)
        owner: dict[str, int] = {}
        rows = StripeCustomer.objects.filter(
            connection=self.connection, customer_id__in=customer_ids, match_state=MatchState.MATCHED
        ).values_list("customer_id", "stripe_id", "created", "standing", "winner", "ambiguous_kind")
        for customer_id, stripe_id, created, standing, winner, ambiguous_kind in rows:
            if customer_id is None:
                continue
            owner[stripe_id] = customer_id
            attached = found[customer_id]
            attached.customers.append(AttachedCustomer(stripe_id, created, standing == Standing.LIVE, winner))
            attached.undecided = attached.undecided or bool(ambiguous_kind)
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
        return set(MrrPoint.objects.filter(customer_id__in=customer_ids).values_list("customer_id", flat=True).distinct())

    # --- writing -------------------------------------------------------------------------------------------------

    def _apply(
        self, customer: Customer, found: Attached, summary: Summary, status: PaymentStatus, as_of: datetime | None
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
        if as_of is not None:
            values["billing_as_of"] = as_of
        dirty = any(getattr(customer, name) != value for name, value in values.items())
        for name, value in values.items():
            setattr(customer, name, value)
        return dirty

    def _summary(
        self, customer: Customer, found: Attached, summary: Summary, status: PaymentStatus
    ) -> BillingSummary:
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
            mrr_exact=sum((each.mrr for each in found.subscriptions), Decimal(0)),
            primary_subscription=summary.primary_subscription,
            live_subscriptions=summary.live_subscriptions,
            computed_at=self.now,
        )

    def _save_summaries(self, summaries: list[BillingSummary], gone: list[int]) -> None:
        """Write the summaries that say something new; ``computed_at`` alone is no news."""
        known = BillingSummary.objects.in_bulk([summary.customer_id for summary in summaries])
        names = [
            each.attname for each in BillingSummary._meta.concrete_fields if each.name not in ("customer", "computed_at")
        ]
        news = []
        for summary in summaries:
            old = known.get(summary.customer_id)
            if old is None or any(getattr(old, name) != getattr(summary, name) for name in names):
                news.append(summary)
        BillingSummary.objects.bulk_create(
            news,
            update_conflicts=True,
            unique_fields=["customer"],
            update_fields=["connection", *[n for n in names if n != "connection_id"], "computed_at"],
            batch_size=1000,
        )
        BillingSummary.objects.filter(customer_id__in=gone).delete()

    def _cause(
        self,
        customer: Customer,
        found: Attached,
        before: Mapping[str, Any],
        changes: Mapping[str, Change],
        *,
        first: bool,
    ) -> str | None:
        """Why the MRR moved; None when it did not."""
        if first:
            return MrrPoint.Cause.FIRST_SYNC if found.customers else None
        if customer.mrr == before["mrr"]:
            return None
        if self.decided:
            return MrrPoint.Cause.DECISION
        return cause_of([changes[each.stripe_id] for each in found.subscriptions if each.stripe_id in changes])

    def _activities(
        self, customer: Customer, before: Mapping[str, Any], names: list[str], *, first: bool, cause: str | None
    ) -> list[Activity]:
        """History entries: one for the first time, later one per field; a rate alone is no entry."""

        def entry(event: str, name: str = "", old: Any = "", new: Any = "") -> Activity:
            return Activity(
                customer=customer,
                at=self.now,
                actor_type=Activity.ActorType.INTEGRATION,
                event_type=event,
                field=name,
                old=as_text(old),
                new=as_text(new),
                origin=self.origin,
            )

        if first:
            return [entry("billing.attached", new=customer.stripe_customer_id)]
        if not customer.billing_source:
            return [entry("billing.detached", old=before["stripe_customer_id"])]
        kept = [name for name in names if not (name == "mrr" and cause == MrrPoint.Cause.EXCHANGE_RATE)]
        return [entry("customer.field_changed", name, before[name], getattr(customer, name)) for name in kept]


def as_text(value: Any) -> str:
    """A field's value as history keeps it: ISO 8601 times, empty for nothing."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)

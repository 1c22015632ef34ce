"""What is attached to Pivotal customers, read from the mirror for a roll-up (docs/rules.md section 3)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import msgspec
from django.db.models import F, TextField
from django.db.models.functions import Cast

from integrations.models import (
    Standing,
    StripeConnection,
    StripeInvoice,
    StripeInvoicePayment,
    StripePaymentIntent,
)
from integrations.stripe.api.objects import Invoice, InvoicePayment, InvoicePayments
from integrations.stripe.rules.payment_status import LiveSubscription
from integrations.stripe.rules.problems import NAMES_ONLY
from integrations.stripe.rules.subscriptions import ends_at, is_live
from integrations.stripe.rules.summary import AttachedCustomer, AttachedSubscription
from integrations.stripe.sync.binding import reading_cursor
from integrations.stripe.sync.contributions import decode_subscription
from integrations.stripe.sync.match import WINNER_ENDED
from integrations.stripe.sync.scope_sql import Scope

CUSTOMERS = """
SELECT sc.customer_id, sc.stripe_id, sc.created, sc.standing, sc.winner, sc.ambiguous_kind, sc.match_reason,
       sc.observed_at
FROM integrations_stripecustomer sc JOIN customers_customer c ON c.id = sc.customer_id
WHERE sc.connection_id = %(connection)s AND sc.match_state = 'matched' AND c.environment = %(environment)s
  AND sc.customer_id = ANY(ARRAY(SELECT jsonb_array_elements_text(%(customers)s::jsonb)::bigint))
"""

SUBSCRIPTIONS = """
SELECT s.stripe_id, s.customer_id, s.status, s.start_date, s.mrr, s.plan, s.plan_label, s.problems, s.next_change_at,
       s.data->>'collection_method',
       CASE WHEN s.data->>'cancel_at' IS NOT NULL OR s.data->>'cancel_at_period_end' = 'true' THEN s.data::text END
FROM integrations_stripesubscription s
WHERE s.connection_id = %(connection)s
  AND s.customer_id = ANY(ARRAY(SELECT jsonb_array_elements_text(%(stripe_ids)s::jsonb))) AND {scope}
"""


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


class AttachedReader:
    """Reads what is attached in a number of queries that does not grow with the customers."""

    def __init__(self, connection: StripeConnection, scope: Scope) -> None:
        self.connection = connection
        self.scope = scope

    def read(self, customer_ids: list[int], look: Look | None) -> dict[int, Attached]:
        """What is attached to each customer, or waits there for a decision; those with neither are left out."""
        found: dict[int, Attached] = defaultdict(Attached)
        owner: dict[str, int] = {}
        with reading_cursor() as cursor:
            values = {"connection": self.connection.pk, "environment": self.connection.environment}
            cursor.execute(CUSTOMERS, {**values, "customers": json.dumps(customer_ids)})
            rows = cursor.fetchall()
        for number, stripe_id, created, standing, winner, kind, reason, observed_at in rows:
            attached = found[number]
            attached.undecided = attached.undecided or bool(kind)
            if reason == WINNER_ENDED:
                continue
            owner[stripe_id] = number
            attached.customers.append(AttachedCustomer(stripe_id, created, standing == Standing.LIVE, winner))
            covered = look.began if look is not None and look.covers(stripe_id) else observed_at
            attached.covered_at = min(attached.covered_at or covered, covered)
        if owner:
            self._add_subscriptions(found, owner)
        return found

    def _add_subscriptions(self, found: dict[int, Attached], owner: Mapping[str, int]) -> None:
        with reading_cursor() as cursor:
            cursor.execute(
                SUBSCRIPTIONS.format(scope=self.scope.sql),
                {"connection": self.connection.pk, "stripe_ids": json.dumps(list(owner)), **self.scope.parameters},
            )
            for row in cursor.fetchall():
                stripe_id, customer, status, start, mrr, plan, label, problems, next_change_at, collection, ending = row
                attached = found[owner[customer]]
                problems = [each for each in problems if each.partition(" ")[0] not in NAMES_ONLY]
                ends = ends_at(decode_subscription(ending)) if ending is not None else None
                attached.subscriptions.append(
                    AttachedSubscription(
                        stripe_id, customer, status, start, mrr, plan, label, incomplete=bool(problems), ends_at=ends
                    )
                )
                attached.problems += problems
                if next_change_at is not None:
                    attached.changes.append(next_change_at)
                if is_live(status):
                    attached.live.append(LiveSubscription(status, collection))

    def add_invoices(self, attached: Mapping[int, Attached]) -> dict[str, str]:
        """Give each customer the invoices that speak for it; returns the status of the payment intents behind them."""
        owner = {stripe_id: found for found in attached.values() for stripe_id in found.speaking}
        if not owner:
            return {}
        rows = (
            StripeInvoice.objects.filter(connection=self.connection, customer_id__any=owner.keys())
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
        intents = StripePaymentIntent.objects.filter(connection=self.connection, stripe_id__any=wanted)
        return dict(intents.values_list("stripe_id", "status")) if wanted else {}

    def _payments(self, invoice_ids: list[str]) -> dict[str, list[InvoicePayment]]:
        payments: dict[str, list[InvoicePayment]] = defaultdict(list)
        rows = StripeInvoicePayment.objects.filter(connection=self.connection, invoice_id__any=set(invoice_ids))
        for invoice_id, data in rows.values_list("invoice_id", "data"):
            payments[invoice_id].append(msgspec.convert(data, InvoicePayment, strict=False))
        return payments

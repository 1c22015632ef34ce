"""MRR and receipt of every subscription, from the mirror (docs/rules.md section 4).

Works on sets of Stripe customers, in scope or not, so that lists can say what is at stake. A contribution is a pure
function of what it is computed from, so one whose ``computed_from`` still says the same is left as it is, until its
``next_change_at`` has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.db import connection as database
from django.db.models import F, TextField
from django.db.models.functions import Cast

from integrations.models import StripeConnection, StripeCustomer, StripeSubscription
from integrations.stripe.api.objects import Customer, Discount, Subscription
from integrations.stripe.rules.money import Rates
from integrations.stripe.rules.mrr import Contribution, contribution
from integrations.stripe.rules.plan import Plan, plan
from integrations.stripe.sync.catalog import CatalogCache, References
from integrations.stripe.sync.computed_from import fingerprint

UPDATE = """
UPDATE integrations_stripesubscription AS t
SET mrr = r.mrr, receipt = r.receipt, problems = r.problems, plan = r.plan, plan_label = r.plan_label,
    next_change_at = r.next_change_at, computed_from = r.computed_from
FROM json_to_recordset(%s::json) AS r(
    stripe_id text, mrr numeric, receipt jsonb, problems text[], plan text, plan_label text, next_change_at timestamptz,
    computed_from text
)
WHERE t.connection_id = %s AND t.stripe_id = r.stripe_id
"""

decode_subscription = msgspec.json.Decoder(Subscription, strict=False).decode
decode_any = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Change:
    """A subscription whose receipt is not what it was; ``before`` is None for one never computed."""

    stripe_id: str
    before: dict[str, Any] | None
    after: dict[str, Any]

    @property
    def difference(self) -> Decimal:
        """What the contribution moved by, USD a month."""
        return Decimal(self.after["contribution"]) - Decimal(self.before["contribution"] if self.before else 0)


class Contributions:
    """Computes with one ``now`` and one set of rates; the catalog is read once per id."""

    def __init__(self, connection: StripeConnection, *, rates: Rates, now: datetime) -> None:
        self.connection = connection
        self.rates = rates
        self.now = now
        self.catalog = CatalogCache(connection)

    def compute(self, stripe_customer_ids: Iterable[str]) -> list[Change]:
        """Bring the subscriptions of these Stripe customers up to date; returns those whose receipt moved."""
        ids = sorted(stripe_customer_ids)
        stored = list(
            StripeSubscription.objects.filter(connection=self.connection, customer_id__any=ids)
            .annotate(text=Cast(F("data"), TextField()), receipt_text=Cast(F("receipt"), TextField()))
            .values_list("text", "computed_from", "next_change_at", "receipt_text")
        )
        subscriptions = [decode_subscription(text) for text, *_stored in stored]
        discounts = self._customer_discounts(ids)
        references = [References.of(each, discounts.get(each.customer_id)) for each in subscriptions]
        catalog = self.catalog.load(references)
        rows, changes = [], []
        for subscription, refers, (text, before_from, next_change_at, receipt_text) in zip(
            subscriptions, references, stored, strict=True
        ):
            discount = discounts.get(subscription.customer_id)
            computed_from = fingerprint(
                text,
                discount,
                self.catalog.said(refers),
                catalog.has_all_products,
                self.rates.get(subscription.currency),
            )
            if computed_from == before_from and (next_change_at is None or next_change_at > self.now):
                continue
            found = contribution(
                subscription, customer_discount=discount, catalog=catalog, rates=self.rates, now=self.now
            )
            named = plan(subscription, prices=catalog.prices, product_names=catalog.product_names)
            row = to_row(subscription.id, found, named, computed_from)
            rows.append(row)
            before = decode_any(receipt_text) if receipt_text is not None else None
            if row["receipt"] != before:
                changes.append(Change(subscription.id, before, row["receipt"]))
        if rows:
            with database.cursor() as cursor:
                cursor.execute(UPDATE, [msgspec.json.encode(rows).decode(), self.connection.pk])
        return changes

    def _customer_discounts(self, ids: list[str]) -> dict[str, Discount]:
        """The customers' own discounts, of the few that have one."""
        rows = StripeCustomer.objects.filter(
            connection=self.connection, stripe_id__any=ids, data__discount__isnull=False
        ).values_list("stripe_id", "data")
        found = {}
        for stripe_id, data in rows:
            customer = msgspec.convert(data, Customer, strict=False)
            if customer.discount is not None:
                found[stripe_id] = customer.discount
        return found


def to_row(stripe_id: str, found: Contribution, named: Plan, computed_from: str) -> dict[str, Any]:
    """What is stored of one contribution."""
    return {
        "stripe_id": stripe_id,
        "mrr": found.amount,
        "receipt": msgspec.to_builtins(found.receipt),
        "problems": [f"{problem.code} {problem.subject}"[:300] for problem in found.problems],
        "plan": named.value,
        "plan_label": named.label,
        "next_change_at": found.next_change_at,
        "computed_from": computed_from,
    }

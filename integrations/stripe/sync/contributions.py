"""MRR and receipt of every subscription, from the mirror (docs/rules.md section 4).

Works on sets of Stripe customers, in scope or not, so that lists can say what is at stake. A contribution is a pure
function of what it is computed from, so one whose ``computed_from`` still says the same is left as it is, until its
``next_change_at`` has come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.db.models import F, TextField
from django.db.models.functions import Cast

from integrations.models import StripeConnection, StripeCustomer, StripeSubscription
from integrations.stripe.api.objects import Customer, Discount, Subscription
from integrations.stripe.rules.money import Rates
from integrations.stripe.rules.mrr import Catalog, Contribution, contribution
from integrations.stripe.rules.plan import Plan, plan
from integrations.stripe.sync import stakes
from integrations.stripe.sync.binding import binding_cursor
from integrations.stripe.sync.catalog import CatalogCache, References
from integrations.stripe.sync.computed_from import basis, fingerprint

UPDATE = """
UPDATE integrations_stripesubscription AS t
SET mrr = r.mrr, receipt = r.receipt, problems = r.problems, plan = r.plan, plan_label = r.plan_label,
    next_change_at = r.next_change_at, computed_from = r.computed_from
FROM jsonb_to_recordset(%s::jsonb) AS r(
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


@dataclass(frozen=True, slots=True)
class Stored:
    """A subscription as it is stored, and what its contribution was computed from and until when."""

    text: str
    subscription: Subscription
    computed_from: str
    next_change_at: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether the clock has changed its contribution by now."""
        return self.next_change_at is not None and self.next_change_at <= now


class Contributions:
    """Computes with one ``now`` and one set of rates; the catalog is read once per id."""

    def __init__(self, connection: StripeConnection, *, rates: Rates, now: datetime) -> None:
        self.connection = connection
        self.rates = rates
        self.now = now
        self.catalog = CatalogCache(connection)
        self._known_bases: dict[tuple[References, str, bool], str] = {}

    def compute(self, stripe_customer_ids: Iterable[str]) -> list[Change]:
        """Bring the subscriptions of these Stripe customers up to date; returns those whose receipt moved."""
        ids = sorted(stripe_customer_ids)
        discounts = self._customer_discounts(ids)
        stored = self._stored(ids)
        catalog, bases = self._bases([each.subscription for each in stored], discounts)
        rows = []
        for each, rest in zip(stored, bases, strict=True):
            computed_from = fingerprint(rest, each.text)
            if computed_from != each.computed_from or each.is_due(self.now):
                rows.append({**self._row(each.subscription, discounts, catalog), "computed_from": computed_from})
        if not rows:
            return []
        before = self._receipts([row["stripe_id"] for row in rows])
        with binding_cursor() as cursor:
            cursor.execute(UPDATE, [msgspec.json.encode(rows).decode(), self.connection.pk])
        stakes.of_stripe_ids(self.connection, ids)
        changes = [Change(row["stripe_id"], before.get(row["stripe_id"]), row["receipt"]) for row in rows]
        return [change for change in changes if change.before != change.after]

    def _stored(self, ids: list[str]) -> list[Stored]:
        rows = (
            StripeSubscription.objects.filter(connection=self.connection, customer_id__any=set(ids))
            .annotate(text=Cast(F("data"), TextField()))
            .values_list("text", "computed_from", "next_change_at")
        )
        return [Stored(text, decode_subscription(text), known, until) for text, known, until in rows]

    def rows_of(
        self, subscriptions: Sequence[Subscription], discounts: Mapping[str, Discount]
    ) -> Iterator[dict[str, Any]]:
        """What is stored of the contributions of subscriptions that are not in the mirror yet.

        ``discounts`` are the customers' own, by customer. What they were computed from beside the subscription itself
        is in ``basis``.
        """
        catalog, bases = self._bases(subscriptions, discounts)
        for subscription, rest in zip(subscriptions, bases, strict=True):
            yield {**self._row(subscription, discounts, catalog), "basis": rest}

    def _bases(
        self, subscriptions: Iterable[Subscription], discounts: Mapping[str, Discount]
    ) -> tuple[Catalog, list[str]]:
        """The catalog these subscriptions refer to, and of each what it is computed from beside itself."""
        asked = [(each, discounts.get(each.customer_id)) for each in subscriptions]
        references = [References.of(subscription, discount) for subscription, discount in asked]
        catalog = self.catalog.load(references)
        bases = []
        for (subscription, discount), refers in zip(asked, references, strict=True):
            key = (refers, subscription.currency, catalog.has_all_products)
            known = self._known_bases.get(key) if discount is None else None
            if known is None:
                rate = self.rates.get(subscription.currency)
                known = basis(discount, self.catalog.said(refers), catalog.has_all_products, rate)
            if discount is None:
                self._known_bases[key] = known  # most subscriptions refer to one of a few prices
            bases.append(known)
        return catalog, bases

    def _row(self, subscription: Subscription, discounts: Mapping[str, Discount], catalog: Catalog) -> dict[str, Any]:
        discount = discounts.get(subscription.customer_id)
        found = contribution(subscription, customer_discount=discount, catalog=catalog, rates=self.rates, now=self.now)
        named = plan(subscription, prices=catalog.prices, product_names=catalog.product_names)
        return to_row(subscription.id, found, named)

    def _receipts(self, stripe_ids: list[str]) -> dict[str, Any]:
        """The receipts that are about to be replaced, of those that have one."""
        rows = StripeSubscription.objects.filter(
            connection=self.connection, stripe_id__any=set(stripe_ids), receipt__isnull=False
        ).annotate(text=Cast(F("receipt"), TextField()))
        return {stripe_id: decode_any(text) for stripe_id, text in rows.values_list("stripe_id", "text")}

    def _customer_discounts(self, ids: list[str]) -> dict[str, Discount]:
        """The customers' own discounts, of the few that have one."""
        rows = StripeCustomer.objects.filter(
            connection=self.connection, stripe_id__any=set(ids), data__discount__isnull=False
        ).values_list("stripe_id", "data")
        found = {}
        for stripe_id, data in rows:
            customer = msgspec.convert(data, Customer, strict=False)
            if customer.discount is not None:
                found[stripe_id] = customer.discount
        return found


def to_row(stripe_id: str, found: Contribution, named: Plan) -> dict[str, Any]:
    """What is stored of one contribution."""
    return {
        "stripe_id": stripe_id,
        "mrr": found.amount,
        "receipt": msgspec.to_builtins(found.receipt),
        "problems": [f"{problem.code} {problem.subject}"[:300] for problem in found.problems],
        "plan": named.value,
        "plan_label": named.label,
        "next_change_at": found.next_change_at,
    }

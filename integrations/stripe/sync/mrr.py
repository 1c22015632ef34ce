"""How MRR adds up: every live subscription of the account in exactly one place (docs/architecture.md section 7).

matched + unmatched + skipped by reason + could not be read + outside scope = all. Beside it the same sum by status and
by currency, what Stripe's own figure treats differently, and why the customer list comes to other cents. Sums are
exact; whoever shows them rounds each once and says what that makes of the total (:func:`rounding`). A constant number
of queries over the mirror.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from django.db import connection as database
from django.db.models import Count, Q, Sum, Value
from django.db.models.functions import Coalesce

from customers.models import Status
from integrations.models import BillingSummary, StripeConnection
from integrations.stripe.rules.money import ONE, exact, to_cents
from integrations.stripe.rules.subscriptions import COUNTING_STATUSES
from integrations.stripe.sync.counts import JUDGED, SAVED
from integrations.stripe.sync.kept import kept
from integrations.stripe.sync.mrr_groups import (
    EXCHANGE_RATES,
    GROUPS,
    REPEATING_DISCOUNTS,
    SET_TO_CANCEL,
    listed,
    live,
    taken_off,
)
from integrations.stripe.sync.scope_sql import Scope

ZERO = Decimal(0)
KEPT_AS = "mrr"
"""What these figures are kept as."""

MATCHED, UNMATCHED, SKIPPED = "matched", "unmatched", "skipped"
FAILED = "failed"
"""Stripe customers with an open error: not read completely, counted nowhere else."""
UNPLACED = "unplaced"
"""Read and not matched yet, or without a record of their Stripe customer."""
OUTSIDE_SCOPE = "outside_scope"
PLACES = (MATCHED, UNMATCHED, SKIPPED, FAILED, UNPLACED, OUTSIDE_SCOPE)


@dataclass(frozen=True, slots=True)
class Figures:
    """How many, and what they come to in US dollars a month, exactly."""

    stripe_customers: int
    subscriptions: int
    mrr: Decimal


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part of the MRR is: one of PLACES, for skipped ones with the reason."""

    group: str
    reason: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The live subscriptions of one status."""

    status: str
    subscriptions: int
    mrr: Decimal


@dataclass(frozen=True, slots=True)
class UsedRate:
    """A rate that receipts were converted with: US dollars per unit, of which day, and who says so."""

    usd_per_unit: Decimal
    date: datetime.date
    source: str


@dataclass(frozen=True, slots=True)
class CurrencyLine:
    """The live subscriptions of one currency. ``without_rate`` of them count 0 until there is a rate.

    ``rates`` are those in the receipts: one, or two for a moment while a new set is being followed.
    """

    currency: str
    subscriptions: int
    mrr: Decimal
    without_rate: int
    rates: Sequence[UsedRate]

    @property
    def monthly(self) -> Decimal | None:
        """The sum in the currency itself; None where no single rate turned it into dollars."""
        if len(self.rates) != 1 or self.without_rate:
            return None
        with exact():
            return self.mrr / self.rates[0].usd_per_unit


@dataclass(frozen=True, slots=True)
class Difference:
    """What Stripe's own figure treats differently: ``amount`` is what to add to ours, None where nobody can know."""

    group: str
    subscriptions: int
    mrr: Decimal
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class CustomerList:
    """What the customers of this connection come to, each rounded for itself, and how that follows from ``matched``.

    matched - waiting + failed + rounding = mrr. ``waiting`` is on Stripe customers that lost to one whose billing has
    ended; ``failed`` on ones that could not be read completely. ``ended`` customers have a plan of the past and $0;
    ``churned`` is on customers that the list hides at first.
    """

    customers: int
    mrr: Decimal
    rounding: Decimal
    waiting: Decimal
    failed: Decimal
    ended: int
    churned: Decimal
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What the mirror alone says of the whole account.

    ``in_two_places`` Stripe customers have subscriptions in and outside the scope; ``waiting`` and ``failed`` are on
    matched ones that are on no customer of ours.
    """

    places: Sequence[Place]
    customers: int
    in_two_places: int
    statuses: Sequence[StatusLine]
    currencies: Sequence[CurrencyLine]
    differences: Sequence[Difference]
    waiting: Decimal
    failed: Decimal

    @property
    def all(self) -> Figures:
        """Everything, from the places."""
        return total(place.figures for place in self.places)

    def at(self, group: str) -> Figures:
        """What is at one place, whatever the reasons."""
        return total(place.figures for place in self.places if place.group == group)

    @property
    def expected(self) -> Decimal:
        """What Stripe's own figure should show about, by the differences that are known."""
        known = (each.amount for each in self.differences if each.amount is not None)
        return sum(known, self.all.mrr)

    @property
    def without_rate(self) -> Sequence[CurrencyLine]:
        """The currencies that count 0 for lack of a rate."""
        return [line for line in self.currencies if line.without_rate]


@dataclass(frozen=True, slots=True)
class AddsUp(Mirrored):
    """The same, and the customer list beside it."""

    customer_list: CustomerList


def total(figures: Iterable[Figures]) -> Figures:
    """Figures added up."""
    parts = list(figures)
    return Figures(
        sum(each.stripe_customers for each in parts),
        sum(each.subscriptions for each in parts),
        sum((each.mrr for each in parts), ZERO),
    )


def rounding(parts: Iterable[Decimal]) -> Decimal:
    """What to add to parts that were each rounded to cents, so that they come to their total, rounded once."""
    exact_parts = list(parts)
    return to_cents(sum(exact_parts, ZERO)) - sum((to_cents(part) for part in exact_parts), ZERO)


# A Stripe customer with subscriptions in and outside the scope is counted where its live ones in scope are, so that the
# column of Stripe customers adds up.
PLACED = """
SELECT CASE WHEN failed THEN 'failed' WHEN counted AND match_state <> '' THEN match_state ELSE 'unplaced' END,
       CASE WHEN match_state = 'skipped' AND NOT failed THEN match_reason ELSE '' END,
       count(*), sum(live), sum(mrr),
       count(DISTINCT customer_id) FILTER (WHERE match_state = 'matched' AND NOT failed),
       coalesce(sum(mrr) FILTER (WHERE match_reason = 'winner_ended' AND NOT failed), 0),
       coalesce(sum(mrr) FILTER (WHERE match_state = 'matched' AND match_reason <> 'winner_ended' AND failed), 0)
FROM judged WHERE counted OR live > 0 OR failed AND unread GROUP BY 1, 2
"""

OUTSIDE = """
WITH subscribers AS (
    SELECT count(*) FILTER (WHERE {scope}) AS inside, count(*) FILTER (WHERE NOT {scope}) AS outside,
           coalesce(sum(s.mrr) FILTER (WHERE NOT {scope}), 0) AS mrr
    FROM integrations_stripesubscription s
    WHERE s.connection_id = %(connection)s AND s.live
    GROUP BY s.customer_id
)
SELECT count(*) FILTER (WHERE inside = 0), coalesce(sum(outside), 0), coalesce(sum(mrr), 0),
       count(*) FILTER (WHERE inside > 0)
FROM subscribers WHERE outside > 0
"""

CURRENCIES = """
SELECT s.currency, count(*), sum(s.mrr), count(*) FILTER (WHERE 'no_exchange_rate ' || s.currency = ANY(s.problems))
FROM integrations_stripesubscription s
WHERE s.connection_id = %(connection)s AND s.live
GROUP BY s.currency ORDER BY sum(s.mrr) DESC, count(*) DESC, s.currency
"""

RATES = """
SELECT DISTINCT s.currency, (line->>'rate')::numeric, (line->>'rate_date')::date, line->>'rate_source'
FROM integrations_stripesubscription s, jsonb_array_elements(s.receipt->'lines') AS line
WHERE s.connection_id = %(connection)s AND s.live AND s.currency <> 'usd'
  AND line->>'kind' = 'rate' AND line->>'rate' IS NOT NULL
ORDER BY 1, 3 DESC
"""


def adds_up(connection: StripeConnection, *, may_be_kept: bool = False) -> AddsUp:
    """Add the whole account up, in nine queries; pages take what is kept of the mirror, and then it is two.

    Our customers are asked every time: people change them without a word to the mirror.
    """
    found = kept(connection, KEPT_AS, mirrored, Mirrored) if may_be_kept else mirrored(connection)
    matched = sum((each.figures.mrr for each in found.places if each.group == MATCHED), ZERO)
    listed_beside = _customer_list(connection, matched=matched, waiting=found.waiting, failed=found.failed)
    return AddsUp(**{each.name: getattr(found, each.name) for each in fields(found)}, customer_list=listed_beside)


def mirrored(connection: StripeConnection) -> Mirrored:
    """Add up today's mirror, every subscription of it."""
    scope = Scope.of(connection)
    values = {"connection": connection.pk, **scope.parameters}
    judged = _rows(SAVED + JUDGED.format(scope=scope.sql) + PLACED, values)
    [outside] = _rows(OUTSIDE.format(scope=scope.sql), values)
    places = [Place(row[0], row[1], Figures(row[2], int(row[3]), row[4])) for row in judged]
    places.append(Place(OUTSIDE_SCOPE, "", Figures(outside[0], int(outside[1]), outside[2])))
    places.sort(key=lambda each: (PLACES.index(each.group), -each.figures.mrr, each.reason))
    return Mirrored(
        places=places,
        customers=sum(row[5] for row in judged),
        in_two_places=outside[3],
        statuses=_statuses(connection),
        currencies=_currencies(values),
        differences=_differences(connection),
        waiting=sum((row[6] for row in judged), ZERO),
        failed=sum((row[7] for row in judged), ZERO),
    )


def _rows(sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def _statuses(connection: StripeConnection) -> list[StatusLine]:
    """The counting statuses first, the others by how many there are."""
    rows = live(connection).order_by().values_list("status").annotate(number=Count("pk"), mrr=Sum("mrr"))
    lines = [StatusLine(*row) for row in rows]
    return sorted(lines, key=lambda each: (each.status not in COUNTING_STATUSES, -each.subscriptions, each.status))


def _currencies(values: Mapping[str, Any]) -> list[CurrencyLine]:
    rates: dict[str, list[UsedRate]] = {"usd": [UsedRate(ONE, datetime.date.min, "usd")]}
    for currency, usd, date, source in _rows(RATES, values):
        rates.setdefault(currency, []).append(UsedRate(usd, date, source))
    return [
        CurrencyLine(currency, number, mrr, without_rate, rates.get(currency, []))
        for currency, number, mrr, without_rate in _rows(CURRENCIES, values)
    ]


def _differences(connection: StripeConnection) -> list[Difference]:
    """What is treated differently, each subscription in the first group that says all there is to say about it."""
    sums: dict[str, Any] = {}
    for name, condition in GROUPS.items():
        sums[f"{name}_number"] = Count("pk", filter=condition)
        sums[f"{name}_mrr"] = Coalesce(Sum("mrr", filter=condition), Value(ZERO))
    found = live(connection).aggregate(**sums)
    amounts = {
        SET_TO_CANCEL: -found[f"{SET_TO_CANCEL}_mrr"],
        REPEATING_DISCOUNTS: -taken_off(listed(connection, REPEATING_DISCOUNTS)),
    }
    return [
        Difference(name, found[f"{name}_number"], found[f"{name}_mrr"], amounts.get(name))
        for name in GROUPS
        if name in amounts or name == EXCHANGE_RATES or found[f"{name}_number"]
    ]


def _customer_list(
    connection: StripeConnection, *, matched: Decimal, waiting: Decimal, failed: Decimal
) -> CustomerList:
    found = BillingSummary.objects.filter(connection=connection).aggregate(
        customers=Count("pk"),
        mrr=Coalesce(Sum("customer__mrr"), Value(ZERO)),
        exact=Coalesce(Sum("mrr_exact"), Value(ZERO)),
        ended=Count("pk", filter=Q(live_subscriptions=0)),
        churned=Coalesce(Sum("customer__mrr", filter=Q(customer__status=Status.CHURNED)), Value(ZERO)),
    )
    return CustomerList(
        customers=found["customers"],
        mrr=found["mrr"],
        rounding=found["mrr"] - found["exact"],
        waiting=waiting,
        failed=failed,
        ended=found["ended"],
        churned=found["churned"],
        is_settled=found["exact"] == matched - waiting + failed,
    )

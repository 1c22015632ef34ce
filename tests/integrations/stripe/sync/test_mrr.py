"""How MRR adds up: everything is somewhere, once, and every cut of it comes to the same sum."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum
from pytest_django import DjangoAssertNumQueries

from customers.models import Status
from integrations.models import (
    DecisionKind,
    ExchangeRate,
    MemberEffect,
    RateSource,
    ScopeFilter,
    Severity,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
    SyncIssue,
)
from integrations.stripe.sync import counts, mrr, mrr_groups
from integrations.stripe.sync.mrr import Figures, adds_up
from tests.factories import (
    AdminRateFactory,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
    decide,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db

RATES_DAY = datetime.date(2026, 10, 30)


@pytest.fixture
def live() -> StripeConnection:
    connection = StripeConnectionFactory()
    for currency, units in (("usd", "1.2"), ("gbp", "0.8")):
        ExchangeRate.objects.create(
            source=RateSource.ECB, date=RATES_DAY, currency=currency, units_per_euro=Decimal(units)
        )
    return connection


def subscriber(live: StripeConnection, email: str, *, amount: int = 10_000, **fields: Any) -> StripeCustomer:
    row = StripeCustomerFactory(connection=live, email=email)
    StripeSubscriptionFactory(owner=row, amount=amount, **fields)
    return row


def fail(live: StripeConnection, object_type: str, object_id: str, *, customer: str = "") -> None:
    SyncIssue.objects.create(
        connection=live,
        code="invalid_response",
        severity=Severity.ERROR,
        object_type=object_type,
        object_id=object_id,
        stripe_customer_id=customer,
    )


def discount(duration: str, percent: int) -> dict[str, Any]:
    """A percentage off, as a subscription carries it."""
    coupon = {"id": f"{duration}{percent}", "duration": duration, "percent_off": percent, "applies_to": None}
    return {"id": f"di_{duration}{percent}", "end": None, "source": {"type": "coupon", "coupon": coupon}}


def some_of_everything(live: StripeConnection) -> None:
    """Every place, status and currency, with amounts that are powers of two, so that no sum can come from another."""
    CustomerFactory(domain="acme.com")
    ScopeFilter.objects.create(connection=live, kind="product", value="prod_growth")
    both = subscriber(live, "a@acme.com", amount=100)
    StripeSubscriptionFactory(owner=both, amount=200, product="prod_other")
    subscriber(live, "b@acme.com", amount=400, status="past_due")
    subscriber(live, "c@nobody.com", amount=800, currency="gbp")
    subscriber(live, "jane@gmail.com", amount=1_600)
    subscriber(live, "", amount=3_200)
    broken = subscriber(live, "d@acme.com", amount=6_400)
    fail(live, "invoice", "in_1", customer=broken.stripe_id)
    subscriber(live, "e@nobody.com", amount=12_800, product="prod_other")
    lost = subscriber(live, "f@nobody.com", amount=25_600)
    subscriber(live, "g@acme.com", amount=51_200, status="trialing")
    subscriber(live, "h@acme.com", amount=102_400, status="canceled")
    subscriber(live, "i@nobody.com", amount=204_800, currency="ngn")
    derive_all(live)
    StripeCustomer.objects.filter(pk=lost.pk).delete()


def test_every_live_subscription_is_in_one_place(live: StripeConnection) -> None:
    some_of_everything(live)

    found = adds_up(live)

    assert {(place.group, place.reason): place.figures for place in found.places} == {
        ("matched", ""): Figures(3, 3, Decimal(5)),
        ("unmatched", ""): Figures(2, 2, Decimal(12)),
        ("skipped", "personal_email"): Figures(1, 1, Decimal(16)),
        ("skipped", "no_email"): Figures(1, 1, Decimal(32)),
        ("failed", ""): Figures(1, 1, Decimal(64)),
        ("unplaced", ""): Figures(1, 1, Decimal(256)),
        ("outside_scope", ""): Figures(1, 2, Decimal(130)),
    }
    assert (found.customers, found.in_two_places) == (1, 1)
    stored = StripeSubscription.objects.filter(live=True)
    assert found.all == Figures(10, stored.count(), stored.aggregate(Sum("mrr"))["mrr__sum"])


def test_the_places_are_those_of_the_integration_page(live: StripeConnection) -> None:
    some_of_everything(live)
    StripeSubscription.objects.filter(customer_id__in=unplaced_customers(live)).delete()

    found, counted = adds_up(live), counts.count(live)

    assert found.at(mrr.MATCHED).mrr == counted.matched_mrr
    assert found.at(mrr.UNMATCHED).mrr == counted.unmatched_mrr
    assert found.at(mrr.SKIPPED).mrr == counted.skipped_mrr
    in_scope = [found.at(group) for group in (mrr.MATCHED, mrr.UNMATCHED, mrr.SKIPPED, mrr.FAILED)]
    assert [each.stripe_customers for each in in_scope] == [
        counted.matched,
        counted.unmatched,
        counted.skipped,
        counted.failed,
    ]
    assert sum(each.subscriptions for each in in_scope) == counted.subscriptions


def unplaced_customers(live: StripeConnection) -> list[str]:
    return list(mrr_groups.unplaced(live).values_list("customer_id", flat=True))


def test_what_could_not_be_read_at_all_counts_as_a_customer_without_a_figure(live: StripeConnection) -> None:
    fail(live, "subscription", "sub_x", customer="cus_x")

    assert adds_up(live).at(mrr.FAILED) == Figures(1, 0, Decimal(0))


def test_by_status_and_by_currency_is_the_same_sum(live: StripeConnection) -> None:
    some_of_everything(live)

    found = adds_up(live)

    assert [(each.status, each.subscriptions, each.mrr) for each in found.statuses] == [
        ("active", 9, Decimal(511)),
        ("past_due", 1, Decimal(4)),
        ("trialing", 1, Decimal(0)),
    ]
    assert [(each.currency, each.subscriptions, each.mrr, each.without_rate) for each in found.currencies] == [
        ("usd", 9, Decimal(503), 0),
        ("gbp", 1, Decimal(12), 0),
        ("ngn", 1, Decimal(0), 1),
    ]
    assert found.all.mrr == Decimal(515)
    assert [line.currency for line in found.without_rate] == ["ngn"]


def test_a_currency_says_what_it_was_converted_with(live: StripeConnection) -> None:
    AdminRateFactory(currency="ngn", date=RATES_DAY, usd_per_unit=Decimal("0.001"))
    some_of_everything(live)

    by_code = {each.currency: each for each in adds_up(live).currencies}

    assert [(rate.usd_per_unit, rate.source) for rate in by_code["gbp"].rates] == [(Decimal("1.5"), "ecb")]
    assert [(rate.usd_per_unit, rate.source) for rate in by_code["ngn"].rates] == [(Decimal("0.001"), "admin")]
    assert [by_code[code].monthly for code in ("usd", "gbp", "ngn")] == [Decimal(503), Decimal(8), Decimal(2048)]


def test_an_empty_account_adds_up_to_nothing(live: StripeConnection) -> None:
    found = adds_up(live)

    assert found.all == Figures(0, 0, Decimal(0))
    assert (found.expected, found.customer_list.mrr, found.customer_list.is_settled) == (0, 0, True)


# --- beside Stripe's own figure --------------------------------------------------------------------------------------

TEN_UNTIL_LATER = discount("repeating", 10)


@pytest.mark.parametrize(
    ("extra", "fields", "groups", "expected"),
    [
        ({}, {}, {}, 100),
        ({"cancel_at_period_end": True}, {}, {"set_to_cancel": (1, -100)}, 0),
        ({"cancel_at": 1_900_000_000}, {}, {"set_to_cancel": (1, -100)}, 0),
        ({"cancel_at_period_end": False, "cancel_at": None}, {}, {}, 100),
        ({"discounts": [TEN_UNTIL_LATER]}, {}, {"repeating_discounts": (1, 10)}, 100),
        ({"discounts": [TEN_UNTIL_LATER | {"end": 1_000_000_000}]}, {}, {}, 100),
        ({"discounts": [discount("forever", 10)]}, {}, {}, 90),
        ({"discounts": [discount("once", 10)]}, {}, {}, 100),
        ({"discounts": [TEN_UNTIL_LATER], "cancel_at_period_end": True}, {}, {"set_to_cancel": (1, -90)}, 0),
        ({"cancel_at_period_end": True}, {"status": "trialing"}, {}, 0),
        ({"discounts": [TEN_UNTIL_LATER]}, {"status": "trialing"}, {}, 0),
        ({"pause_collection": {"behavior": "void"}}, {}, {"collection_paused": (1, None)}, 100),
        ({"pause_collection": None}, {}, {}, 100),
        ({}, {"currency": "gbp"}, {"exchange_rates": (1, None)}, 150),
        ({}, {"currency": "ngn"}, {"incomplete": (1, None)}, 0),
        ({"discounts": ["di_unknown"]}, {}, {"incomplete": (1, None)}, 0),
    ],
)
def test_what_stripe_treats_differently(
    live: StripeConnection,
    extra: dict[str, Any],
    fields: dict[str, Any],
    groups: dict[str, tuple[int, int | None]],
    expected: int,
) -> None:
    subscriber(live, "a@acme.com", extra=extra, **fields)
    derive_all(live)

    found = adds_up(live)

    told = {each.group: (each.subscriptions, each.amount) for each in found.differences if each.subscriptions}
    assert told == groups
    assert found.expected == expected


def test_each_list_holds_what_its_line_counts(live: StripeConnection) -> None:
    for extra in (
        {"cancel_at_period_end": True},
        {"discounts": [TEN_UNTIL_LATER]},
        {"discounts": [discount("forever", 20), discount("repeating", 50)]},
        {"pause_collection": {"behavior": "void"}},
        {"discounts": ["di_unknown"]},
    ):
        subscriber(live, "a@acme.com", extra=extra)
    subscriber(live, "a@acme.com", currency="gbp")
    derive_all(live)

    found = adds_up(live)

    for each in found.differences:
        rows = mrr_groups.listed(live, each.group)
        assert (len(rows), sum(row.mrr for row in rows)) == (each.subscriptions, each.mrr), each.group
    amounts = {each.group: each.amount for each in found.differences}
    assert amounts["repeating_discounts"] == 10 + 40


def test_the_lists_of_places_hold_what_their_lines_count(live: StripeConnection) -> None:
    some_of_everything(live)
    found = adds_up(live)

    for group, rows in (
        (mrr.OUTSIDE_SCOPE, mrr_groups.outside_scope(live)),
        (mrr.UNPLACED, mrr_groups.unplaced(live)),
    ):
        figures = found.at(group)
        assert (rows.count(), sum(row.mrr for row in rows)) == (figures.subscriptions, figures.mrr), group


def test_without_a_scope_nothing_is_outside_it(live: StripeConnection) -> None:
    subscriber(live, "a@acme.com")

    assert not mrr_groups.outside_scope(live).exists()


# --- beside the customer list ----------------------------------------------------------------------------------------


def test_the_customer_list_rounds_each_customer_and_says_what_that_makes(live: StripeConnection) -> None:
    for number in range(3):
        CustomerFactory(domain=f"thirds{number}.com")
        subscriber(live, f"a@thirds{number}.com", amount=10_000, price={"recurring": {"interval": "year"}})
    derive_all(live)

    found = adds_up(live)

    assert found.all.mrr == Decimal("24.999999999999")
    assert (found.customer_list.customers, found.customer_list.mrr) == (3, Decimal("24.99"))
    assert found.customer_list.rounding == Decimal("-0.009999999999")
    assert found.customer_list.is_settled


def test_every_cent_between_matched_and_the_customer_list_is_named(live: StripeConnection) -> None:
    acme = CustomerFactory(domain="acme.com")
    CustomerFactory(domain="gone.com", status=Status.CHURNED)
    CustomerFactory(domain="ended.com")
    winner, loser = subscriber(live, "a@acme.com", amount=100), subscriber(live, "b@acme.com", amount=200)
    broken = subscriber(live, "c@acme.com", amount=400)
    subscriber(live, "a@gone.com", amount=800)
    subscriber(live, "a@ended.com", amount=1_600, status="canceled")
    fail(live, "invoice", "in_1", customer=broken.stripe_id)
    decide(DecisionKind.WINNER, {winner: MemberEffect.WINS, loser: MemberEffect.LOSES}, on=[acme])
    ended = StripeSubscription.objects.get(customer_id=winner.stripe_id)
    ended.status, ended.live, ended.data = "canceled", False, {**ended.data, "status": "canceled"}
    ended.save()
    derive_all(live)

    found = adds_up(live)

    told = found.customer_list
    assert (told.waiting, told.failed, told.churned, told.ended) == (2, 4, 8, 1)
    assert told.mrr == found.at(mrr.MATCHED).mrr - told.waiting + told.failed + told.rounding
    assert told.is_settled


def test_while_figures_are_recomputed_nothing_is_explained(live: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    subscriber(live, "a@acme.com")
    derive_all(live)
    StripeSubscription.objects.update(mrr=Decimal(77))

    assert not adds_up(live).customer_list.is_settled


# --- how it is computed ----------------------------------------------------------------------------------------------


def test_the_number_of_queries_does_not_grow(
    live: StripeConnection, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    some_of_everything(live)
    with django_assert_num_queries(9):
        adds_up(live)
    for number in range(20):
        subscriber(live, f"a@more{number}.com", extra={"discounts": [TEN_UNTIL_LATER]}, currency="gbp")
    derive_all(live)
    with django_assert_num_queries(9):
        adds_up(live)


def test_live_and_test_mode_add_up_apart(live: StripeConnection) -> None:
    subscriber(live, "a@acme.com", extra={"discounts": [TEN_UNTIL_LATER]}, currency="gbp")
    derive_all(live)

    found = adds_up(StripeConnectionFactory(mode="test"))

    assert (found.all, found.statuses, found.currencies) == (Figures(0, 0, Decimal(0)), [], [])
    assert sum(each.subscriptions for each in found.differences) == 0


@pytest.mark.parametrize(
    ("parts", "missing"),
    [
        ([], "0"),
        (["1.005", "1.005"], "-0.01"),
        (["0.004", "0.004", "0.004"], "0.01"),
        (["8.333333333333"] * 3, "0.01"),
        (["10", "20.50"], "0"),
    ],
)
def test_rounded_parts_and_the_rounding_come_to_the_rounded_total(parts: list[str], missing: str) -> None:
    exact = [Decimal(part) for part in parts]

    assert mrr.rounding(exact) == Decimal(missing)

"""Each cause of an MRR move, from a change in Stripe (or here) to the point on the customer's page."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from customers.models import Customer, MrrPoint
from integrations.models import StripeConnection
from integrations.stripe.sync import scope
from integrations.stripe.sync.refresh import refresh
from sandbox.testing import Running
from tests.factories import AdminRateFactory, CustomerFactory, UserFactory
from tests.integrations.stripe.sync.syncing import connect, sync
from tests.queued import work_off

pytestmark = pytest.mark.django_db

PRICES = {
    "price_small": {"unit_amount": 1_000, "currency": "usd", "lookup_key": "small_monthly"},
    "price_large": {"unit_amount": 3_000, "currency": "usd", "lookup_key": "large_monthly"},
    "price_ngn": {"unit_amount": 100_000, "currency": "ngn", "lookup_key": "lagos_monthly"},
}
MONTHLY = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}


@pytest.fixture
def stripe(empty: Running) -> Running:
    """An account with three prices and one Stripe customer on ten small ones."""
    empty.put("products", "prod_growth", {"name": "Growth"}, event="none")
    for price_id, price in PRICES.items():
        fields = {**price, "product": "prod_growth", "recurring": MONTHLY, "type": "recurring", "active": True}
        empty.put("prices", price_id, fields, event="none")
    empty.put("coupons", "half", {"percent_off": 50, "duration": "repeating", "duration_in_months": 6}, event="none")
    empty.put("customers", "cus_acme", {"email": "billing@acme.com", "name": "Acme"}, event="none")
    subscribe(empty, "sub_first", price="price_small", quantity=10)
    return empty


@pytest.fixture
def acme(stripe: Running) -> Customer:
    customer: Customer = CustomerFactory(domain="acme.com")
    sync(connect(stripe))
    return customer


@pytest.fixture
def connection(acme: Customer) -> StripeConnection:
    return StripeConnection.objects.get()


def subscribe(
    stripe: Running, subscription_id: str, *, price: str, quantity: int = 1, customer: str = "cus_acme"
) -> None:
    value = {
        "customer": customer,
        "status": "active",
        "currency": PRICES[price]["currency"],
        "collection_method": "charge_automatically",
        "items": [{"price": price, "quantity": quantity}],
    }
    stripe.put("subscriptions", subscription_id, value, event="none")


def patch(stripe: Running, **changes: Any) -> None:
    stripe.patch("subscriptions", "sub_first", changes, event="none")


def more_seats(stripe: Running) -> None:
    patch(stripe, items=[{"price": "price_small", "quantity": 14}])


def another_price(stripe: Running) -> None:
    patch(stripe, items=[{"price": "price_large", "quantity": 10}])


def a_discount(stripe: Running) -> None:
    patch(stripe, discounts=[{"coupon": "half", "end": 1_900_000_000}])


def one_more(stripe: Running) -> None:
    subscribe(stripe, "sub_second", price="price_large")


def a_pause(stripe: Running) -> None:
    patch(stripe, status="paused")


def an_end(stripe: Running) -> None:
    patch(stripe, status="canceled", ended_at=1_790_000_000)


CHANGES: list[tuple[Callable[[Running], None], str, str]] = [
    (more_seats, "seats", "140"),
    (another_price, "price", "300"),
    (a_discount, "discount", "50"),
    (one_more, "added", "130"),
    (a_pause, "ended", "0"),
    (an_end, "ended", "0"),
]


def points(customer: Customer) -> list[tuple[str, Decimal]]:
    return list(MrrPoint.objects.filter(customer=customer).order_by("id").values_list("cause", "mrr"))


@pytest.mark.parametrize(("change", "cause", "mrr"), CHANGES)
@pytest.mark.parametrize("feeder", ["refresh", "run"])
def test_what_changed_in_stripe_is_the_cause(
    stripe: Running,
    acme: Customer,
    connection: StripeConnection,
    feeder: str,
    change: Callable[[Running], None],
    cause: str,
    mrr: str,
) -> None:
    change(stripe)

    if feeder == "refresh":
        refresh(connection, "cus_acme")
    else:
        sync(connection)

    assert points(acme) == [("first_sync", Decimal(100)), (cause, Decimal(mrr))]


def test_looking_again_adds_no_point(stripe: Running, acme: Customer, connection: StripeConnection) -> None:
    refresh(connection, "cus_acme")
    sync(connection)

    assert points(acme) == [("first_sync", Decimal(100))]


def test_a_new_rate_is_the_cause_and_is_drawn_apart(
    stripe: Running,
    acme: Customer,
    connection: StripeConnection,
    client: Client,
    django_capture_on_commit_callbacks: Any,
) -> None:
    rate = AdminRateFactory(currency="ngn", usd_per_unit=Decimal("0.001"))
    subscribe(stripe, "sub_lagos", price="price_ngn", quantity=10)
    refresh(connection, "cus_acme")

    rate.usd_per_unit = Decimal("0.002")
    with django_capture_on_commit_callbacks(execute=True):
        rate.save()
    work_off()

    assert points(acme)[1:] == [("added", Decimal(110)), ("exchange_rate", Decimal(120))]
    client.force_login(UserFactory())
    hidden = client.get(acme.get_absolute_url(), {"rates": "hidden"}).context["history"]
    assert [step.point.cause for step in hidden.steps] == ["added", "first_sync"]


def test_what_is_decided_here_is_a_decision(stripe: Running, acme: Customer, connection: StripeConnection) -> None:
    subscribe(stripe, "sub_second", price="price_large")
    refresh(connection, "cus_acme")

    scope.save_scope(connection, products=[], lookup_keys=["large_monthly"], actor=None)

    assert points(acme)[1:] == [("added", Decimal(130)), ("decision", Decimal(30))]


def test_a_stripe_customer_that_joins_is_something_added(
    stripe: Running, acme: Customer, connection: StripeConnection
) -> None:
    stripe.put("customers", "cus_branch", {"email": "pay@acme.com", "name": "Branch"}, event="none")
    subscribe(stripe, "sub_branch", price="price_large", customer="cus_branch")

    sync(connection)

    assert points(acme)[1:] == [("added", Decimal(130))]


def test_nothing_before_the_first_sync_is_guessed(stripe: Running, acme: Customer) -> None:
    [point] = MrrPoint.objects.filter(customer=acme)

    assert point.at >= StripeConnection.objects.get().connected_at

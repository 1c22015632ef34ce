"""Beside every converted figure stands which rates it was converted with, and how old they are."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from customers.models import Customer
from integrations.models import ExchangeRate, RateSource, StripeConnection
from integrations.stripe.rules.wording import day
from tests.factories import (
    AdminFactory,
    AdminRateFactory,
    CustomerFactory,
    StaffFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


def quote(days_old: int) -> datetime.date:
    """ECB rates of so many days ago."""
    date = timezone.localdate() - datetime.timedelta(days=days_old)
    for currency, units in (("usd", "1.2"), ("gbp", "0.8")):
        ExchangeRate.objects.create(source=RateSource.ECB, date=date, currency=currency, units_per_euro=Decimal(units))
    return date


def billed(connection: StripeConnection, *currencies: str, matched: bool = True) -> Customer:
    customer: Customer = CustomerFactory()
    owner = StripeCustomerFactory(connection=connection, email=f"a@{customer.domain}" if matched else "a@nobody.com")
    for currency in currencies:
        StripeSubscriptionFactory(owner=owner, currency=currency)
    derive_all(connection)
    return customer


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def customer_page(client: Client, customer: Customer) -> str:
    return text(client, customer.get_absolute_url())


def test_header_and_billing_card_name_the_day_of_the_rates(admin: Client, connection: StripeConnection) -> None:
    date = quote(2)

    said = customer_page(admin, billed(connection, "gbp", "usd"))

    assert f'live · <span class="nowrap" title="ECB rates of {day(date)}">rates of {day(date)}</span>' in said
    assert f"Converted with ECB rates of {day(date)}." in said


def test_a_rate_of_an_admin_is_told_apart(admin: Client, connection: StripeConnection) -> None:
    date = quote(2)
    AdminRateFactory(currency="ngn", date=datetime.date(2026, 11, 20))

    said = customer_page(admin, billed(connection, "gbp", "ngn"))

    assert f"ECB rates of {day(date)}; rate of 20 Nov 2026 entered by an admin" in said


@pytest.mark.parametrize("currencies", [("usd",), ("ngn",)])
def test_where_nothing_is_converted_nothing_is_said(
    admin: Client, connection: StripeConnection, currencies: tuple[str, ...]
) -> None:
    quote(2)
    assert "ECB rates of" not in customer_page(admin, billed(connection, *currencies))


@pytest.mark.parametrize(("days", "says"), [(7, ""), (8, ", 8 days old"), (25, ", 25 days old")])
def test_old_rates_say_their_age(
    admin: Client, connection: StripeConnection, capsys: Any, days: int, says: str
) -> None:
    date = quote(days)
    customer = billed(connection, "gbp")

    receipt = text(admin, reverse("stripe:receipt", args=[customer.pk]))
    call_command("stripe", "explain", customer.pk)
    explained = capsys.readouterr().out

    assert f'title="ECB rates of {day(date)}{says}"' in customer_page(admin, customer)
    assert f"USD, ECB, {day(date)}{says}<" in receipt
    assert f"ECB, {day(date)}{says}\n" in explained


def test_a_rate_of_an_admin_has_no_age(admin: Client, connection: StripeConnection) -> None:
    AdminRateFactory(currency="aed", date=datetime.date(2020, 1, 1), usd_per_unit=Decimal("0.2723"))

    assert "days old" not in customer_page(admin, billed(connection, "aed"))


@pytest.mark.parametrize(("view", "matched"), [("matched", True), ("unmatched", False)])
def test_lists_say_it_below_what_was_converted(
    admin: Client, connection: StripeConnection, view: str, matched: bool
) -> None:
    date = quote(2)
    address = reverse(f"stripe:{view}", args=["live"])
    billed(connection, "usd", matched=matched)
    assert "Converted with" not in text(admin, address)

    billed(connection, "gbp", matched=matched)

    assert f"Converted with ECB rates of {day(date)}." in text(admin, address)


@pytest.mark.parametrize(
    ("days", "currency", "fetched", "says"),
    [
        (7, "gbp", False, None),
        (8, "usd", False, None),
        (8, "gbp", False, "Set FX_FETCH=true"),
        (8, "gbp", True, "Fetching newer ones fails"),
        (8, "ngn", False, "Set FX_FETCH=true"),
    ],
)
def test_admins_are_warned_of_old_rates_that_the_account_needs(
    admin: Client, connection: StripeConnection, settings: Settings, days: int, currency: str, fetched: bool, says: str
) -> None:
    settings.FX_FETCH = fetched
    quote(days)
    billed(connection, currency)

    said = text(admin, reverse("stripe:integration", args=["live"]))

    assert ("The newest exchange rates are of" in said) == bool(says)
    if says:
        assert says in said


def test_staff_who_cannot_mend_it_are_not_warned(client: Client, connection: StripeConnection) -> None:
    client.force_login(StaffFactory())
    quote(8)
    billed(connection, "gbp")

    assert "The newest exchange rates" not in text(client, reverse("stripe:integration", args=["live"]))

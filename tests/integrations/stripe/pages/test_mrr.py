"""The page How MRR adds up: what it shows is what adds up, and every line leads to its list."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from integrations.models import ExchangeRate, RateSource, ScopeFilter, StripeConnection
from integrations.stripe.pages.presenters import mrr_lists
from integrations.stripe.sync import kept, mrr_groups
from tests.factories import (
    AdminFactory,
    CustomerFactory,
    StaffFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


@pytest.fixture
def connection() -> StripeConnection:
    for currency, units in (("usd", "1.2"), ("gbp", "0.8")):
        ExchangeRate.objects.create(
            source=RateSource.ECB, date=timezone.localdate(), currency=currency, units_per_euro=Decimal(units)
        )
    return StripeConnectionFactory()


def subscriber(connection: StripeConnection, email: str, **fields: Any) -> None:
    owner = StripeCustomerFactory(connection=connection, email=email)
    StripeSubscriptionFactory(owner=owner, **fields)


def get(client: Client, url: str, **query: str) -> Any:
    response = client.get(url, query)
    assert response.status_code == 200
    return response


def page(client: Client, **query: str) -> str:
    response = get(client, reverse("stripe:mrr", args=["live"]), **query)
    return " ".join(re.sub(r"\s*(<[^>]+>)\s*", r"\1", response.content.decode()).split())


def a_bit_of_everything(connection: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    third = {"recurring": {"interval": "year"}}
    for email in ("a@acme.com", "a@nobody.com", "jane@gmail.com"):
        subscriber(connection, email, price=third)
    subscriber(connection, "b@acme.com", currency="gbp")
    subscriber(connection, "c@acme.com", currency="ngn")
    subscriber(connection, "d@acme.com", extra={"cancel_at_period_end": True}, status="past_due")
    derive_all(connection)


def test_the_lines_shown_come_to_the_total_shown(admin: Client, connection: StripeConnection) -> None:
    a_bit_of_everything(connection)
    shown = get(admin, reverse("stripe:mrr", args=["live"])).context["page"]

    for table in (shown.places, shown.statuses):
        assert sum(line.mrr for line in table.lines) + table.rounding == table.total == shown.total
    assert sum(row.line.mrr for row in shown.currencies) + shown.currency_rounding == shown.total
    known = sum(row.amount for row in shown.differences if row.amount is not None)
    assert shown.total + known + shown.difference_rounding == shown.expected
    assert shown.places.rounding == Decimal("0.01")
    assert "Each line is rounded for itself, the total once." in page(admin)


def test_a_total_without_a_rest_has_no_line_for_rounding(admin: Client, connection: StripeConnection) -> None:
    subscriber(connection, "a@nobody.com")
    derive_all(connection)

    assert "Rounding" not in page(admin)


def test_every_line_leads_to_its_list(admin: Client, connection: StripeConnection) -> None:
    a_bit_of_everything(connection)
    ScopeFilter.objects.create(connection=connection, kind="product", value="prod_growth")
    shown = get(admin, reverse("stripe:mrr", args=["live"])).context["page"]

    rows = [*shown.currencies, *shown.differences]
    for line in (*shown.places.lines, *shown.statuses.lines, *(row.line for row in rows)):
        response = get(admin, line.url)
        if "/mrr/" in line.url:
            assert len(response.context["listing"].rows) == line.subscriptions, line.label


def test_a_currency_without_a_rate_is_said_and_leads_to_the_form(admin: Client, connection: StripeConnection) -> None:
    subscriber(connection, "a@nobody.com", currency="ngn")
    derive_all(connection)

    said = page(admin)

    assert "At least: 1 subscription in NGN counts $0 until there is an exchange rate." in said
    assert f"{reverse('admin:integrations_exchangerate_add')}?currency=ngn" in said
    assert said.count("≥ $0") == 4  # by place, by status, by currency, and beside Stripe's own


def test_staff_who_may_not_add_a_rate_are_not_sent_to_the_form(client: Client, connection: StripeConnection) -> None:
    client.force_login(StaffFactory())
    subscriber(connection, "a@nobody.com", currency="ngn")
    derive_all(connection)

    said = page(client)

    assert "no rate" in said
    assert reverse("admin:integrations_exchangerate_add") not in said


def test_the_rates_are_dated(admin: Client, connection: StripeConnection) -> None:
    subscriber(connection, "a@nobody.com", currency="gbp")
    derive_all(connection)

    shown = get(admin, reverse("stripe:mrr", args=["live"])).context["page"]

    [row] = shown.currencies
    assert (row.monthly, row.rate) == ("£100", "1.5")
    assert shown.rates.startswith("ECB rates of ")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("300", "Nothing stays unexplained."),
        ("$300.00", "Nothing stays unexplained."),
        ("USD 300", "Nothing stays unexplained."),
        ("288", "−$12 stays unexplained</strong>, 4.17 %"),
        ("1,300", "+ $1,000 stays unexplained</strong>, 76.92 %"),
        ("3", "−$297 stays unexplained</strong>, 9,900.00 %"),
        ("1.300", "+ $1,000 stays unexplained"),
        ("1.300,00", "+ $1,000 stays unexplained"),
        ("300,5", "+ $0.50 stays unexplained"),
        ("0", "−$300 stays unexplained"),
        ("", "Enter the figure first"),
        ("twelve", "Enter an amount like"),
        ("-3", "Enter an amount like"),
        ("1e9", "Enter an amount like"),
        ("9" * 25, "Enter an amount like"),
        ("9" * 31, "at most 30 characters"),
        (HOSTILE, "Enter an amount like"),
    ],
)
def test_what_stripe_shows_is_compared(admin: Client, connection: StripeConnection, typed: str, says: str) -> None:
    for _number in range(3):
        subscriber(connection, "a@nobody.com")
    subscriber(connection, "a@nobody.com", extra={"cancel_at_period_end": True})
    derive_all(connection)

    said = page(admin, stripe=typed)

    assert says in said
    assert HOSTILE not in said


def test_the_customer_list_is_explained_in_one_line(admin: Client, connection: StripeConnection) -> None:
    for number in range(3):
        CustomerFactory(domain=f"thirds{number}.com")
        subscriber(connection, f"a@thirds{number}.com", price={"recurring": {"interval": "year"}})
    derive_all(connection)

    said = page(admin)

    assert "The customers of the list add up to $24.99. Each customer is rounded to cents for itself" in said
    assert "which makes 1 cent less." in said


def test_an_account_with_nothing_has_a_page_too(admin: Client, connection: StripeConnection) -> None:
    assert "$0 MRR in this Stripe account" in page(admin)


@pytest.mark.parametrize("of", ["", "nothing", "status", "set_to_cancel-x", "matched"])
def test_a_list_of_no_line_is_not_found(admin: Client, connection: StripeConnection, of: str) -> None:
    assert admin.get(reverse("stripe:mrr_subscriptions", args=["live"]), {"of": of}).status_code == 404


@pytest.mark.parametrize("of", ["status-x/../y", f"status-{HOSTILE}", "currency-\x00", "currency-" + "x" * 500])
def test_a_list_of_something_unheard_of_is_empty_and_escaped(
    admin: Client, connection: StripeConnection, of: str
) -> None:
    said = get(admin, reverse("stripe:mrr_subscriptions", args=["live"]), of=of).content.decode()
    assert "No subscription is here" in said
    assert HOSTILE not in said


def test_a_status_that_stripe_invented_has_a_line_and_a_list(admin: Client, connection: StripeConnection) -> None:
    subscriber(connection, "a@nobody.com", status="half/<b>asleep")
    derive_all(connection)

    [line] = get(admin, reverse("stripe:mrr", args=["live"])).context["page"].statuses.lines

    assert len(get(admin, line.url).context["listing"].rows) == 1
    assert "<b>asleep" not in page(admin)


def test_a_list_goes_on_where_its_page_ends(
    admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mrr_lists, "PAGE_SIZE", 2)
    for number in range(5):
        subscriber(connection, f"a@nobody{number}.com", extra={"cancel_at_period_end": True})
    derive_all(connection)
    seen: list[str] = []
    address = f"{reverse('stripe:mrr_subscriptions', args=['live'])}?of={mrr_groups.SET_TO_CANCEL}"
    while address:
        listing = get(admin, address).context["listing"]
        seen += [row.subscription.stripe_id for row in listing.rows]
        address = listing.neighbours.next
    assert len(seen) == len(set(seen)) == 5


def test_a_row_says_why_and_where_it_leads(admin: Client, connection: StripeConnection) -> None:
    customer = CustomerFactory(domain="acme.com", name="Acme Corp")
    subscriber(connection, "a@acme.com", currency="gbp", extra={"cancel_at": 1_900_000_000}, stripe_id="sub_leaving")
    derive_all(connection)

    said = " ".join(
        get(admin, reverse("stripe:mrr_subscriptions", args=["live"]), of="set_to_cancel").content.decode().split()
    )

    assert "Ends 17 Mar 2030" in said
    assert customer.get_absolute_url() in said
    assert "/subscriptions/sub_leaving" in said
    assert "billed in GBP" in said
    assert "Converted with ECB rates of" in said


@pytest.mark.parametrize("name", ["mrr", "mrr_subscriptions"])
def test_the_number_of_queries_does_not_grow(
    admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(kept, "WORTH_KEEPING_SECONDS", 3600.0)  # else a slow machine keeps some meanwhile

    def queries() -> int:
        with CaptureQueriesContext(
            database,
        ) as captured:
            get(admin, reverse(f"stripe:{name}", args=["live"]), of="status-active")
        return len(captured)

    a_bit_of_everything(connection)
    queries()
    before = queries()
    for number in range(20):
        CustomerFactory(domain=f"more{number}.com")
        subscriber(connection, f"a@more{number}.com", currency="gbp", extra={"cancel_at_period_end": True})
    derive_all(connection)
    assert queries() == before <= 20


def test_the_page_is_one_click_away(admin: Client, connection: StripeConnection) -> None:
    subscriber(connection, "a@nobody.com")
    derive_all(connection)
    address = reverse("stripe:mrr", args=["live"])

    said = get(admin, reverse("stripe:integration", args=["live"])).content.decode()

    assert said.count(f'href="{address}"') == 2

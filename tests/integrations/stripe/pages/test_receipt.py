"""The receipt: every line, adding up to the cent."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Customer
from integrations.models import StripeConnection
from tests.factories import CustomerFactory, UserFactory
from tests.integrations.stripe.pages.factories import (
    BillingSummaryFactory,
    ConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client: Client) -> Client:
    client.force_login(UserFactory())
    return client


@pytest.fixture
def connection() -> StripeConnection:
    return ConnectionFactory()


def customer_with(connection: StripeConnection, *contributions: str, mrr: str, **fields: Any) -> Customer:
    customer = CustomerFactory(billed=True, mrr=Decimal(mrr), **fields)
    stripe = StripeCustomerFactory(connection=connection, customer=customer)
    for contribution in contributions:
        StripeSubscriptionFactory(connection=connection, customer_id=stripe.stripe_id, mrr=Decimal(contribution))
    BillingSummaryFactory(connection=connection, customer=customer)
    return customer


def receipt(client: Client, customer: Customer) -> str:
    return " ".join(client.get(reverse("stripe:receipt", args=[customer.pk])).content.decode().split())


def amounts(page: str) -> list[Decimal]:
    """What the subscriptions count, as printed."""
    cells = re.findall(r'<tr class="sum">.*?<td>\s*([^<]*?)\s*</td>\s*</tr>', page)
    return [Decimal(cell.replace("$", "").replace(",", "")) for cell in cells]


def test_three_thirds_of_a_year_add_up_to_the_cent(member: Client, connection: StripeConnection) -> None:
    customer = customer_with(connection, *["8.333333333333"] * 3, mrr="25.00")
    page = receipt(member, customer)
    assert sum(amounts(page)) == Decimal("24.999999999999")
    assert "$24.999999999999" in page
    assert "+ $0.000000000001" in page
    assert "$25.00" in page


def test_a_line_says_what_it_is_and_what_it_does(member: Client, connection: StripeConnection) -> None:
    page = receipt(member, customer_with(connection, "960", mrr="960.00"))
    assert "12 x $80.00 a month" in page
    assert "$960.00" in page


def test_a_rate_shows_itself_instead_of_an_amount(member: Client, connection: StripeConnection) -> None:
    customer = customer_with(connection, mrr="74.997")
    lines = [
        {"kind": "item", "label": "Data residency", "usd": "74.997"},
        {"kind": "rate", "label": "Exchange rate", "detail": "ECB", "rate": "1.1538", "rate_source": "ecb"},
    ]
    subscription = StripeSubscriptionFactory(
        connection=connection, customer_id=customer.stripe_customers.get().stripe_id, mrr=Decimal("74.997")
    )
    subscription.receipt["lines"] = lines
    subscription.save()
    assert "× 1.1538" in receipt(member, customer)


def test_a_subscription_that_counts_nothing_says_why(member: Client, connection: StripeConnection) -> None:
    customer = customer_with(connection, "0", mrr="0.00")
    subscription = StripeSubscriptionFactory._meta.model.objects.get()
    subscription.receipt |= {"why_zero": "trialing", "counts": False}
    subscription.save()
    assert "A trial counts 0 until it ends." in receipt(member, customer)


def test_figures_on_their_way_are_not_presented_as_settled(member: Client, connection: StripeConnection) -> None:
    assert "being recomputed" in receipt(member, customer_with(connection, "100", mrr="90.00"))
    assert "being recomputed" not in receipt(member, customer_with(connection, "90", mrr="90.00"))


def test_an_incomplete_receipt_says_what_it_leaves_out(member: Client, connection: StripeConnection) -> None:
    customer = customer_with(connection, "90", mrr="90.00")
    customer.billing_summary.incomplete = [{"code": "no_exchange_rate", "subject": "kwd", "subscriptions": 1}]
    customer.billing_summary.save()
    page = receipt(member, customer)
    assert "≥ $90.00" in page
    assert "1 subscription in KWD: no exchange rate" in page


def test_test_data_is_called_that(member: Client) -> None:
    connection = ConnectionFactory(mode="test")
    assert "Test data" in receipt(member, customer_with(connection, "90", mrr="90.00", environment="staging"))


def test_without_figures_it_leads_to_why(member: Client, connection: StripeConnection) -> None:
    customer = CustomerFactory()
    response = member.get(reverse("stripe:receipt", args=[customer.pk]))
    assert response["Location"].endswith("#why")

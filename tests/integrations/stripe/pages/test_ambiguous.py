"""Ambiguous matches, group by group, members side by side."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customers.models import Customer
from integrations.models import StripeConnection
from integrations.stripe.pages.presenters import ambiguous
from tests.factories import AdminFactory, CustomerFactory
from tests.integrations.stripe.pages.factories import (
    ConnectionFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


@pytest.fixture
def connection() -> StripeConnection:
    return ConnectionFactory()


def page(client: Client, **query: str) -> str:
    return " ".join(client.get(reverse("stripe:ambiguous", args=["live"]), query).content.decode().split())


def member(connection: StripeConnection, customer: Customer, mrr: int, **fields: Any) -> None:
    kind = fields.pop("kind", "shared_domain")
    row = StripeCustomerFactory(
        connection=connection, customer=customer, ambiguous_kind=kind, ambiguous_since=timezone.now(), **fields
    )
    StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id, mrr=Decimal(mrr))
    StripeInvoiceFactory(connection=connection, customer_id=row.stripe_id, number=f"NR-{mrr}")


def test_a_group_shows_its_members_with_what_tells_them_apart(admin: Client, connection: StripeConnection) -> None:
    customer = CustomerFactory(name="Brightwater", billed=True)
    member(connection, customer, 750, name="Brightwater Holdings", email="ap@brightwater.io")
    member(connection, customer, 450, name="Brightwater Labs", email="finance@brightwater.io")
    said = page(admin)
    for part in ("brightwater.io", "ap@brightwater.io", "Brightwater Labs", "$1,200 MRR", "NR-750", "1 · Growth"):
        assert part in said
    assert "2 Stripe customers on" in said


def test_the_group_with_the_most_mrr_comes_first(admin: Client, connection: StripeConnection) -> None:
    for name, mrr in (("Small Ltd", 10), ("Large Ltd", 5000)):
        customer = CustomerFactory(name=name, billed=True, mrr=mrr)
        member(connection, customer, mrr)
        member(connection, customer, 1)
    said = page(admin)
    assert said.index("Large Ltd") < said.index("Small Ltd")


def test_a_domain_of_two_customers_names_both(admin: Client, connection: StripeConnection) -> None:
    north = CustomerFactory(name="Twin Peaks North", domain="twinpeaks.coop", billed=True)
    CustomerFactory(name="Twin Peaks South", domain="twinpeaks.coop")
    member(connection, north, 456, kind="several_customers", email="office@twinpeaks.coop")
    said = page(admin)
    assert "several customers have this domain" in said
    assert "Twin Peaks South" in said
    assert "on one customer until somebody decides" in said


def test_an_ended_winner_brings_the_loser_back_to_the_list(admin: Client, connection: StripeConnection) -> None:
    customer = CustomerFactory(name="Halden Energy", billed=True)
    member(connection, customer, 90, kind="winner_ended", match_reason="winner_ended", name="Old pilot")
    said = page(admin)
    assert "Old pilot" in said
    assert "not counted until somebody decides" in said


def test_an_incomplete_sum_is_a_lower_bound(admin: Client, connection: StripeConnection) -> None:
    customer = CustomerFactory(billed=True, billing_flags=["incomplete"])
    member(connection, customer, 750)
    member(connection, customer, 450)
    assert "≥ $1,200 MRR" in page(admin)


def test_a_crowd_is_counted_instead_of_shown(
    admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ambiguous, "MEMBERS_SHOWN", 2)
    customer = CustomerFactory(billed=True)
    for mrr in range(1, 6):
        member(connection, customer, mrr)
    assert "and 3 more with less MRR" in page(admin)


def test_groups_go_on_over_pages(admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ambiguous, "PAGE_SIZE", 1)
    for name in ("First Ltd", "Second Ltd"):
        customer = CustomerFactory(name=name, billed=True)
        member(connection, customer, 1)
        member(connection, customer, 1)
    first = admin.get(reverse("stripe:ambiguous", args=["live"])).context["page"]
    second = admin.get(first.neighbours.next).context["page"]
    assert [group.customer.name for group in (*first.groups, *second.groups)] == ["First Ltd", "Second Ltd"]


def test_nothing_to_decide_is_good_news(admin: Client, connection: StripeConnection) -> None:
    assert "All clear" in page(admin)

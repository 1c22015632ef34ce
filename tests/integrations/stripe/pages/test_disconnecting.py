"""Disconnecting, and the two choices after it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Customer
from integrations.models import ConnectionState, StripeConnection, StripeCustomer
from tests.factories import AdminFactory, CustomerFactory
from tests.integrations.stripe.pages.factories import ConnectionFactory, StripeCustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


@pytest.fixture
def connection() -> StripeConnection:
    made = ConnectionFactory()
    StripeCustomerFactory(connection=made, customer=CustomerFactory(billed=True))
    return made


def address(name: str) -> str:
    return reverse(f"stripe:{name}", args=["live"])


def test_the_page_says_what_happens_before_it_does(admin: Client, connection: StripeConnection) -> None:
    page = admin.get(address("disconnect")).content.decode()
    assert "Disconnect Fieldnote Inc?" in page
    assert "the one ending in" in page
    connection.refresh_from_db()
    assert connection.is_connected


def test_disconnecting_deletes_our_access_and_keeps_the_figures(admin: Client, connection: StripeConnection) -> None:
    admin.post(address("disconnect"))
    connection.refresh_from_db()
    assert (connection.state, connection.access_token) == (ConnectionState.DISCONNECTED, "")
    assert Customer.objects.get().plan == "growth_monthly"


@pytest.mark.parametrize("name", ["clear_billing", "delete_mirror"])
def test_the_other_choices_wait_until_disconnected(admin: Client, connection: StripeConnection, name: str) -> None:
    response = admin.post(address(name))
    assert response["Location"] == address("disconnect")
    assert StripeCustomer.objects.exists()
    assert Customer.objects.get().plan == "growth_monthly"


@pytest.mark.parametrize("name", ["clear_billing", "delete_mirror"])
def test_each_choice_asks_on_a_page_of_its_own(admin: Client, connection: StripeConnection, name: str) -> None:
    admin.post(address("disconnect"))
    assert "button--danger" in admin.get(address(name)).content.decode()
    assert StripeCustomer.objects.exists()
    assert Customer.objects.get().plan == "growth_monthly"


def test_clearing_empties_the_billing_fields(admin: Client, connection: StripeConnection) -> None:
    admin.post(address("disconnect"))
    said = admin.post(address("clear_billing"), follow=True).content.decode()
    assert "Cleared the billing data of 1 customer." in said
    assert Customer.objects.get().plan == ""


def test_deleting_the_mirror_leaves_nothing_of_the_account(admin: Client, connection: StripeConnection) -> None:
    admin.post(address("disconnect"))
    admin.post(address("delete_mirror"))
    assert not StripeCustomer.objects.exists()

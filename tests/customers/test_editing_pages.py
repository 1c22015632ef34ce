"""Creating and changing customers in the browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from customers.models import Customer
from tests.factories import AdminFactory, CustomerDomainFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(AdminFactory())
    return client


def save(client: Client, customer: Customer, **values: Any) -> Any:
    sent = {"name": customer.name, "domain": customer.domain, "owner": "", "environment": customer.environment}
    return client.post(f"/customers/{customer.pk}/edit", {**sent, **values}, follow=True)


def test_a_customer_is_created_where_the_list_was(client: Client) -> None:
    form = client.get("/customers/new", {"environment": "staging"})
    assert form.context["form"].initial["environment"] == "staging"
    sent = {"name": "Acme", "domain": "Acme.com", "owner": "", "environment": "staging"}
    response = client.post("/customers/new", sent, follow=True)
    customer = Customer.objects.get()
    assert (customer.name, customer.domain, customer.environment) == ("Acme", "acme.com", "staging")
    assert "Acme was created." in response.content.decode()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"domain": "not a domain"}, "contains a blank"),
        ({"domain": "10.0.0.1"}, "is an IP address"),
        ({"owner": "999999"}, "Select a valid choice"),
    ],
)
def test_a_mistake_is_said_at_its_field_and_nothing_is_saved(
    client: Client, values: dict[str, str], sentence: str
) -> None:
    customer = CustomerFactory(name="Acme", domain="acme.com")
    response = save(client, customer, **values)
    assert sentence in response.content.decode()
    assert 'aria-invalid="true"' in response.content.decode()
    customer.refresh_from_db()
    assert (customer.name, customer.domain) == ("Acme", "acme.com")


def test_an_edit_is_saved_and_recorded(client: Client) -> None:
    customer = CustomerFactory(name="Acme")
    owner = UserFactory()
    response = save(client, customer, name="Acme Corp", owner=owner.pk)
    customer.refresh_from_db()
    assert (customer.name, customer.owner) == ("Acme Corp", owner)
    assert "Saved." in response.content.decode()
    assert customer.activities.count() == 2


def test_a_move_to_the_other_environment_asks_first(client: Client) -> None:
    customer = CustomerFactory()
    asked = save(client, customer, environment="staging")
    customer.refresh_from_db()
    assert customer.environment == "production"
    assert "Moving to Staging detaches" in asked.content.decode()
    save(client, customer, environment="staging", confirm_move="on")
    customer.refresh_from_db()
    assert customer.environment == "staging"


def test_billing_fields_are_shown_and_not_taken(client: Client) -> None:
    customer = CustomerFactory(billed=True)
    assert "Filled in by Stripe, read-only here" in client.get(f"/customers/{customer.pk}/edit").content.decode()
    save(client, customer, mrr="1", plan="x", payment_status="failing", name="New")
    customer.refresh_from_db()
    assert (str(customer.mrr), customer.plan, customer.payment_status) == ("1400.00", "growth_monthly", "paid")


@pytest.mark.parametrize("status", ["at_risk", "churned", "archived"])
def test_the_status_menu_sets_the_status(client: Client, status: str) -> None:
    customer = CustomerFactory()
    response = client.post(f"/customers/{customer.pk}/status", {"status": status}, follow=True)
    customer.refresh_from_db()
    assert customer.status == status
    assert "is now" in response.content.decode()


def test_an_unknown_status_changes_nothing_and_says_so(client: Client) -> None:
    customer = CustomerFactory()
    response = client.post(f"/customers/{customer.pk}/status", {"status": "sleeping"}, follow=True)
    customer.refresh_from_db()
    assert customer.status == "active"
    assert "There is no such status." in response.content.decode()


def test_an_extra_domain_is_added_and_removed(client: Client) -> None:
    customer = CustomerFactory()
    client.post(f"/customers/{customer.pk}/domains", {"domain": "https://acme.de"})
    extra = customer.domains.get()
    assert extra.domain == "acme.de"
    client.post(f"/customers/{customer.pk}/domains/{extra.pk}/remove")
    assert not customer.domains.exists()


def test_a_domain_somebody_else_has_is_said_with_the_name(client: Client) -> None:
    CustomerDomainFactory(domain="acme.de", customer=CustomerFactory(name="Other Ltd"))
    customer = CustomerFactory()
    response = client.post(f"/customers/{customer.pk}/domains", {"domain": "acme.de"})
    assert "acme.de is an extra domain of Other Ltd already." in response.content.decode()


def test_a_domain_is_removed_only_from_its_own_customer(client: Client) -> None:
    extra = CustomerDomainFactory()
    other = CustomerFactory()
    assert client.post(f"/customers/{other.pk}/domains/{extra.pk}/remove").status_code == 404
    extra.refresh_from_db()


def test_writing_needs_a_token() -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(AdminFactory())
    customer = CustomerFactory()
    assert careful.post(f"/customers/{customer.pk}/status", {"status": "churned"}).status_code == 403

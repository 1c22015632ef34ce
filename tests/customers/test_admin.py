"""Customers in Django admin: writes go through the services, history is to look at only."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from customers.models import Activity, Customer, PersonalDomain
from tests.customers.announced import Committing, listening
from tests.factories import (
    ActivityFactory,
    AdminFactory,
    CustomerDomainFactory,
    CustomerFactory,
    MrrPointFactory,
    OwnerFactory,
    StaffFactory,
)

pytestmark = pytest.mark.django_db
CHANGE = "/admin/customers/customer/{}/change/"


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(AdminFactory())
    return client


def form_of(customer: Customer, *domains: Any, **values: Any) -> dict[str, Any]:
    sent: dict[str, Any] = {
        "name": customer.name, "domain": customer.domain, "environment": customer.environment,
        "status": customer.status, "owner": "", "domains-TOTAL_FORMS": len(domains),
        "domains-INITIAL_FORMS": sum(1 for extra in domains if extra.get("id")), **values,
    }  # fmt: skip
    for number, extra in enumerate(domains):
        sent |= {f"domains-{number}-{name}": value for name, value in extra.items()}
        sent[f"domains-{number}-customer"] = customer.pk
    return sent


def test_a_change_is_recorded_and_announced(client: Client, django_capture_on_commit_callbacks: Committing) -> None:
    customer = CustomerFactory(name="Acme", domain="acme.com")
    with listening(django_capture_on_commit_callbacks) as announced:
        client.post(CHANGE.format(customer.pk), form_of(customer, domain="acme.io"))
    customer.refresh_from_db()
    assert customer.domain == "acme.io"
    assert announced.heard == [("production", frozenset({"acme.com", "acme.io"}), frozenset({customer.pk}))]
    assert Activity.objects.get().field == "domain"


def test_a_new_customer_is_created_through_the_service(client: Client) -> None:
    client.post("/admin/customers/customer/add/", form_of(Customer(name="Acme", domain="ACME.com")))
    customer = Customer.objects.get()
    assert customer.domain == "acme.com"
    assert customer.activities.get().event_type == "customer.created"


def test_extra_domains_are_added_changed_and_removed(client: Client) -> None:
    customer = CustomerFactory()
    kept, gone = CustomerDomainFactory(customer=customer), CustomerDomainFactory(customer=customer)
    rows = (
        {"id": kept.pk, "domain": "changed.com"},
        {"id": gone.pk, "domain": gone.domain, "DELETE": "on"},
        {"id": "", "domain": "added.com"},
    )
    client.post(CHANGE.format(customer.pk), form_of(customer, *rows))
    assert set(customer.domains.values_list("domain", flat=True)) == {"changed.com", "added.com"}


def test_billing_fields_cannot_be_posted(client: Client) -> None:
    customer = CustomerFactory(billed=True)
    client.post(CHANGE.format(customer.pk), form_of(customer, mrr="1", plan_label="x"))
    customer.refresh_from_db()
    assert (str(customer.mrr), customer.plan_label) == ("1400.00", "Growth")


def test_archiving_many_is_one_action(client: Client, django_capture_on_commit_callbacks: Committing) -> None:
    customers = CustomerFactory.create_batch(3)
    numbers = [customer.pk for customer in customers]
    with listening(django_capture_on_commit_callbacks) as announced:
        client.post("/admin/customers/customer/", {"action": "archive", "_selected_action": numbers})
    assert set(Customer.objects.values_list("status", flat=True)) == {"archived"}
    assert len(announced.heard) == 1


@pytest.mark.parametrize("many", [False, True])
def test_a_customer_is_deleted_with_its_history(client: Client, many: bool) -> None:
    customer, other = CustomerFactory(domain="acme.com"), CustomerFactory()
    ActivityFactory(customer=customer)
    MrrPointFactory(customer=customer)
    if many:
        chosen = {"action": "delete_selected", "_selected_action": [customer.pk]}
        asked = client.post("/admin/customers/customer/", chosen)
        client.post("/admin/customers/customer/", {**chosen, "post": "yes"})
    else:
        asked = client.get(f"/admin/customers/customer/{customer.pk}/delete/")
        client.post(f"/admin/customers/customer/{customer.pk}/delete/", {"post": "yes"})
    assert "Are you sure" in asked.content.decode()
    assert list(Customer.objects.all()) == [other]
    assert not Activity.objects.exists()


@pytest.mark.parametrize("path", ["/admin/customers/customer/{}/delete/", "/admin/customers/customer/"])
def test_staff_delete_no_customer(path: str) -> None:
    customer = CustomerFactory()
    client = Client()
    client.force_login(StaffFactory())
    chosen = {"action": "delete_selected", "_selected_action": [customer.pk], "post": "yes"}
    client.post(path.format(customer.pk), chosen)
    assert Customer.objects.exists()


def test_history_cannot_be_changed_even_by_the_owner() -> None:
    client = Client()
    client.force_login(OwnerFactory())
    entry = ActivityFactory()
    assert client.get(f"/admin/customers/activity/{entry.pk}/change/").status_code == 200
    assert client.post(f"/admin/customers/activity/{entry.pk}/change/", {"new": "x"}).status_code == 403
    assert client.post(f"/admin/customers/activity/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/customers/activity/add/").status_code == 403


def test_a_personal_domain_is_normalised(client: Client) -> None:
    client.post("/admin/customers/personaldomain/add/", {"domain": "Mail.Example.", "personal": "on"})
    assert PersonalDomain.objects.get().domain == "mail.example"


def test_the_changelist_does_not_ask_per_row(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    CustomerFactory.create_batch(30, owner=OwnerFactory())
    with django_assert_max_num_queries(12):
        client.get("/admin/customers/customer/")


def test_admin_pages_wear_the_products_look(client: Client) -> None:
    html = client.get("/admin/customers/customer/").content.decode()
    assert "pivotal/tokens.css" in html
    assert 'class="topbar"' in html

"""No page asks the database again for each of its rows, nor often at all."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from customers.models import Customer
from integrations.models import StripeCustomer
from integrations.stripe.sync import kept
from pivotal.auth import PermissionsWithUser
from tests.factories import AdminFactory, CustomerFactory, StaffFactory, UserFactory
from tests.integrations.stripe.pages.factories import (
    ApiCallFactory,
    ConnectionFactory,
    IssueFactory,
    RunFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)
from tests.queries import MOST_QUERIES, no_repeated_queries

pytestmark = pytest.mark.django_db

ROWS = 6
STRIPE_PAGES = ("integration", "matched", "unmatched", "skipped", "ambiguous", "log", "calls")


@pytest.fixture(autouse=True)
def nothing_worth_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow machine adding up takes long enough to be kept, which is one statement more now and then."""
    monkeypatch.setattr(kept, "WORTH_KEEPING_SECONDS", 3600.0)


@pytest.fixture
def customer(client: Client) -> Customer:
    """One of several customers, each with two Stripe customers that nobody has decided about, and more without one."""
    client.force_login(AdminFactory())
    connection = ConnectionFactory()
    for _row in range(ROWS):
        customer = CustomerFactory(billing_source="stripe", plan_label="Growth", mrr="100.00")
        shared = StripeCustomerFactory.create_batch(
            2, connection=connection, customer=customer, ambiguous_kind="shared_domain"
        )
        alone = StripeCustomerFactory(connection=connection)
        skipped = StripeCustomerFactory(
            connection=connection, match_state="skipped", match_reason="personal_email", personal=True
        )
        for stripe in (*shared, alone, skipped):
            StripeSubscriptionFactory(connection=connection, customer_id=stripe.stripe_id)
        RunFactory(connection=connection)
        IssueFactory(connection=connection)
        ApiCallFactory(connection=connection)
    return customer


@pytest.mark.parametrize("name", STRIPE_PAGES)
def test_a_page_of_the_integration_asks_once_for_all_its_rows(client: Client, customer: Customer, name: str) -> None:
    address = reverse(f"stripe:{name}", args=["live"])
    with no_repeated_queries():
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("query", ["", "?sort=name", "?sort=owner", "?q=company", "?changed=7", "?undecided=on"])
def test_the_customer_list_asks_once_for_all_its_rows(client: Client, customer: Customer, query: str) -> None:
    with no_repeated_queries():
        assert client.get(f"/customers/{query}").status_code == 200


def test_a_customer_page_asks_once_for_all_its_parts(client: Client, customer: Customer) -> None:
    with no_repeated_queries():
        assert client.get(customer.get_absolute_url()).status_code == 200


def test_a_query_for_each_row_is_noticed(customer: Customer) -> None:
    def ask_for_each_row() -> None:
        with no_repeated_queries():
            for row in Customer.objects.all():
                list(row.stripe_customers.all())

    with pytest.raises(AssertionError, match="asked again for each row"):
        ask_for_each_row()


# --- how often a page asks at all --------------------------------------------------------------------------------


def asked_by(client: Client, address: str) -> int:
    client.get(address)  # the first look may make a row that is kept
    with CaptureQueriesContext(database) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


PEOPLE = {"admin": AdminFactory, "staff": StaffFactory, "member": UserFactory}
CUSTOMER_LISTS = [
    "",
    "?sort=owner",
    "?changed=7",
    "?stale=on&q=customer",
    "?q=customer&owner=none&plan=Growth&pay=late&status=all",
]


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("query", CUSTOMER_LISTS)
def test_the_customer_list_asks_seldom(client: Client, customer: Customer, person: str, query: str) -> None:
    client.force_login(PEOPLE[person]())
    assert asked_by(client, f"/customers/{query}") <= MOST_QUERIES


@pytest.mark.parametrize("person", PEOPLE)
def test_a_customer_page_asks_seldom(client: Client, customer: Customer, person: str) -> None:
    client.force_login(PEOPLE[person]())
    blank = CustomerFactory(domain="nobody.example")
    assert asked_by(client, customer.get_absolute_url()) <= MOST_QUERIES
    assert asked_by(client, blank.get_absolute_url()) <= MOST_QUERIES


@pytest.mark.parametrize("person", ["admin", "staff"])
@pytest.mark.parametrize("name", STRIPE_PAGES)
def test_a_page_of_the_integration_asks_seldom(client: Client, customer: Customer, person: str, name: str) -> None:
    client.force_login(PEOPLE[person]())
    StripeCustomer.objects.filter(match_state="unmatched").update(match_reason="pin_suspended", name="Acme Foods")
    assert asked_by(client, reverse(f"stripe:{name}", args=["live"])) <= MOST_QUERIES


def test_who_is_signed_in_and_what_they_may_do_is_one_look_up(django_assert_num_queries: Any) -> None:
    staff = StaffFactory()
    staff.user_permissions.add(Permission.objects.get(codename="add_user"))
    with django_assert_num_queries(1):
        found = PermissionsWithUser().get_user(staff.pk)
        assert found is not None
        assert found.has_perm("customers.view_customer")  # by its group
        assert found.has_perm("auth.add_user")  # by itself
        assert not found.has_perm("integrations.change_stripeconnection")
    assert found.get_all_permissions() == User.objects.get(pk=staff.pk).get_all_permissions()


def test_nobody_who_was_turned_off_is_signed_in() -> None:
    assert PermissionsWithUser().get_user(StaffFactory(is_active=False).pk) is None

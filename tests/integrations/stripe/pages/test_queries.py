"""No page asks the database again for each of its rows."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Customer
from tests.factories import AdminFactory, CustomerFactory
from tests.integrations.stripe.pages.factories import (
    ApiCallFactory,
    ConnectionFactory,
    IssueFactory,
    RunFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)
from tests.queries import no_repeated_queries

pytestmark = pytest.mark.django_db

ROWS = 6
STRIPE_PAGES = ("integration", "matched", "unmatched", "skipped", "ambiguous", "log", "calls")


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

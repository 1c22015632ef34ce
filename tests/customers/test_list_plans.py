"""The customer list is read in the order of an index: a page costs the same however many customers there are."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection as database
from django.test import Client

from customers import by_owner
from customers.models import Customer, Status
from tests.factories import AdminFactory, UserFactory
from tests.plans import indexes_of, plan_of_list, rows_read_of

pytestmark = pytest.mark.django_db

TABLE = "customers_customer"
MANY = 4000
ONE_PAGE = 51  # one row more is read than is shown
INDEXES = {
    "mrr": "customer_mrr",
    "-mrr": "customer_mrr",
    "name": "customer_name",
    "-name": "customer_name",
    "plan": "customer_plan",
    "-plan": "customer_plan",
    "payment": "customer_payment",
    "-payment": "customer_payment",
    "since": "customer_since",
    "-since": "customer_since_latest",
}

FILL = """
INSERT INTO customers_customer (environment, name, domain, status, created_by_source, created_at, updated_at, plan,
    plan_label, mrr, payment_status, billing_started_at, stripe_customer_id, billing_source, billing_flags)
SELECT 'production', 'Company ' || n, 'company' || n || '.example', 'active', '', now(), now(), 'growth', 'Growth', 100,
    CASE WHEN n %% 33 = 0 THEN 'failing' ELSE 'paid' END,
    CASE WHEN n %% 10 <> 0 THEN now() - (n / 500) * interval '1 day' END, '', '',
    CASE WHEN n %% 40 = 0 THEN ARRAY['incomplete'] ELSE ARRAY[]::varchar[] END
FROM generate_series(%(first)s, %(last)s) n
"""


def fill(first: int, last: int) -> None:
    """Many share a plan, an MRR, a payment status and the day they were first billed."""
    with database.cursor() as cursor:
        cursor.execute(FILL, {"first": first, "last": last})
        cursor.execute("ANALYZE customers_customer")


@pytest.fixture(autouse=True)
def _many(client: Client) -> None:
    client.force_login(AdminFactory())
    fill(1, MANY)


@pytest.mark.parametrize(("sort", "index"), INDEXES.items())
def test_each_sort_is_read_in_the_order_of_its_index(client: Client, sort: str, index: str) -> None:
    plan = plan_of_list(client, f"/customers/?sort={sort}")

    assert index in indexes_of(plan)
    assert rows_read_of(plan, TABLE) <= ONE_PAGE


@pytest.mark.parametrize(("sort", "index"), INDEXES.items())
def test_a_page_further_on_costs_what_the_first_costs(client: Client, sort: str, index: str) -> None:
    address = f"/customers/?sort={sort}"
    for _page in range(10):
        [following] = re.findall(r'href="([^"]*[?&](?:amp;)?after=[^"]*)"', client.get(address).content.decode())[:1]
        address = unescape(following)
    plan = plan_of_list(client, address)

    assert index in indexes_of(plan)
    assert rows_read_of(plan, TABLE) <= ONE_PAGE


@pytest.mark.parametrize("sort", ["owner", "-owner"])
def test_by_owner_each_owner_is_read_in_the_order_of_the_index(
    client: Client, sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_owner, "FEW", 100)
    of_many, of_few = UserFactory(username="ann"), UserFactory(username="zoe")
    Customer.objects.filter(pk__in=Customer.objects.order_by("pk").values("pk")[: MANY // 2]).update(owner=of_many)
    Customer.objects.filter(pk__in=Customer.objects.order_by("-pk").values("pk")[:60]).update(owner=of_few)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE customers_customer")
    plan = plan_of_list(client, f"/customers/?sort={sort}", beside=True)

    assert "customer_of_owner" in indexes_of(plan)
    assert rows_read_of(plan, TABLE) <= 3 * ONE_PAGE  # of each owner and of nobody


def test_those_flagged_are_found_without_the_rest(client: Client) -> None:
    Customer.objects.exclude(billing_flags=[]).update(status=Status.CHURNED)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE customers_customer")
    plan = plan_of_list(client, "/customers/?incomplete=on")

    assert "customer_flagged" in indexes_of(plan)
    assert rows_read_of(plan, TABLE) <= MANY / 40


@pytest.mark.parametrize("sort", ["payment", "since", "-since"])
def test_twice_the_customers_cost_no_more(client: Client, sort: str) -> None:
    before = rows_read_of(plan_of_list(client, f"/customers/?sort={sort}"), TABLE)
    fill(MANY + 1, 2 * MANY)

    assert rows_read_of(plan_of_list(client, f"/customers/?sort={sort}"), TABLE) == before

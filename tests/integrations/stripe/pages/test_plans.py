"""The lists of Stripe customers are read in the order of an index: a page costs the same however many there are."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection as database
from django.test import Client
from django.urls import reverse

from integrations.models import StripeConnection
from tests.factories import AdminFactory
from tests.integrations.stripe.pages.factories import ConnectionFactory
from tests.plans import indexes_of, plan_of_list, rows_read_of

pytestmark = pytest.mark.django_db

TABLE = "integrations_stripecustomer"
MANY = 4000
TWO_PAGES = 102  # one row more is read than is shown, on this page and for its neighbour

FILL = """
INSERT INTO integrations_stripecustomer (connection_id, stripe_id, data, observed_at, email, email_address,
    email_domain, personal, name, created, deleted, standing, match_state, match_reason, winner, ambiguous_kind, stake)
SELECT %(connection)s, 'cus_' || lpad(n::text, 8, '0'), '{}', now(), 'a@company' || n || '.com',
    'a@company' || n || '.com', 'company' || n || '.com', FALSE, 'Company ' || n, now(), FALSE, 'live',
    CASE WHEN n %% 3 = 0 THEN 'skipped' ELSE 'unmatched' END,
    CASE WHEN n %% 3 = 0 THEN 'no_email' ELSE 'no_customer' END,
    FALSE, '', (n * 7919 %% 10007)
FROM generate_series(%(first)s, %(last)s) n
"""


def fill(connection: StripeConnection, first: int, last: int) -> None:
    with database.cursor() as cursor:
        cursor.execute(FILL, {"connection": connection.pk, "first": first, "last": last})
        cursor.execute("ANALYZE integrations_stripecustomer")


@pytest.fixture
def connection(client: Client) -> StripeConnection:
    client.force_login(AdminFactory())
    connection = ConnectionFactory()
    fill(connection, 1, MANY)
    return connection


@pytest.mark.parametrize("name", ["unmatched", "skipped"])
def test_a_list_is_read_in_the_order_of_its_index(client: Client, connection: StripeConnection, name: str) -> None:
    address = reverse(f"stripe:{name}", args=["live"])
    plan = plan_of_list(client, address)

    assert "stripecustomer_stake" in indexes_of(plan)
    assert rows_read_of(plan, TABLE) <= TWO_PAGES


def test_a_page_further_on_costs_what_the_first_costs(client: Client, connection: StripeConnection) -> None:
    address = reverse("stripe:unmatched", args=["live"])
    for _page in range(10):
        said = client.get(address).content.decode()
        [following] = re.findall(r'href="([^"]*[?&](?:amp;)?after=[^"]*)"', said)[:1]
        address = unescape(following)
    assert rows_read_of(plan_of_list(client, address), TABLE) <= TWO_PAGES


def test_twice_the_rows_cost_no_more(client: Client, connection: StripeConnection) -> None:
    address = reverse("stripe:unmatched", args=["live"])
    before = rows_read_of(plan_of_list(client, address), TABLE)
    fill(connection, MANY + 1, 2 * MANY)

    assert rows_read_of(plan_of_list(client, address), TABLE) == before

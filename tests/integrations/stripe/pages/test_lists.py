"""The lists behind the counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from integrations.models import Mode, ScopeFilter, StripeConnection, StripeCustomer
from integrations.stripe.pages.presenters import lists
from tests.factories import AdminFactory, CustomerFactory
from tests.integrations.stripe.pages.factories import (
    ConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)
from tests.queries import MOST_QUERIES

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


@pytest.fixture
def connection() -> StripeConnection:
    return ConnectionFactory()


def page(client: Client, name: str, mode: str = "live", **query: str) -> str:
    return " ".join(client.get(reverse(f"stripe:{name}", args=[mode]), query).content.decode().split())


def worth(connection: StripeConnection, mrr: int, **fields: Any) -> StripeCustomer:
    row = StripeCustomerFactory(connection=connection, **fields)
    StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id, mrr=Decimal(mrr))
    return row


def test_unmatched_come_with_the_most_at_stake_first(admin: Client, connection: StripeConnection) -> None:
    worth(connection, 310, name="Harbor and Finch LLC")
    worth(connection, 480, name="Fernbank Analytics")
    said = page(admin, "unmatched")
    assert said.index("Fernbank Analytics") < said.index("Harbor and Finch LLC")
    assert "$480" in said


def test_unmatched_say_why_and_lead_to_stripe(admin: Client, connection: StripeConnection) -> None:
    row = worth(connection, 310, email="billing@harborandfinch.com")
    said = page(admin, "unmatched")
    assert "No customer has harborandfinch.com" in said
    assert f'href="https://dashboard.stripe.com/acct_1Fieldnote/customers/{row.stripe_id}"' in said
    assert 'rel="noopener noreferrer"' in said


def test_test_mode_leads_to_the_test_side_of_the_dashboard(admin: Client) -> None:
    row = worth(ConnectionFactory(mode=Mode.TEST), 310)
    assert f"/acct_1Fieldnote/test/customers/{row.stripe_id}" in page(admin, "unmatched", "test")


def test_at_stake_is_what_is_in_scope(admin: Client, connection: StripeConnection) -> None:
    ScopeFilter.objects.create(connection=connection, kind="product", value="prod_growth")
    row = worth(connection, 480)
    StripeSubscriptionFactory(
        connection=connection,
        customer_id=row.stripe_id,
        mrr=Decimal(1000),
        product_ids=["prod_other"],
        lookup_keys=[],
    )
    assert '<td role="cell" class="figure q-figure">$480</td>' in page(admin, "unmatched")


def test_matched_stand_beside_their_customer(admin: Client, connection: StripeConnection) -> None:
    customer = CustomerFactory(name="Acme Corp", billed=True)
    worth(connection, 480, customer=customer, name="Acme Deutschland")
    said = page(admin, "matched")
    assert customer.get_absolute_url() in said
    assert "Acme Deutschland" in said


def test_skipped_can_be_narrowed_to_a_reason(admin: Client, connection: StripeConnection) -> None:
    worth(connection, 1, name="Jane", match_state="skipped", match_reason="personal_email", email="jane@gmail.com")
    worth(connection, 1, name="Nobody", match_state="skipped", match_reason="no_email", email="")
    said = page(admin, "skipped", why="personal_email")
    assert "gmail.com is a personal domain" in said
    assert "Nobody" not in said


@pytest.mark.parametrize("query", ["fernbank", "billing@eu.fernbank", "cus_fern"])
def test_a_search_finds_name_e_mail_and_id(admin: Client, connection: StripeConnection, query: str) -> None:
    worth(connection, 1, name="Fernbank Analytics", email="billing@eu.fernbank.com", stripe_id="cus_fern1")
    worth(connection, 1, name="Osprey")
    said = page(admin, "unmatched", q=query)
    assert "Fernbank Analytics" in said
    assert "Osprey" not in said


@pytest.mark.parametrize("query", ["%", "\x00", "'; --", "x" * 5000])
def test_a_search_that_makes_no_sense_finds_nothing_and_breaks_nothing(
    admin: Client, connection: StripeConnection, query: str
) -> None:
    worth(connection, 1)
    assert admin.get(reverse("stripe:unmatched", args=["live"]), {"q": query}).status_code == 200


def test_an_empty_filter_says_so_and_offers_to_clear_it(admin: Client, connection: StripeConnection) -> None:
    worth(connection, 1)
    assert "Nothing matches this filter" in page(admin, "unmatched", q="nobody at all")


def test_an_empty_list_says_what_that_means(admin: Client, connection: StripeConnection) -> None:
    assert "Nobody is unmatched" in page(admin, "unmatched")


def test_the_next_page_goes_on_where_this_one_ends(
    admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 2)
    for number in range(5):
        worth(connection, 100, name=f"Same sum {number}")
    seen: list[str] = []
    address = reverse("stripe:unmatched", args=["live"])
    while address:
        listing = admin.get(address).context["listing"]
        seen += [row.name for row in listing.rows]
        address = listing.neighbours.next
    assert sorted(seen) == [f"Same sum {number}" for number in range(5)]


def test_a_page_keeps_its_filter_when_it_goes_on(
    admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 1)
    worth(connection, 2, name="Osprey One")
    worth(connection, 1, name="Osprey Two")
    listing = admin.get(reverse("stripe:unmatched", args=["live"]), {"q": "osprey"}).context["listing"]
    assert "q=osprey" in listing.neighbours.next


def test_a_cursor_somebody_made_up_means_the_first_page(admin: Client, connection: StripeConnection) -> None:
    worth(connection, 1, name="Osprey")
    assert "Osprey" in page(admin, "unmatched", after="made:up")


def test_text_from_stripe_is_escaped_and_cut(admin: Client, connection: StripeConnection) -> None:
    worth(connection, 1, name="<script>alert(1)</script>" + "x" * 3000, email='"><img src=x>@evil.com')
    for name in ("unmatched", "matched", "skipped"):
        said = page(admin, name)
        assert "<script>alert(1)" not in said
        assert "<img src=x" not in said
        assert "x" * 600 not in said


def test_an_id_from_stripe_cannot_leave_its_place_in_a_link(admin: Client, connection: StripeConnection) -> None:
    worth(connection, 1, stripe_id="cus_1/../../evil?x=#")
    assert "customers/cus_1%2F..%2F..%2Fevil%3Fx%3D%23" in page(admin, "unmatched")


def test_one_mode_never_shows_the_other(admin: Client, connection: StripeConnection) -> None:
    worth(ConnectionFactory(mode=Mode.TEST), 1, name="Test person")
    assert "Test person" not in page(admin, "unmatched")


@pytest.mark.parametrize("name", ["matched", "unmatched", "skipped", "ambiguous"])
def test_a_list_asks_the_database_a_constant_number_of_times(
    admin: Client, connection: StripeConnection, name: str
) -> None:
    def rows(number: int) -> None:
        for _ in range(number):
            customer = CustomerFactory(billed=True)
            for _twice in range(2):
                worth(connection, 1, customer=customer, ambiguous_kind="shared_domain")
            worth(connection, 1)
            worth(connection, 1, match_state="skipped", match_reason="no_email")

    def queries() -> int:
        with CaptureQueriesContext(database) as captured:
            admin.get(reverse(f"stripe:{name}", args=["live"]))
        return len(captured)

    rows(1)
    few = queries()
    rows(6)
    assert queries() == few <= MOST_QUERIES

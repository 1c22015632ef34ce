"""The customer list: what it finds, in which order, adds up, and exports."""

from __future__ import annotations

import csv
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.db.models import Q
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers import selectors
from customers.models import BillingFlag, Customer
from customers.panels import CustomerPanel, ListBadges, registry
from tests.factories import (
    ActivityFactory,
    AdminFactory,
    CustomerDomainFactory,
    CustomerFactory,
    MrrPointFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
LIST = "/customers/"


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(AdminFactory())
    return client


def found(client: Client, **query: Any) -> list[str]:
    return [row.customer.name for row in client.get(LIST, query).context["rows"]]


def test_largest_mrr_comes_first(client: Client) -> None:
    for name, mrr in (("Small", 10), ("Large", 900), ("Middle", 200)):
        CustomerFactory(name=name, billed=True, mrr=mrr)
    assert found(client) == ["Large", "Middle", "Small"]


def test_one_environment_is_shown_and_added_up_at_a_time(client: Client) -> None:
    CustomerFactory(name="Real", billed=True, mrr=100)
    CustomerFactory(name="Trial run", billed=True, mrr=7, environment="staging")
    assert found(client) == ["Real"]
    staging = client.get(LIST, {"environment": "staging"})
    assert [row.customer.name for row in staging.context["rows"]] == ["Trial run"]
    assert staging.context["totals"].mrr == Decimal(7)
    assert "Test data" in staging.content.decode()


def test_an_environment_that_does_not_exist_shows_production(client: Client) -> None:
    CustomerFactory(name="Real")
    assert found(client, environment="elsewhere") == ["Real"]


def test_churned_and_archived_ones_are_hidden_unless_asked_for(client: Client) -> None:
    for status in ("active", "at_risk", "churned", "archived"):
        CustomerFactory(name=status, status=status)
    assert set(found(client)) == {"active", "at_risk"}
    assert set(found(client, status="with_churned")) == {"active", "at_risk", "churned"}
    assert found(client, status="archived") == ["archived"]
    assert len(found(client, status="all")) == 4


def test_a_search_finds_churned_ones_too(client: Client) -> None:
    CustomerFactory(name="Delmar Textiles", status="churned")
    assert found(client, q="delmar") == ["Delmar Textiles"]


@pytest.mark.parametrize(
    "text",
    ["north", "NORTHWIND", "trad", "northwind trad", "northwind.co", "https://www.northwind.co/x", "ann@northwind.co",
     "cus_QmT4", "north-extra", "wörks"],
)  # fmt: skip
def test_a_search_looks_at_name_domain_and_stripe_id(client: Client, text: str) -> None:
    customer = CustomerFactory(
        name="Northwind Traders/Wörks", domain="northwind.co", stripe_customer_id="cus_QmT4vE0aZkL9pX"
    )
    CustomerDomainFactory(customer=customer, domain="north-extra.com")
    CustomerFactory(name="Other", domain="other.com")
    assert found(client, q=text) == ["Northwind Traders/Wörks"]


@pytest.mark.parametrize("text", ["%", "&", "!!", "a:* | b", "'; drop", "\\", "https://", "@", "\x00"])
def test_a_search_for_signs_finds_nothing_and_breaks_nothing(client: Client, text: str) -> None:
    CustomerFactory(name="Northwind", domain="northwind.co")
    assert client.get(LIST, {"q": text}).status_code == 200


def test_filters_narrow_together(client: Client) -> None:
    CustomerFactory(name="Both", billed=True, payment_status="failing", plan_label="Scale")
    CustomerFactory(name="Only failing", billed=True, payment_status="failing")
    CustomerFactory(name="Only scale", billed=True, plan_label="Scale")
    assert found(client, pay="failing", plan="Scale") == ["Both"]


def test_past_due_and_failing_can_be_asked_for_together(client: Client) -> None:
    for status in ("paid", "past_due", "failing"):
        CustomerFactory(name=status, payment_status=status)
    assert set(found(client, pay="late")) == {"past_due", "failing"}


@pytest.mark.parametrize(
    ("box", "flag"),
    [
        ("undecided", BillingFlag.UNDECIDED),
        ("incomplete", BillingFlag.INCOMPLETE),
        ("older", BillingFlag.OLDER_INVOICE_OPEN),
    ],
)
def test_flags_can_be_asked_for(client: Client, box: str, flag: str) -> None:
    CustomerFactory(name="Flagged", billed=True, billing_flags=[flag])
    CustomerFactory(name="Plain", billed=True)
    assert found(client, **{box: "on"}) == ["Flagged"]


def test_the_owner_filter_knows_nobody_too(client: Client) -> None:
    owner = UserFactory()
    CustomerFactory(name="Owned", owner=owner)
    CustomerFactory(name="Free")
    assert found(client, owner=owner.pk) == ["Owned"]
    assert found(client, owner="none") == ["Free"]


@pytest.mark.parametrize("query", [{"pay": "gold"}, {"owner": "999999"}, {"sort": "colour"}, {"changed": "300"}])
def test_what_the_list_does_not_understand_counts_as_not_said(client: Client, query: dict[str, str]) -> None:
    CustomerFactory(name="Here")
    assert found(client, **query) == ["Here"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["alpha", "Beta", "Gamma"]),
        ("-name", ["Gamma", "Beta", "alpha"]),
        ("plan", ["Gamma", "alpha", "Beta"]),
        ("payment", ["Beta", "Gamma", "alpha"]),
        ("since", ["alpha", "Beta", "Gamma"]),
        ("-since", ["Beta", "alpha", "Gamma"]),
        ("owner", ["Gamma", "Beta", "alpha"]),
    ],
)
def test_columns_sort_both_ways_with_blanks_last(client: Client, sort: str, expected: list[str]) -> None:
    now, earlier = timezone.now(), timezone.now() - timedelta(days=9)
    zoe, ada = UserFactory(first_name="Zoe"), UserFactory(first_name="ada")
    CustomerFactory(name="alpha", plan_label="B", payment_status="paid", billing_started_at=earlier, owner=zoe)
    CustomerFactory(name="Beta", plan_label="C", payment_status="failing", billing_started_at=now, owner=ada)
    CustomerFactory(name="Gamma", plan_label="A", payment_status="past_due")
    assert found(client, sort=sort) == expected


def test_pages_follow_each_other_without_gaps_or_repeats(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "PAGE_SIZE", 4)
    names = {CustomerFactory(name=f"C{n}", billed=True, mrr=n // 3).name for n in range(11)}
    pages, url = [], LIST
    while url:
        response = client.get(url)
        pages.append([row.customer.name for row in response.context["rows"]])
        url = response.context["next_url"]
    assert [len(page) for page in pages] == [4, 4, 3]
    assert {name for page in pages for name in page} == names
    back = client.get(client.get(response.context["previous_url"]).context["previous_url"])
    assert [row.customer.name for row in back.context["rows"]] == pages[0]
    assert not back.context["previous_url"]


@pytest.mark.parametrize("cursor", ["", "xyz", "W10:abc:def", "é"])
def test_a_broken_cursor_shows_the_first_page(client: Client, cursor: str) -> None:
    CustomerFactory(name="Here")
    assert found(client, after=cursor) == ["Here"]


def test_totals_say_how_much_is_late_and_whether_something_is_left_out(client: Client) -> None:
    CustomerFactory(billed=True, mrr=Decimal("100.50"))
    CustomerFactory(billed=True, mrr=30, payment_status="failing", billing_flags=[BillingFlag.INCOMPLETE])
    CustomerFactory(billed=True, mrr=20, payment_status="past_due")
    page = client.get(LIST)
    totals = page.context["totals"]
    assert (totals.mrr, totals.late_mrr, totals.customers, totals.at_least) == (Decimal("150.50"), Decimal(50), 3, True)
    assert "At least $150.50 MRR" in page.content.decode()


def test_customers_that_share_a_domain_carry_a_badge(client: Client) -> None:
    CustomerFactory(name="Schools", domain="pinecrest.edu")
    CustomerFactory(name="Foundation", domain="pinecrest.edu")
    CustomerFactory(name="Archived", domain="pinecrest.edu", status="archived")
    CustomerFactory(name="Staged", domain="pinecrest.edu", environment="staging")
    CustomerFactory(name="Alone", domain="alone.com")
    shared = {row.customer.name: row.shared for row in client.get(LIST).context["rows"]}
    assert shared == {"Schools": 2, "Foundation": 2, "Alone": 0}


def test_a_domain_shared_through_an_extra_one_carries_the_badge_on_both(client: Client) -> None:
    CustomerDomainFactory(domain="acme.de", customer=CustomerFactory(name="With the extra one"))
    CustomerFactory(name="With its own", domain="acme.de")
    CustomerFactory(name="Archived", domain="acme.de", status="archived")
    html = client.get(LIST).content.decode()
    assert html.count('title="2 customers share acme.de"') == 2
    assert html.count("q=acme.de&amp;whose=all") == 2


def test_changed_lists_the_worst_first(client: Client) -> None:
    now = timezone.now()
    calm = CustomerFactory(name="Grown", billed=True, mrr=500)
    lost = CustomerFactory(name="Shrunk", billed=True, mrr=100)
    failing = CustomerFactory(name="Failing", billed=True, mrr=50, payment_status="failing")
    CustomerFactory(name="Unchanged", billed=True)
    for customer, before in ((calm, 400), (lost, 900), (failing, 50)):
        MrrPointFactory(customer=customer, at=now - timedelta(days=30), mrr=before)
        ActivityFactory(customer=customer, at=now)
    page = client.get(LIST, {"changed": "7"})
    assert [row.customer.name for row in page.context["rows"]] == ["Failing", "Shrunk", "Grown"]
    assert "was $900" in page.content.decode()


def test_stale_is_what_any_integration_calls_stale(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class ByTime(CustomerPanel):
        def stale(self, environment: str) -> Q:
            return Q(billing_as_of__lt=timezone.now() - timedelta(hours=1))

    class ByName(CustomerPanel):
        def stale(self, environment: str) -> Q:
            return Q(name="Failing")

    monkeypatch.setattr(registry, "panels", [ByTime(), ByName(), CustomerPanel()])
    CustomerFactory(name="Old", billed=True, billing_as_of=timezone.now() - timedelta(hours=2))
    CustomerFactory(name="Failing", billed=True)
    CustomerFactory(name="Fresh", billed=True)
    CustomerFactory(name="Never billed")
    assert sorted(found(client, stale="on")) == ["Failing", "Old"]


def test_where_no_integration_calls_anything_stale_nothing_is(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "panels", [CustomerPanel()])
    CustomerFactory(name="Fresh", billed=True)
    assert found(client, stale="on") == []


def test_rows_say_what_the_integrations_say(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = CustomerFactory(billed=True, billing_flags=[BillingFlag.INCOMPLETE])

    class Panel(CustomerPanel):
        def list_badges(self, request: Any, customers: Any) -> dict[int, ListBadges]:
            return {customer.pk: ListBadges(plan_more=3, incomplete="leaves out <NGN>", hint="Trial until 4 Dec")}

    monkeypatch.setattr(registry, "panels", [Panel()])
    html = client.get(LIST).content.decode()
    assert "Growth +3" in html
    assert "leaves out &lt;NGN&gt;" in html
    assert "≥ $1,400" in html
    assert "Trial until 4 Dec" in html


def test_hostile_text_is_only_text(client: Client) -> None:
    CustomerFactory(name="<script>alert(1)</script>", plan_label='"><img src=x>', billed=True)
    html = client.get(LIST).content.decode()
    assert "<script>alert(1)" not in html
    assert "<img src=x>" not in html


def test_the_number_of_queries_does_not_grow_with_the_rows(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    owner = UserFactory()
    CustomerFactory.create_batch(40, billed=True, owner=owner)
    with django_assert_max_num_queries(14):  # four of them are session, person and permissions
        client.get(LIST)


def test_members_start_on_their_own_customers(client: Client) -> None:
    member = UserFactory()
    CustomerFactory(name="Mine", owner=member)
    CustomerFactory(name="Theirs")
    client.force_login(member)
    assert found(client) == ["Mine"]
    assert set(found(client, whose="all")) == {"Mine", "Theirs"}


def test_with_assigned_access_members_see_only_their_own(client: Client, settings: Any) -> None:
    settings.DEFAULT_ACCESS = "assigned"
    member = UserFactory()
    CustomerFactory(name="Mine", owner=member)
    CustomerFactory(name="Theirs")
    client.force_login(member)
    assert found(client, whose="all") == ["Mine"]
    assert "Theirs" not in exported(client, whose="all")[0].values()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [({"q": "zzz"}, "No customer fits these filters"), ({"whose": "mine"}, "No customer is yours yet"),
     ({}, "No customers here yet")],
)  # fmt: skip
def test_an_empty_list_says_why(client: Client, query: dict[str, str], sentence: str) -> None:
    assert sentence in client.get(LIST, query).content.decode()


def exported(client: Client, **query: Any) -> list[dict[str, str]]:
    response = client.get("/customers/export.csv", query)
    assert response["Content-Type"].startswith("text/csv")
    text = b"".join(response.streaming_content).decode()  # type: ignore[arg-type]
    return list(csv.DictReader(StringIO(text)))


def test_the_csv_has_exactly_what_is_filtered_in_the_same_order(client: Client) -> None:
    CustomerFactory(name="Small", billed=True, mrr=1, plan_label="Scale", plan="scale_yearly")
    CustomerFactory(name="Large", billed=True, mrr=2, plan_label="Scale")
    CustomerFactory(name="Other", billed=True, mrr=3)
    rows = exported(client, plan="Scale")
    assert [row["name"] for row in rows] == ["Large", "Small"]
    assert (rows[1]["plan"], rows[1]["plan_label"], rows[1]["mrr"]) == ("scale_yearly", "Scale", "1.00")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1"])
def test_no_spreadsheet_runs_a_cell_as_a_formula(client: Client, name: str) -> None:
    CustomerFactory(name=name)
    assert exported(client)[0]["name"] == f"'{name}"


def test_moments_in_the_csv_are_utc(client: Client) -> None:
    CustomerFactory(billed=True, billing_started_at="2024-08-14T12:00:00+02:00")
    assert exported(client)[0]["billing_started_at"] == "2024-08-14T10:00:00Z"


# --- at risk ----------------------------------------------------------------------------------------------------


def at_risk(name: str, amount: int, **fields: Any) -> None:
    defaults = {"mrr": amount, "mrr_at_risk": amount, "at_risk_reason": "ending", "at_risk_at": timezone.now()}
    CustomerFactory(name=name, billed=True, **{**defaults, **fields})


def test_the_most_at_risk_come_first_and_no_others(client: Client) -> None:
    at_risk("Little", 10, mrr=900)
    at_risk("Much", 50, mrr=60)
    CustomerFactory(name="Fine", billed=True, mrr_at_risk=0)
    assert found(client, risk="on") == ["Much", "Little"]
    assert found(client, risk="on", sort="risk") == ["Little", "Much"]
    assert found(client, risk="on", sort="name") == ["Little", "Much"]
    assert found(client, sort="-risk") == ["Fine", "Little", "Much"]  # without the filter there is no such column


def test_the_list_says_what_is_at_risk_and_leads_to_whose(client: Client) -> None:
    at_risk("Ending", 40)
    at_risk("Elsewhere", 7, environment="staging")
    CustomerFactory(billed=True, mrr_at_risk=0)
    page = client.get(LIST)
    assert page.context["totals"].risk_mrr == Decimal(40)
    html = page.content.decode()
    assert "At risk within 30 days:" in html
    assert 'href="/customers/?risk=on"' in html
    assert "$40</a> on 1 customer" in " ".join(html.split())


def test_a_row_at_risk_says_why_and_when(client: Client) -> None:
    day = timezone.now().replace(month=3, day=4, year=2031, hour=12)
    at_risk("Ending", 40, at_risk_at=day)
    at_risk("Failing", 30, at_risk_reason="failing", at_risk_at=day)
    at_risk("Failing too", 20, at_risk_reason="failing", at_risk_at=None)
    rows = client.get(LIST, {"risk": "on"}).context["rows"]
    assert [row.risk for row in rows] == ["Ends 4 Mar 2031", "Failing, invoice of 4 Mar 2031", "Payment failing"]


def test_a_sum_at_risk_that_leaves_something_out_is_at_least(client: Client) -> None:
    at_risk("Ending", 40, billing_flags=[BillingFlag.INCOMPLETE])
    html = client.get(LIST).content.decode()
    assert "at least $40" in html


def test_what_is_not_worked_out_yet_is_no_zero(client: Client) -> None:
    CustomerFactory.create_batch(2, billed=True)
    html = client.get(LIST).content.decode()
    assert "What is at risk is not worked out yet for 2 customers." in html
    assert "Nothing at risk" not in html
    Customer.objects.update(mrr_at_risk=0)
    assert "Nothing at risk within 30 days" in client.get(LIST).content.decode()


def test_the_csv_follows_the_filter_with_what_is_at_risk(client: Client) -> None:
    at_risk("Ending", 40, mrr=90)
    CustomerFactory(name="Unknown", billed=True)
    [row] = exported(client, risk="on")
    assert (row["name"], row["mrr_at_risk"], row["at_risk_reason"]) == ("Ending", "40.00", "ending")
    assert {row["name"]: row["mrr_at_risk"] for row in exported(client)}["Unknown"] == ""

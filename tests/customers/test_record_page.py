"""The customer page: the five facts, what integrations add, the history."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from pytest_django import DjangoAssertNumQueries

from customers import mrr_history, wording
from customers.panels import CustomerPanel, Header, Link, MenuItem, Note, registry
from customers.views import record
from tests.factories import (
    ActivityFactory,
    AdminFactory,
    CustomerDomainFactory,
    CustomerFactory,
    MrrPointFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(AdminFactory())
    return client


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put one panel in place of the integrations' own; keyword arguments are its answers."""

    def put(**answers: Any) -> None:
        one = CustomerPanel()
        for name, answer in answers.items():
            monkeypatch.setattr(one, name, lambda *args, answer=answer: answer)
        monkeypatch.setattr(registry, "panels", [one])

    put()
    return put


def html_of(client: Client, customer: Any) -> str:
    response = client.get(customer.get_absolute_url())
    assert response.status_code == 200
    html = " ".join(response.content.decode().split())
    return re.sub(r"\s*(<[^>]+>)\s*", r"\1", html)  # blanks beside tags are the template's


@pytest.mark.parametrize("ending", ["", "-acme", "-totally-wrong-slug", "-", "-ümlaut-%3F"])
def test_the_number_alone_decides_which_customer_it_is(client: Client, ending: str) -> None:
    customer = CustomerFactory(name="Acme Corp")
    assert client.get(f"/customers/{customer.pk}{ending}").context["customer"] == customer


@pytest.mark.parametrize("number", ["0", "999999", "9" * 18])
def test_an_unknown_number_is_not_found(client: Client, number: str) -> None:
    assert client.get(f"/customers/{number}").status_code == 404
    assert client.get(f"/customers/{number}-acme").status_code == 404


def test_the_address_survives_a_name_without_letters(client: Client) -> None:
    customer = CustomerFactory(name="株式会社")
    assert customer.get_absolute_url() == f"/customers/{customer.pk}"
    assert "株式会社" in html_of(client, customer)


def test_the_header_shows_the_facts(client: Client, panel: Callable[..., None]) -> None:
    header = Header("Stripe", attached=True, live=True, mrr_url="/receipt", plan_more=3)
    panel(header=header)
    started = timezone.now() - timedelta(days=800)
    customer = CustomerFactory(billed=True, payment_status="failing", billing_started_at=started)
    html = html_of(client, customer)
    for fact in ("Growth +3", ">$1,400</a>", "Payment failing", f"Billed since {started:%b %Y}", ", live"):
        assert fact in html
    assert "2 years and 2 months" in html
    assert "synced from Stripe" in html


def test_notes_stand_under_the_facts_with_their_links(client: Client, panel: Callable[..., None]) -> None:
    note = Note("2 declined <b>", "failing", Link("Open the invoice", "https://dashboard.stripe.com/x", external=True))
    panel(header=Header("Stripe", attached=True, notes=[note]))
    html = html_of(client, CustomerFactory(billed=True))
    assert "2 declined &lt;b&gt;" in html
    assert 'href="https://dashboard.stripe.com/x" rel="noopener noreferrer">Open the invoice</a>' in html


def test_nothing_attached_shows_dashes_and_says_why(client: Client, panel: Callable[..., None]) -> None:
    why = Note("No Stripe customer has an e-mail there.", "none", Link("Why is it blank?", "#why"))
    panel(header=Header("Stripe", attached=False, notes=[why]))
    html = html_of(client, CustomerFactory())
    assert "No payment status" in html
    assert "$0" not in html
    assert "Why is it blank?" in html


def test_without_any_integration_the_page_still_says_why_it_is_blank(
    client: Client, panel: Callable[..., None]
) -> None:
    html = html_of(client, CustomerFactory())
    assert "No billing integration has filled in these figures yet." in html
    assert "No billing to show" in html


def test_stale_figures_are_greyed_with_the_reason(client: Client, panel: Callable[..., None]) -> None:
    panel(header=Header("Stripe", attached=True, live=True, stale_reason="Stripe was disconnected on 18 Nov."))
    html = html_of(client, CustomerFactory(billed=True))
    assert "data-stale" in html
    assert "Stripe was disconnected on 18 Nov." in html
    assert ", live" not in html


def test_an_incomplete_mrr_says_at_least(client: Client, panel: Callable[..., None]) -> None:
    panel(header=Header("Stripe", attached=True, mrr_url="/receipt", mrr_incomplete="Leaves out NGN"))
    assert 'title="Leaves out NGN">≥ $1,400</a>' in html_of(client, CustomerFactory(billed=True))


def test_ended_billing_says_when(client: Client, panel: Callable[..., None]) -> None:
    panel(header=Header("Stripe", attached=True, ended_at=timezone.now() - timedelta(days=30)))
    assert "Billing ended" in html_of(client, CustomerFactory(billed=True, mrr=Decimal(0)))


def test_cards_menu_and_footer_come_from_the_integration(client: Client, panel: Callable[..., None]) -> None:
    panel(
        header=Header("Stripe", attached=True),
        cards=[format_html("<section>{}</section>", "Billing card")],
        menu=[MenuItem("Resync from Stripe", "/resync/", "post", "resync"), MenuItem("History", "/history/")],
        footer=SafeString('<div class="record-foot__row">cus_123</div>'),
    )
    html = html_of(client, CustomerFactory(billed=True))
    assert "<section>Billing card</section>" in html
    assert 'action="/resync/"><input type="hidden" name="csrfmiddlewaretoken"' in html
    assert 'href="/history/"' in html
    assert '<div class="record-foot__row">cus_123</div>' in html


def test_staging_pages_are_marked_as_test_data(client: Client) -> None:
    assert "Test data" in html_of(client, CustomerFactory(environment="staging"))


def test_extra_domains_are_named(client: Client) -> None:
    extra = CustomerDomainFactory(domain="acme.de")
    assert "acme.de" in html_of(client, extra.customer)


def test_the_history_reads_as_sentences(client: Client) -> None:
    customer = CustomerFactory()
    person = UserFactory(first_name="Priya", last_name="Raman")
    ActivityFactory(customer=customer, old="900.00", new="1125.50", origin="Stripe · 4 more seats")
    ActivityFactory(customer=customer, field="payment_status", old="paid", new="past_due")
    ActivityFactory(
        customer=customer, field="name", old="A", new="<i>", actor=person, actor_type="user", origin=""
    )  # fmt: skip
    html = html_of(client, customer)
    assert 'MRR<span class="change"><del>$900</del>→<ins>$1,125.50</ins>' in html
    assert "Stripe · 4 more seats" in html
    assert "<ins>past due</ins>" in html
    assert "&lt;i&gt;" in html
    assert "Priya Raman" in html


def test_mrr_over_time_shows_each_step_and_its_cause(client: Client) -> None:
    customer = CustomerFactory(billed=True)
    now = timezone.now()
    MrrPointFactory(customer=customer, at=now - timedelta(days=9), mrr=900)
    MrrPointFactory(customer=customer, at=now, mrr=1125, cause="seats")
    html = html_of(client, customer)
    assert "+ $225" in html
    assert "Seats" in html
    assert "History since" in html


def test_mrr_over_time_is_a_chart_with_its_table_and_marks_decisions(client: Client) -> None:
    customer = CustomerFactory(billed=True)
    now = timezone.now()
    MrrPointFactory(customer=customer, at=now - timedelta(days=10), mrr=900)
    MrrPointFactory(customer=customer, at=now - timedelta(days=5), mrr=1400, cause="decision")
    html = html_of(client, customer)
    assert re.search(r'class="chart__line" d="M0 65.6 H345.0 V18.8 H690"', html)
    assert re.search(r'class="chart__mark" x1="345.0"', html)
    assert "1 decision is marked." in html
    assert "Decision</span>" in html


def test_one_level_needs_no_chart(client: Client) -> None:
    customer = CustomerFactory(billed=True)
    MrrPointFactory(customer=customer)
    html = html_of(client, customer)
    assert "chart__plot" not in html
    assert "Hide exchange-rate moves" not in html


def test_moves_by_the_rate_can_be_hidden_and_the_others_keep_their_size(client: Client) -> None:
    customer = CustomerFactory(billed=True)
    now = timezone.now()
    for days, mrr, cause in ((9, 900, "first_sync"), (6, 910, "exchange_rate"), (3, 960, "seats")):
        MrrPointFactory(customer=customer, at=now - timedelta(days=days), mrr=mrr, cause=cause)
    assert "?rates=hidden" in html_of(client, customer)

    response = client.get(customer.get_absolute_url(), {"rates": "hidden"})

    steps = response.context["history"].steps
    assert [(step.point.cause, step.difference) for step in steps] == [("seats", 50), ("first_sync", None)]
    said = " ".join(response.content.decode().split())
    assert "1 move by the exchange rate is hidden, + $10." in said
    assert "Show exchange-rate moves" in said


def test_a_long_history_begins_where_it_began(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mrr_history, "STEPS_SHOWN", 2)
    customer = CustomerFactory(billed=True)
    now = timezone.now()
    for years, mrr in ((3, 100), (2, 250), (1, 300)):
        MrrPointFactory(customer=customer, at=now - timedelta(days=365 * years), mrr=mrr, cause="seats")
    html = html_of(client, customer)
    assert f"History since {wording.day(now - timedelta(days=365 * 3))}" in html
    assert "These are the newest 2 changes." in html
    assert "+ $150" in html


@pytest.mark.parametrize(
    ("highest", "top"),
    [
        ("0", "1"),
        ("1", "1"),
        ("900", "1000"),
        ("1400", "1600"),
        ("1601", "2000"),
        ("4.01", "8"),
        ("99999.99", "100000"),
    ],
)
def test_the_axis_ends_at_a_round_amount(highest: str, top: str) -> None:
    assert mrr_history.top_of(Decimal(highest)) == Decimal(top)


def test_the_number_of_queries_does_not_grow(
    client: Client, panel: Callable[..., None], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    customer = CustomerFactory(billed=True)
    ActivityFactory.create_batch(30, customer=customer)
    MrrPointFactory.create_batch(30, customer=customer)
    CustomerDomainFactory.create_batch(5, customer=customer)
    with django_assert_max_num_queries(10):
        client.get(customer.get_absolute_url())


def test_the_whole_history_pages_and_filters(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "PAGE_SIZE", 5)
    customer = CustomerFactory()
    now = timezone.now()
    for number in range(7):
        ActivityFactory(customer=customer, at=now - timedelta(days=number), new=f"{number}.00")
    ActivityFactory(customer=customer, at=now, field="owner", actor_type="user", new="Ann")
    url = f"/customers/{customer.pk}/activity"

    def count(**query: str) -> int:
        return sum(len(day.entries) for day in client.get(url, query).context["days"])

    first = client.get(url, {"event": "mrr"})
    assert sum(len(day.entries) for day in first.context["days"]) == 5
    assert count(event="mrr", after=first.context["after"]) == 2
    assert count(actor="user") == 1
    assert count(since=(now - timedelta(days=1)).date().isoformat()) == 3
    assert count(until=(now - timedelta(days=6)).date().isoformat()) == 1
    assert count(since="soon", actor="ghost") == 5


def test_the_history_as_csv_respects_the_filters(client: Client) -> None:
    customer = CustomerFactory()
    ActivityFactory(customer=customer, field="name", old="", new="=cmd()", actor_type="user")
    ActivityFactory(customer=customer)
    response = client.get(f"/customers/{customer.pk}/activity.csv", {"actor": "user"})
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["new_value"] for row in rows] == ["'=cmd()"]
    assert list(rows[0])[:7] == ["timestamp", "actor", "actor_type", "event_type", "field", "old_value", "new_value"]

"""The unmatched queue: link, create, ignore, very many at once, and CSV in and out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from customers.models import Customer, Status
from integrations.models import DecisionJob, MatchDecision, StripeConnection, StripeCustomer
from integrations.stripe.pages.views import choosing
from tests.factories import CustomerFactory, StaffFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import mrr, subscriber
from tests.integrations.stripe.sync.derived import derive_all, outcome
from tests.queued import work_off

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


def unmatched(live: StripeConnection, email: str, name: str) -> StripeCustomer:
    row = subscriber(email, live, name=name)
    derive_all(live)
    return row


def confirm(client: Client, view: str, reason: str = "Checked", **query: Any) -> Any:
    """Open the page that confirms it and send its form."""
    address = reverse(f"stripe:{view}", args=["live"])
    shown = client.get(address, query)
    seen = re.search(r'name="seen" value="([^"]*)"', shown.content.decode())
    assert seen, shown.content.decode()
    return client.post(f"{address}?{shown.request['QUERY_STRING']}", {"reason": reason, "seen": seen[1]})


def test_a_suggestion_is_linked_after_its_effect_was_shown(staff: Client, live: StripeConnection) -> None:
    fernbank = CustomerFactory(name="Fernbank", domain="fernbank.com")
    row = unmatched(live, "billing@eu.fernbank.com", "Fernbank Analytics")
    said = staff.get(reverse("stripe:unmatched", args=["live"])).content.decode()
    assert "Same parent domain, fernbank.com" in said
    assert outcome(row)[0] == "unmatched"
    confirm(staff, "decide_link", stripe=row.stripe_id, to=fernbank.pk)
    assert outcome(row) == ("matched", "pinned", "Fernbank")
    assert mrr(fernbank) == 100


def test_an_archived_customer_is_only_restored_and_linked(staff: Client, live: StripeConnection) -> None:
    gone = CustomerFactory(name="Maple Court", domain="maple.com", status=Status.ARCHIVED)
    row = unmatched(live, "office@maple.com", "Maple")
    said = staff.get(reverse("stripe:decide_link", args=["live"]), {"stripe": row.stripe_id, "to": gone.pk})
    assert "Restore and link" in said.content.decode()
    confirm(staff, "decide_link", stripe=row.stripe_id, to=gone.pk, restore=1)
    gone.refresh_from_db()
    assert gone.status == Status.ACTIVE
    assert outcome(row) == ("matched", "pinned", "Maple Court")


def test_a_customer_is_created_with_name_and_domain_from_stripe(staff: Client, live: StripeConnection) -> None:
    row = unmatched(live, "hola@brava.kitchen", "Brava Kitchens")
    confirm(staff, "decide_create", stripe=row.stripe_id)
    made = Customer.objects.get()
    assert (made.name, made.domain, made.mrr) == ("Brava Kitchens", "brava.kitchen", 100)


def test_several_are_ignored_and_undone_by_one_decision(staff: Client, live: StripeConnection) -> None:
    rows = [unmatched(live, f"a@company{n}.com", f"Company {n}") for n in range(3)]
    confirm(staff, "decide_ignore", stripe=[row.stripe_id for row in rows])
    assert {outcome(row)[:2] for row in rows} == {("skipped", "ignored")}
    taken = MatchDecision.objects.get()
    address = reverse("stripe:decide_undo", args=["live", taken.pk])
    seen = re.search(r'name="seen" value="([^"]*)"', staff.get(address).content.decode())
    assert seen
    staff.post(address, {"reason": "A mistake", "seen": seen[1]})
    assert {outcome(row)[0] for row in rows} == {"unmatched"}


def test_everybody_the_filter_finds_becomes_one_job(
    staff: Client, live: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "AT_ONCE", 2)
    rows = [unmatched(live, f"a@company{n}.com", f"Company {n}") for n in range(4)]
    other = unmatched(live, "a@other.com", "Other")
    answer = confirm(staff, "decide_ignore", all=1, q="Company")
    assert answer["Location"] == reverse("stripe:job", args=["live", DecisionJob.objects.get().pk])
    while work_off():
        continue
    assert {outcome(row)[:2] for row in rows} == {("skipped", "ignored")}
    assert outcome(other)[0] == "unmatched"
    assert "100 %" in staff.get(answer["Location"]).content.decode()


def test_a_job_about_others_than_were_shown_is_not_started(
    staff: Client, live: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "AT_ONCE", 1)
    for n in range(3):
        unmatched(live, f"a@company{n}.com", f"Company {n}")
    address = reverse("stripe:decide_ignore", args=["live"]) + "?all=1"
    answer = staff.post(address, {"reason": "Checked", "seen": "something else"})
    assert answer.status_code == 409
    assert not DecisionJob.objects.exists()


def test_a_skipped_one_can_be_linked_anyway(staff: Client, live: StripeConnection) -> None:
    acme = CustomerFactory(name="Acme", domain="acme.com")
    row = unmatched(live, "jane@gmail.com", "Jane")
    assert outcome(row)[:2] == ("skipped", "personal_email")
    confirm(staff, "decide_link", stripe=row.stripe_id, to=acme.pk, **{"from": "skipped"})
    assert outcome(row) == ("matched", "pinned", "Acme")


def test_a_blank_customer_is_offered_who_could_belong_to_it(staff: Client, live: StripeConnection) -> None:
    acme = CustomerFactory(name="Fernbank", domain="fernbank.com")
    unmatched(live, "billing@eu.fernbank.com", "Near by domain")
    unmatched(live, "a@nobody.org", "Stranger")
    said = staff.get(reverse("stripe:decide_link", args=["live"]), {"to": acme.pk}).content.decode()
    assert "Near by domain" in said
    assert "Stranger" not in said


def test_a_customer_of_the_other_environment_is_not_found(staff: Client, live: StripeConnection) -> None:
    row = unmatched(live, "a@company.com", "Company")
    elsewhere = CustomerFactory(environment="staging")
    query = {"stripe": row.stripe_id, "to": elsewhere.pk}
    assert staff.get(reverse("stripe:decide_link", args=["live"]), query).status_code == 404


def test_csv_holds_what_the_filter_finds_and_no_formula(staff: Client, live: StripeConnection) -> None:
    unmatched(live, "a@company.com", "=HYPERLINK(1)")
    unmatched(live, "a@other.com", "Other")
    answer: Any = staff.get(reverse("stripe:unmatched_csv", args=["live"]), {"q": "company"})
    said = b"".join(answer.streaming_content).decode()
    assert "'=HYPERLINK(1)" in said
    assert "Other" not in said
    assert said.count("\r\n") == 2


def test_a_file_is_reported_on_line_by_line_before_it_is_applied(staff: Client, live: StripeConnection) -> None:
    acme, gone = CustomerFactory(name="Acme"), CustomerFactory(name="Gone", status=Status.ARCHIVED)
    row = unmatched(live, "a@company.com", "Company")
    text = (
        f"stripe_customer_id,customer_id\n{row.stripe_id},{acme.pk}\ncus_unknown,{acme.pk}\n"
        f"{row.stripe_id},{acme.pk}\n{row.stripe_id},\n"
    )
    address = reverse("stripe:link_list", args=["live"])
    said = staff.post(address, {"file": SimpleUploadedFile("links.csv", text.encode())}).content.decode()
    assert "1 to link, 2 with an error, 1 left alone" in said
    assert "Line 2 names this Stripe customer already." in said
    assert not MatchDecision.objects.exists()
    staff.post(address, {"csv": text, "reason": "From the finance team"})
    while work_off():
        continue
    assert outcome(row) == ("matched", "pinned", "Acme")
    assert MatchDecision.objects.get().reason == "From the finance team"
    refused = staff.post(address, {"csv": f"stripe_customer_id,customer_id\n{row.stripe_id},{gone.pk}\n"})
    assert "Gone is archived; restore it first." in refused.content.decode()


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "stripe_customer_id;customer_id\n"])
def test_a_file_without_the_two_columns_is_refused_kindly(staff: Client, live: StripeConnection, text: str) -> None:
    said = staff.post(reverse("stripe:link_list", args=["live"]), {"csv": text}).content.decode()
    assert "The first line must name the columns" in said

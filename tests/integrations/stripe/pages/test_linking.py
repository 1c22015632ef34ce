"""Deciding on Stripe customers without a customer: link, create, ignore; one, a page, everybody a filter finds."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from customers.models import Customer, PersonalDomain, Status
from integrations.models import ConnectionState, DecisionJob, MatchDecision, Mode, StripeConnection, StripeCustomer
from integrations.stripe.pages.presenters import lists
from integrations.stripe.sync import decision_jobs
from tests.factories import (
    AdminFactory,
    CustomerFactory,
    StaffFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    UserFactory,
)
from tests.integrations.stripe.sync.deciding import mrr, subscriber
from tests.integrations.stripe.sync.derived import derive_all, outcome

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


def waiting(live: StripeConnection, number: int = 1, **fields: Any) -> list[StripeCustomer]:
    rows = [
        subscriber(f"a@company{n}.com", live, quantity=number - n, **{"name": f"Company {n}", **fields})
        for n in range(number)
    ]
    derive_all(live)
    return rows


def address(view: str, *rows: StripeCustomer, mode: str = "live", **query: Any) -> str:
    parts = [f"stripe={row.stripe_id}" for row in rows] + [f"{name}={value}" for name, value in query.items()]
    return f"{reverse(f'stripe:{view}', args=[mode])}?{'&'.join(parts)}"


def page(client: Client, url: str, status: int = 200) -> str:
    response = client.get(url)
    assert response.status_code == status
    return " ".join(response.content.decode().split())


def confirm(client: Client, url: str, **values: Any) -> str:
    """Open the confirmation, give a reason, and read the page it leads to."""
    shown = client.get(url).content.decode()
    sent = {"reason": "Because."}
    if found := re.search(r'name="seen"\s+value="([^"]*)"', shown):
        sent["seen"] = found[1]
    response = client.post(url, {**sent, **values}, follow=True)
    assert response.status_code in (200, 409)
    return " ".join(response.content.decode().split())


# --- one -----------------------------------------------------------------------------------------------------------


def test_a_suggestion_stands_beside_its_row_and_leads_to_its_confirmation(
    staff: Client, live: StripeConnection
) -> None:
    fernbank = CustomerFactory(name="Fernbank", domain="fernbank.com")
    [row] = [subscriber("a@eu.fernbank.com", live, name="Fernbank Analytics")]
    derive_all(live)
    said = page(staff, reverse("stripe:unmatched", args=["live"]))
    assert "Same parent domain, fernbank.com" in said
    link = address("decide_link", row, to=fernbank.pk) + "&from=unmatched"
    assert link.replace("&", "&amp;") in said


def test_linking_shows_the_header_first_and_puts_the_billing_there(staff: Client, live: StripeConnection) -> None:
    [row], acme = waiting(live), CustomerFactory(name="Acme")
    url = address("decide_link", row, to=acme.pk)
    said = page(staff, url)
    assert "Company 0 is put on Acme." in said
    assert "Nothing is decided yet." in said
    assert "$100" in said
    assert mrr(acme) == 0
    said = confirm(staff, url)
    assert (
        f'Linked to Acme. <a href="{reverse("stripe:decide_undo", args=["live", MatchDecision.objects.get().pk])}"'
        in said
    )
    assert (mrr(acme), outcome(row)[1]) == (100, "pinned")


def test_without_a_customer_one_is_searched_archived_ones_too(staff: Client, live: StripeConnection) -> None:
    [row] = waiting(live)
    CustomerFactory(name="Brightwater Labs")
    CustomerFactory(name="Brightwater Old", status=Status.ARCHIVED)
    CustomerFactory(name="Brightwater Staging", environment="staging")
    said = page(staff, address("decide_link", row, find="brightwater"))
    assert "Brightwater Labs" in said
    assert "Brightwater Staging" not in said
    assert re.search(r"restore=1\"> Restore and link <span[^>]*>to Brightwater Old", said)


def test_an_archived_customer_is_restored_only_when_that_was_asked_for(staff: Client, live: StripeConnection) -> None:
    [row], old = waiting(live), CustomerFactory(name="Old", status=Status.ARCHIVED)
    refused = staff.get(address("decide_link", row, to=old.pk), follow=True).content.decode()
    assert "restore it to link to it" in refused
    said = page(staff, address("decide_link", row, to=old.pk, restore=1))
    assert "Restore and link to Old" in said
    confirm(staff, address("decide_link", row, to=old.pk, restore=1))
    old.refresh_from_db()
    assert (old.status, old.mrr) == (Status.ACTIVE, 100)


def test_an_archived_customer_is_why_nobody_has_the_domain(staff: Client, live: StripeConnection) -> None:
    CustomerFactory(name="Maple", domain="company0.com", status=Status.ARCHIVED)
    waiting(live)
    said = page(staff, reverse("stripe:unmatched", args=["live"]))
    assert "Its customer is archived" in said
    assert "Restore and link" in said


def test_a_customer_is_created_with_name_and_domain_from_stripe(staff: Client, live: StripeConnection) -> None:
    [row] = waiting(live)
    said = page(staff, address("decide_create", row))
    assert "New customer: Company 0" in said
    assert not Customer.objects.exists()
    confirm(staff, address("decide_create", row))
    made = Customer.objects.get()
    assert (made.name, made.domain, made.mrr, outcome(row)[1]) == ("Company 0", "company0.com", 100, "pinned")


def test_an_ignored_one_is_skipped_and_can_be_linked_anyway(staff: Client, live: StripeConnection) -> None:
    [row], acme = waiting(live), CustomerFactory()
    confirm(staff, address("decide_ignore", row))
    assert outcome(row)[:2] == ("skipped", "ignored")
    said = page(staff, reverse("stripe:skipped", args=["live"]))
    assert "Link anyway…" in said
    confirm(staff, address("decide_link", row, to=acme.pk) + "&from=skipped")
    assert outcome(row)[1] == "pinned"


def test_what_was_decided_meanwhile_brings_the_page_back(staff: Client, live: StripeConnection) -> None:
    [row], acme = waiting(live), CustomerFactory()
    url = address("decide_link", row, to=acme.pk)
    seen = re.search(r'name="seen"\s+value="([^"]*)"', staff.get(url).content.decode())
    assert seen
    confirm(staff, address("decide_ignore", row))
    response = staff.post(url, {"reason": "Because.", "seen": seen[1]})
    assert response.status_code == 409
    assert outcome(row)[1] == "ignored"


def test_without_a_reason_nothing_is_decided(staff: Client, live: StripeConnection) -> None:
    [row] = waiting(live)
    confirm(staff, address("decide_ignore", row), reason=" ")
    assert not MatchDecision.objects.exists()


# --- several -------------------------------------------------------------------------------------------------------


def test_ticked_rows_are_one_decision_and_the_filter_stays(staff: Client, live: StripeConnection) -> None:
    rows = waiting(live, 3)
    said = confirm(
        staff, address("decide_ignore", rows[0], rows[2], q="company", why="no_customer") + "&from=unmatched"
    )
    assert [outcome(row)[1] for row in rows] == ["ignored", "no_customer", "ignored"]
    assert MatchDecision.objects.get().members.count() == 2
    assert 'name="q" type="search" value="company"' in said


def test_the_whole_page_is_chosen_without_a_script(staff: Client, live: StripeConnection) -> None:
    rows = waiting(live, 3)
    shown = re.search(
        r'name="shown"\s+value="([^"]*)"', staff.get(reverse("stripe:unmatched", args=["live"])).content.decode()
    )
    assert shown
    confirm(staff, address("decide_create", page="on", shown=shown[1]))
    assert [outcome(row)[1] for row in rows] == ["pinned"] * 3


def test_several_go_to_their_first_suggestions_and_the_pairs_are_named(staff: Client, live: StripeConnection) -> None:
    CustomerFactory(name="Company 0 Ltd")
    rows = waiting(live, 1)
    rows.append(subscriber("x@unheard.of", live, name="Unheard"))
    derive_all(live)
    url = address("decide_suggested", *rows)
    said = page(staff, url)
    assert "Company 0 to Company 0 Ltd: Name 100 % alike; domain " in said
    assert "1 without a suggestion stay as they are." in said
    confirm(staff, url)
    assert [outcome(row)[2] for row in rows] == ["Company 0 Ltd", ""]


def test_nobody_chosen_says_so(staff: Client, live: StripeConnection) -> None:
    said = staff.get(address("decide_ignore", q="x") + "&from=skipped", follow=True)
    assert "Choose at least one Stripe customer first." in said.content.decode()
    assert said.request["PATH_INFO"] == reverse("stripe:skipped", args=["live"])


# --- everybody -----------------------------------------------------------------------------------------------------


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 2)


@pytest.mark.usefixtures("_small_pages")
def test_everybody_the_filter_finds_is_one_job_with_progress_and_one_undo(
    staff: Client, live: StripeConnection
) -> None:
    rows = waiting(live, 4)
    other = subscriber("z@elsewhere.com", live, name="Elsewhere")
    derive_all(live)
    assert "Choose all 4 that this filter finds" in page(staff, address("unmatched", q="company"))
    url = address("decide_ignore", all="on", q="company") + "&from=unmatched"
    assert "4 Stripe customers, $1,000 MRR, that the filter finds.</bdi> Nothing is decided yet." in page(staff, url)
    said = confirm(staff, url)
    assert "Waiting for the worker" in said
    assert "0 of 4 Stripe customers" in said
    job = DecisionJob.objects.get()
    assert "Ignoring</strong> 0 %" in page(staff, reverse("stripe:unmatched", args=["live"]))
    while decision_jobs.work_chunk(job.pk):
        pass
    said = page(staff, reverse("stripe:decision_job", args=["live", job.pk]))
    assert reverse("stripe:decide_undo", args=["live", job.decision_id]) in said
    assert [outcome(row)[1] for row in rows] == ["ignored"] * 4
    assert outcome(other)[1] == "no_customer"
    confirm(staff, reverse("stripe:decide_undo", args=["live", job.decision_id]))
    assert [outcome(row)[1] for row in rows] == ["no_customer"] * 4


@pytest.mark.usefixtures("_small_pages")
@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        ("decide_create", "4 customers are created: one per company domain"),
        ("decide_suggested", "Each is linked to its strongest suggestion"),
        ("decide_link", "All of them are put on Acme"),
    ],
)
def test_each_action_says_what_it_does_to_everybody(
    staff: Client, live: StripeConnection, view: str, sentence: str
) -> None:
    waiting(live, 4)
    acme = CustomerFactory(name="Acme")
    url = address(view, all="on", to=acme.pk) if view == "decide_link" else address(view, all="on")
    assert sentence in page(staff, url)
    confirm(staff, url)
    assert DecisionJob.objects.get().decision.reason == "Because."


@pytest.mark.usefixtures("_small_pages")
def test_others_than_were_shown_are_not_decided_on(staff: Client, live: StripeConnection) -> None:
    rows = waiting(live, 4)
    url = address("decide_ignore", all="on", q="company")
    seen = re.search(r'name="seen"\s+value="([^"]*)"', page(staff, url))
    assert seen
    StripeCustomer.objects.filter(pk=rows[0].pk).update(name="Renamed", email="x@y.example")
    subscriber("late@comer.com", live, name="Company Late")
    derive_all(live)
    response = staff.post(url, {"reason": "Because.", "seen": seen[1]})
    assert response.status_code == 409
    assert "nothing was decided" in response.content.decode()
    assert not DecisionJob.objects.exists()


@pytest.mark.usefixtures("_small_pages")
def test_a_large_undo_is_a_job(staff: Client, live: StripeConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = waiting(live, 4)
    confirm(staff, address("decide_ignore", all="on"))
    job = DecisionJob.objects.get()
    while decision_jobs.work_chunk(job.pk):
        pass
    monkeypatch.setattr(decision_jobs, "AT_ONCE", 3)
    url = reverse("stripe:decide_undo", args=["live", job.decision_id])
    assert "4 Stripe customers go back to what was in force before." in page(staff, url)
    confirm(staff, url)
    undo = DecisionJob.objects.exclude(pk=job.pk).get()
    while decision_jobs.work_chunk(undo.pk):
        pass
    assert [outcome(row)[1] for row in rows] == ["no_customer"] * 4


def test_progress_is_asked_for_in_place_and_the_page_comes_once_it_has_ended(
    staff: Client, live: StripeConnection
) -> None:
    rows = waiting(live, 3)
    job = decision_jobs.start(
        connection=live, action="ignore", stripe_ids=[row.stripe_id for row in rows], reason="Why", actor=None
    )
    url = reverse("stripe:decision_job", args=["live", job.pk])
    part = staff.get(url, headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 1s"' in part
    assert "<html" not in part
    staff.post(reverse("stripe:decision_job_stop", args=["live", job.pk]))
    assert staff.get(url, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    assert 'hx-trigger="every 1s"' not in page(staff, url)


# --- whose it is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["decide_link", "decide_create", "decide_ignore", "decide_suggested"])
def test_an_id_of_the_other_mode_is_not_found(staff: Client, live: StripeConnection, view: str) -> None:
    foreign = StripeCustomerFactory(connection=StripeConnectionFactory(mode=Mode.TEST))
    assert staff.get(address(view, foreign)).status_code == 404
    assert staff.post(address(view, foreign), {"reason": "x"}).status_code == 404


def test_a_customer_of_the_other_environment_is_not_found(staff: Client, live: StripeConnection) -> None:
    [row], staging = waiting(live), CustomerFactory(environment="staging")
    assert staff.get(address("decide_link", row, to=staging.pk)).status_code == 404
    assert staff.get(address("decide_link", row, to="x")).status_code == 404


def test_a_job_of_the_other_mode_is_not_found(staff: Client, live: StripeConnection) -> None:
    [row] = waiting(live)
    job = decision_jobs.start(connection=live, action="ignore", stripe_ids=[row.stripe_id], reason="Why", actor=None)
    assert staff.get(reverse("stripe:decision_job", args=["test", job.pk])).status_code == 404
    assert staff.post(reverse("stripe:decision_job_stop", args=["test", job.pk])).status_code == 404
    job.refresh_from_db()
    assert job.is_active


def test_disconnected_nothing_is_offered_and_nothing_decided(staff: Client, live: StripeConnection) -> None:
    [row] = waiting(live)
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)
    assert "Create customers" not in page(staff, reverse("stripe:unmatched", args=["live"]))
    assert "Stripe is disconnected" in staff.get(address("decide_ignore", row), follow=True).content.decode()


# --- files ---------------------------------------------------------------------------------------------------------


def rows_of(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_holds_exactly_what_is_filtered_with_suggestions(staff: Client, live: StripeConnection) -> None:
    fernbank = CustomerFactory(name="Fernbank", domain="fernbank.com")
    subscriber("a@eu.fernbank.com", live, quantity=3, name="=HYPERLINK(1)")
    subscriber("b@other.com", live, name="Other")
    derive_all(live)
    found = rows_of(staff.get(reverse("stripe:unmatched_csv", args=["live"])))
    assert [(row["name"], row["customer_id"], row["mrr"]) for row in found] == [
        ("'=HYPERLINK(1)", "", "300.00"),
        ("Other", "", "100.00"),
    ]
    assert (found[0]["suggested_customer_id"], found[0]["suggested_customer"]) == (str(fernbank.pk), "Fernbank")
    [only] = rows_of(staff.get(address("unmatched_csv", q="other")))
    assert only["name"] == "Other"


def test_the_csv_asks_a_constant_number_of_times_per_chunk(staff: Client, live: StripeConnection) -> None:
    def queries() -> int:
        with CaptureQueriesContext(database) as captured:
            rows_of(staff.get(reverse("stripe:unmatched_csv", args=["live"])))
        return len(captured)

    waiting(live, 2)
    few = queries()
    for number in range(20):
        subscriber(f"a@further{number}.com", live)
    derive_all(live)
    assert queries() == few


def upload(client: Client, text: str, **values: Any) -> str:
    file = SimpleUploadedFile("links.csv", text.encode(), content_type="text/csv")
    response = client.post(reverse("stripe:decide_file", args=["live"]), {"file": file, **values})
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_a_file_is_reported_first_and_applied_as_one_decision(staff: Client, live: StripeConnection) -> None:
    rows = waiting(live, 2)
    one, two = CustomerFactory(name="One"), CustomerFactory(name="Two")
    said = upload(
        staff,
        f"customer_id,stripe_customer_id\n{one.pk},{rows[0].stripe_id}\n{two.pk},{rows[1].stripe_id}\n9,cus_unknown\n",
    )
    assert "2 Stripe customers would be linked. Nothing is decided yet." in said
    assert "No Stripe customer cus_unknown in this mode." in said
    assert not MatchDecision.objects.exists()
    pairs = f"{rows[0].stripe_id},{one.pk}\n{rows[1].stripe_id},{two.pk}"
    response = staff.post(reverse("stripe:decide_file", args=["live"]), {"pairs": pairs, "reason": "Why"}, follow=True)
    assert "Linked 2 Stripe customers." in response.content.decode()
    assert MatchDecision.objects.get().members.count() == 2
    assert (mrr(one), mrr(two)) == (200, 100)
    confirm(staff, reverse("stripe:decide_undo", args=["live", MatchDecision.objects.get().pk]))
    assert (mrr(one), mrr(two)) == (0, 0)


def test_the_list_itself_filled_in_comes_back(staff: Client, live: StripeConnection) -> None:
    [row], acme = waiting(live), CustomerFactory()
    text = b"".join(staff.get(reverse("stripe:unmatched_csv", args=["live"])).streaming_content).decode()  # type: ignore[attr-defined]
    said = upload(staff, text.replace(f"{row.stripe_id},,", f"{row.stripe_id},{acme.pk},"))
    assert "1 Stripe customer would be linked." in said


@pytest.mark.parametrize("change", ["archived", "linked", "made up"])
def test_what_no_longer_holds_brings_the_report_back(staff: Client, live: StripeConnection, change: str) -> None:
    [row], acme = waiting(live), CustomerFactory()
    pairs = f"{row.stripe_id},{acme.pk}"
    if change == "archived":
        Customer.objects.filter(pk=acme.pk).update(status=Status.ARCHIVED)
    elif change == "linked":
        confirm(staff, address("decide_link", row, to=acme.pk))
    else:
        pairs = f"cus_nobody,{acme.pk}"
    before = MatchDecision.objects.count()
    response = staff.post(reverse("stripe:decide_file", args=["live"]), {"pairs": pairs, "reason": "Why"})
    assert "nothing was decided" in response.content.decode()
    assert MatchDecision.objects.count() == before


def test_a_large_file_is_a_job(staff: Client, live: StripeConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_jobs, "AT_ONCE", 1)
    rows, acme = waiting(live, 2), CustomerFactory()
    pairs = "\n".join(f"{row.stripe_id},{acme.pk}" for row in rows)
    staff.post(reverse("stripe:decide_file", args=["live"]), {"pairs": pairs, "reason": "Why"})
    decision_jobs.work_chunk(DecisionJob.objects.get().pk)
    assert mrr(acme) == 300


@pytest.mark.parametrize("text", ["", "name\n", "stripe_customer_id;customer_id\n"])
def test_a_file_that_cannot_be_read_says_what_to_change(staff: Client, live: StripeConnection, text: str) -> None:
    assert 'class="error-text"' in upload(staff, text)


# --- personal domains ----------------------------------------------------------------------------------------------


def test_a_personal_domain_is_previewed_then_saved_and_matched(
    client: Client, live: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    client.force_login(AdminFactory())
    row = waiting(live)[0]
    url = address("personal_domain_change", domain="Company0.com", personal="on")
    assert "1 Stripe customer in live mode goes from unmatched to <strong>skipped</strong>." in page(client, url)
    assert (outcome(row)[1], PersonalDomain.objects.count()) == ("no_customer", 0)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(url)
    assert outcome(row)[1] == "personal_email"
    entry = PersonalDomain.objects.get()
    remove = reverse("stripe:personal_domain_remove", args=["live", entry.pk])
    assert "from skipped to <strong>unmatched</strong>" in page(client, remove)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(remove)
    assert outcome(row)[1] == "no_customer"


def test_an_entry_that_is_there_is_changed_not_doubled(client: Client, live: StripeConnection) -> None:
    client.force_login(AdminFactory())
    PersonalDomain.objects.create(domain="isp.example", personal=True)
    client.post(address("personal_domain_change", domain="isp.example", personal="off"))
    assert PersonalDomain.objects.get().personal is False


@pytest.mark.parametrize("domain", ["", "localhost", "a b.com", "10.0.0.1"])
def test_what_is_no_domain_is_said_at_its_field(client: Client, live: StripeConnection, domain: str) -> None:
    client.force_login(AdminFactory())
    said = page(client, address("personal_domain_change", domain=domain, personal="on"))
    assert 'class="error-text"' in said
    assert not PersonalDomain.objects.exists()


def test_staff_look_at_the_list_and_are_offered_no_change(staff: Client, live: StripeConnection) -> None:
    PersonalDomain.objects.create(domain="isp.example")
    said = page(staff, reverse("stripe:personal_domains", args=["live"]))
    assert "isp.example" in said
    assert "Show what it moves" not in said
    assert "Take back" not in said


# --- from the customer's page --------------------------------------------------------------------------------------


def test_a_blank_page_leads_staff_to_linking_and_back(staff: Client, live: StripeConnection) -> None:
    acme = CustomerFactory(name="Acme", domain="company0.com")
    [row] = waiting(live)
    confirm(staff, address("decide_ignore", row))
    said = page(staff, acme.get_absolute_url())
    link = f"{address('decide_link', row, to=acme.pk)}&from=customer"
    assert link.replace("&", "&amp;") in said
    said = confirm(staff, link)
    assert "Linked to Acme." in said
    assert mrr(acme) == 100


def test_members_ask_an_admin_instead(client: Client, live: StripeConnection) -> None:
    acme = CustomerFactory(name="Acme", domain="company0.com")
    [row] = waiting(live)
    StripeCustomer.objects.filter(pk=row.pk).update(match_state="skipped", match_reason="ignored", customer=None)
    Customer.objects.filter(pk=acme.pk).update(billing_source="")
    client.force_login(UserFactory())
    said = page(client, acme.get_absolute_url())
    assert "decide_link" not in said
    assert reverse("stripe:decide_link", args=["live"]) not in said
    assert "Ask an admin" in said


def test_a_customer_without_billing_is_led_to_whom_it_could_be_in_stripe(staff: Client, live: StripeConnection) -> None:
    acme = CustomerFactory(name="The Acme Corp", domain="acme.example")
    subscriber("a@eu.acme.example", live, name="Somebody")
    subscriber("b@else.example", live, name="Acme GmbH")
    subscriber("c@other.example", live, name="Acme Rockets Worldwide Holdings")
    derive_all(live)
    url = f"{reverse('stripe:decide_link', args=['live'])}?to={acme.pk}&from=customer"
    assert url.replace("&", "&amp;") in page(staff, acme.get_absolute_url())
    said = page(staff, url)
    assert said.index("A sub-domain, eu.acme.example") < said.index("Name 100 % alike")
    assert "Acme Rockets" not in said
    assert "Acme Rockets" in page(staff, f"{url}&find=rockets")


def test_whom_it_could_be_is_asked_in_a_constant_number_of_queries(staff: Client, live: StripeConnection) -> None:
    acme = CustomerFactory(name="Acme", domain="acme.example")
    url = f"{reverse('stripe:decide_link', args=['live'])}?to={acme.pk}"

    def queries(number: int) -> int:
        for each in range(number):
            subscriber(f"a{each}@eu{number}.acme.example", live)
        derive_all(live)
        with CaptureQueriesContext(database) as captured:
            staff.get(url)
        return len(captured)

    assert queries(1) == queries(10)


def test_a_customer_made_by_a_run_says_so_on_its_page(staff: Client) -> None:
    assert "created from Stripe" in page(staff, CustomerFactory(created_by_source="stripe").get_absolute_url())
    assert "created from" not in page(staff, CustomerFactory().get_absolute_url())

"""The queue of unmatched and skipped in a browser: each action and its undo, jobs in place, CSV out and in."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from customers.models import Customer, Status
from integrations.models import DecisionJob, StripeConnection, StripeCustomer
from integrations.stripe.pages.presenters import lists
from integrations.stripe.sync import decision_jobs
from tests.browser.conftest import Visit
from tests.factories import AdminFactory, CustomerFactory, StaffFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import subscriber
from tests.integrations.stripe.sync.derived import derive_all, outcome

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

UNMATCHED = "/admin/integrations/stripe/live/unmatched/"


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def sam() -> User:
    return StaffFactory(first_name="Sam", last_name="Staff")


def companies(live: StripeConnection, number: int) -> list[StripeCustomer]:
    rows = [subscriber(f"a@company{n}.com", live, name=f"Company {n}") for n in range(number)]
    derive_all(live)
    return rows


def decide(page: Page, button: str) -> None:
    """Give the reason and confirm."""
    page.get_by_label("Reason").fill("Because.")
    page.get_by_role("button", name=button).click()


def undo(page: Page) -> None:
    """Take back what the message is about."""
    page.get_by_role("status").get_by_role("link", name="Undo").click()
    decide(page, "Confirm: undo")
    expect(page.get_by_text("Undone. The headers follow at once.")).to_be_visible()


def test_a_suggestion_is_linked_the_header_follows_and_undo_empties_it(
    visit: Visit, live: StripeConnection, sam: User
) -> None:
    fernbank = CustomerFactory(name="Fernbank", domain="fernbank.com")
    subscriber("billing@eu.fernbank.com", live, name="Fernbank Analytics")
    derive_all(live)
    page = visit(UNMATCHED, sam)
    expect(page.get_by_text("Same parent domain, fernbank.com")).to_be_visible()
    page.get_by_role("link", name="Link Fernbank Analytics to Fernbank").click()
    decide(page, "Confirm: link")
    expect(page.get_by_role("status")).to_contain_text("Linked to Fernbank.")
    header = page.context.new_page()
    header.goto(fernbank.get_absolute_url())
    expect(header.locator(".customer-head")).to_contain_text("$100")
    undo(page)
    header.reload()
    expect(header.locator(".customer-head")).not_to_contain_text("$100")


def test_an_archived_customer_is_restored_and_linked(visit: Visit, live: StripeConnection, sam: User) -> None:
    maple = CustomerFactory(name="Maple Court Dental", domain="company0.com", status=Status.ARCHIVED)
    companies(live, 1)
    page = visit(UNMATCHED, sam)
    expect(page.get_by_text("Its customer is archived")).to_be_visible()
    page.get_by_role("link", name="Restore and link").click()
    expect(page.get_by_text("It is restored from the archive.")).to_be_visible()
    decide(page, "Confirm: restore and link")
    expect(page.get_by_text("Nobody is unmatched")).to_be_visible()
    maple.refresh_from_db()
    assert (maple.status, maple.mrr) == (Status.ACTIVE, 100)
    undo(page)
    maple.refresh_from_db()
    assert (maple.status, maple.mrr) == (Status.ARCHIVED, 0)


def test_another_customer_is_searched_and_linked(visit: Visit, live: StripeConnection, sam: User) -> None:
    CustomerFactory(name="Brightwater")
    [row] = companies(live, 1)
    page = visit(UNMATCHED, sam)
    page.get_by_label("More for Company 0").click()
    page.get_by_role("link", name="Link to another customer…").click()
    page.get_by_role("searchbox", name="Find the customer").fill("bright")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("link", name="Link to Brightwater").click()
    decide(page, "Confirm: link")
    expect(page.get_by_text("Linked to Brightwater.")).to_be_visible()
    assert outcome(row)[2] == "Brightwater"


def test_a_customer_is_created_and_undo_archives_it(visit: Visit, live: StripeConnection, sam: User) -> None:
    companies(live, 1)
    page = visit(UNMATCHED, sam)
    page.get_by_label("More for Company 0").click()
    page.get_by_role("link", name="Create customer").click()
    expect(page.get_by_text("New customer: Company 0")).to_be_visible()
    decide(page, "Confirm: create customer")
    expect(page.get_by_text("Nobody is unmatched")).to_be_visible()
    assert Customer.objects.get().mrr == 100
    undo(page)
    assert Customer.objects.get().status == Status.ARCHIVED


def test_ticked_ones_are_ignored_then_linked_anyway_from_skipped(
    visit: Visit, live: StripeConnection, sam: User
) -> None:
    CustomerFactory(name="Brightwater")
    rows = companies(live, 3)
    page = visit(UNMATCHED, sam)
    for number in (0, 2):
        page.get_by_label(f"Choose Company {number}").check()
    page.get_by_role("button", name="Ignore…").click()
    decide(page, "Confirm: ignore")
    expect(page.get_by_role("status")).to_contain_text("Ignored.")
    assert [outcome(row)[1] for row in rows] == ["ignored", "no_customer", "ignored"]
    page.goto(UNMATCHED.replace("unmatched", "skipped"))
    page.get_by_label("More for Company 2").click()
    page.get_by_role("link", name="Link anyway…").click()
    page.get_by_role("searchbox", name="Find the customer").fill("brightwater")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("link", name="Link to Brightwater").click()
    decide(page, "Confirm: link")
    expect(page.get_by_text("Linked to Brightwater.")).to_be_visible()
    undo(page)
    assert outcome(rows[2])[1] == "ignored"


def test_everybody_is_one_job_that_moves_in_place_and_one_undo(
    visit: Visit, live: StripeConnection, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 2)
    monkeypatch.setattr(decision_jobs, "CHUNK", 3)
    rows = companies(live, 6)
    page = visit(UNMATCHED, sam)
    page.get_by_label("Choose all 6 that this filter finds").check()
    page.get_by_role("button", name="Create customers").click()
    expect(page.get_by_text("6 customers are created")).to_be_visible()
    decide(page, "Confirm: create customers")
    expect(page.locator("#job")).to_contain_text("0 of 6 Stripe customers")
    job = DecisionJob.objects.get()
    decision_jobs.work_chunk(job.pk)
    expect(page.locator("#job")).to_contain_text("3 of 6 Stripe customers")
    decision_jobs.work_chunk(job.pk)
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    assert [outcome(row)[1] for row in rows] == ["pinned"] * 6
    page.get_by_role("link", name="Undo").click()
    decide(page, "Confirm: undo")
    expect(page.get_by_text("Undone. The headers follow at once.")).to_be_visible()
    assert set(Customer.objects.values_list("status", flat=True)) == {Status.ARCHIVED}


def test_a_job_is_stopped_without_a_script(
    visit: Visit, live: StripeConnection, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 2)
    companies(live, 4)
    page = visit(UNMATCHED, sam, java_script_enabled=False)
    page.get_by_label("Choose all 4 that this filter finds").check()
    page.get_by_role("button", name="Ignore…").click()
    decide(page, "Confirm: ignore all")
    page.get_by_role("link", name="Show how far it is now").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("heading", name="Stopped")).to_be_visible()


def test_the_csv_goes_out_and_comes_back_filled_in(
    visit: Visit, live: StripeConnection, sam: User, tmp_path: Path
) -> None:
    acme = CustomerFactory(name="Acme")
    [row] = companies(live, 1)
    page = visit(UNMATCHED, sam)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    text = Path(download.value.path()).read_text()
    filled = tmp_path / "filled.csv"
    filled.write_text(text.replace(f"{row.stripe_id},,", f"{row.stripe_id},{acme.pk},") + "cus_unknown,1\n")
    page.get_by_role("link", name="Bring links from a CSV").click()
    page.get_by_label("CSV file").set_input_files(filled)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("No Stripe customer cus_unknown in this mode.")).to_be_visible()
    decide(page, "Confirm: link")
    expect(page.get_by_role("status")).to_contain_text("Linked 1 Stripe customer.")
    assert outcome(row) == ("matched", "pinned", "Acme")
    undo(page)
    assert outcome(row)[1] == "no_customer"


def test_a_personal_domain_is_shown_first_and_saved(visit: Visit, live: StripeConnection) -> None:
    [row] = companies(live, 1)
    page = visit(reverse("stripe:personal_domains", args=["live"]), AdminFactory())
    page.get_by_label("Domain", exact=True).fill("company0.com")
    page.get_by_role("button", name="Show what it moves").click()
    expect(page.get_by_text("1 Stripe customer in live mode goes from unmatched to skipped.")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("company0.com is a personal domain now.")
    assert outcome(row)[1] == "personal_email"

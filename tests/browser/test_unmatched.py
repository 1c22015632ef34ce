"""The unmatched queue in a browser: link, create, several ignored and undone, CSV out and in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from customers.models import Customer
from integrations.models import StripeConnection
from tests.browser.conftest import Visit
from tests.factories import CustomerFactory, StaffFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import mrr, subscriber
from tests.integrations.stripe.sync.derived import derive_all, outcome
from tests.queued import work_off

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = reverse("stripe:unmatched", args=["live"])


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def staff() -> User:
    person: User = StaffFactory()
    return person


def test_a_suggestion_is_linked_and_the_header_follows(visit: Visit, live: StripeConnection, staff: User) -> None:
    fernbank = CustomerFactory(name="Fernbank", domain="fernbank.com")
    row = subscriber("billing@eu.fernbank.com", live, name="Fernbank Analytics")
    subscriber("hola@brava.kitchen", live, name="Brava Kitchens")
    derive_all(live)
    page = visit(QUEUE, staff)
    if folder := os.environ.get("QUEUE_SHOTS"):
        page.screenshot(path=f"{folder}/queue-1440.png", full_page=True)
        visit(QUEUE, staff, width=390).screenshot(path=f"{folder}/queue-390.png", full_page=True)
        visit(QUEUE, staff, color_scheme="dark").screenshot(path=f"{folder}/queue-dark.png", full_page=True)
    page.get_by_role("link", name="Link to Fernbank").click()
    page.get_by_label("Reason").fill("Their European office")
    page.get_by_role("button", name="Confirm: link").click()
    page.get_by_text("Decided. The headers follow at once.").wait_for()
    assert outcome(row) == ("matched", "pinned", "Fernbank")
    page.goto(fernbank.get_absolute_url())
    assert "$100" in page.content()
    assert "Their European office" in page.content()


def test_a_customer_is_created_from_stripe(visit: Visit, live: StripeConnection, staff: User) -> None:
    subscriber("hola@brava.kitchen", live, name="Brava Kitchens")
    derive_all(live)
    page = visit(QUEUE, staff)
    page.get_by_label("More for Brava Kitchens").click()
    page.get_by_role("link", name="Create customer").click()
    page.get_by_label("Reason").fill("New business")
    page.get_by_role("button", name="Confirm: create").click()
    page.get_by_text("Nobody is unmatched").wait_for()
    assert mrr(Customer.objects.get(name="Brava Kitchens")) == 100


def test_several_are_ignored_and_undone(visit: Visit, live: StripeConnection, staff: User) -> None:
    rows = [subscriber(f"a@company{n}.com", live, name=f"Company {n}") for n in range(3)]
    derive_all(live)
    page = visit(QUEUE, staff)
    page.get_by_label("Choose Company 0").check()
    page.get_by_label("Choose Company 2").check()
    page.get_by_role("button", name="Ignore…").click()
    page.get_by_label("Reason").fill("Test accounts")
    page.get_by_role("button", name="Confirm: ignore").click()
    page.get_by_role("link", name="Undo", exact=True).click()
    assert [outcome(row)[0] for row in rows] == ["skipped", "unmatched", "skipped"]
    page.get_by_label("Reason").fill("A mistake")
    page.get_by_role("button", name="Confirm: undo").click()
    page.get_by_text("Undone. The headers follow at once.").wait_for()
    assert {outcome(row)[0] for row in rows} == {"unmatched"}


def test_the_csv_goes_out_and_comes_back_filled_in(
    visit: Visit, live: StripeConnection, staff: User, tmp_path: Path
) -> None:
    acme = CustomerFactory(name="Acme")
    row = subscriber("a@company.com", live, name="Company")
    derive_all(live)
    page = visit(QUEUE, staff)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    text = Path(download.value.path()).read_text()
    filled = tmp_path / "filled.csv"
    filled.write_text(text.replace(f"{row.stripe_id},,", f"{row.stripe_id},{acme.pk},"))
    page.get_by_role("link", name="Links from a file").click()
    page.get_by_label("File").set_input_files(filled)
    page.get_by_role("button", name="Dry run").click()
    page.get_by_text("Links Company to Acme.").wait_for()
    page.get_by_label("Reason").fill("From finance")
    page.get_by_role("button", name="Confirm: link").click()
    page.get_by_role("progressbar").wait_for()
    while work_off():
        continue
    page.get_by_text("Done. The headers have followed.").wait_for()
    assert outcome(row) == ("matched", "pinned", "Acme")

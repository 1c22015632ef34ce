"""The Drift page, and the notices on every page of an admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from integrations.models import DriftEntry, DriftReport, Notice, NoticeKind, StripeConnection, WorkerHeartbeat
from integrations.stripe.pages.presenters import drift as presenter
from tests.factories import AdminFactory, CustomerFactory, StaffFactory, UserFactory
from tests.integrations.stripe.pages.factories import ConnectionFactory, RunFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


@pytest.fixture
def connection() -> StripeConnection:
    return ConnectionFactory()


def night(connection: StripeConnection, days: int = 0, *, entries: int = 0, **fields: Any) -> DriftReport:
    """A concluded report with so many customers whose MRR was different."""
    at = timezone.now() - timedelta(days=days)
    values = {"checked": 1200, "different": entries, "by_field": {"mrr": entries} if entries else {}, **fields}
    report = DriftReport.objects.create(
        connection=connection, run=RunFactory(connection=connection), created_at=at, concluded_at=at, **values
    )
    for number in range(entries):
        customer = CustomerFactory(name=f"Acme {number}")
        DriftEntry.objects.create(
            report=report, kind="different", customer=customer, field="mrr", old="900.00", new="1400.00"
        )
    return report


def page(client: Client, view: str = "drift") -> str:
    return " ".join(client.get(reverse(f"stripe:{view}", args=["live"])).content.decode().split())


def test_before_the_first_night_it_says_when_the_first_report_comes(admin: Client) -> None:
    assert "No night was compared yet" in page(admin)


def test_a_night_opens_to_customers_and_fields(admin: Client, connection: StripeConnection) -> None:
    report = night(connection, entries=1)
    said = page(admin)
    customer = report.entries.get().customer
    assert customer is not None
    for part in (
        "1 difference",
        "MRR 1",
        "1,200 subscriptions compared",
        customer.get_absolute_url(),
        "MRR",
        "$900",
        "$1,400",
    ):
        assert part in said


def test_somebody_unmatched_stands_there_with_the_stripe_id(admin: Client, connection: StripeConnection) -> None:
    report = night(connection, different=1, by_field={"email": 1, "subscription": 1})
    for field, object_id, new in (("email", "", ""), ("subscription", "sub_1", "items, cancel_at_period_end")):
        DriftEntry.objects.create(
            report=report, kind="different", stripe_customer_id="cus_1", object_id=object_id, field=field, new=new
        )
    said = page(admin)
    for part in ("E-mail 1, Subscription 1", "customers/cus_1", "subscriptions/sub_1", "other items, cancel at period"):
        assert part in said


def test_a_quiet_night_says_no_drift_here_and_in_the_banner(admin: Client, connection: StripeConnection) -> None:
    night(connection)
    assert "no drift" in page(admin)
    assert f'<a href="{reverse("stripe:drift", args=["live"])}">no drift</a>' in page(admin, "integration")


def test_without_events_they_are_changes(admin: Client, connection: StripeConnection) -> None:
    night(connection, entries=2, has_events=False)
    said = page(admin)
    assert "2 changes found" in said
    assert "cannot be told from drift" in said


def test_the_chart_has_a_bar_a_night_and_the_table_the_same_numbers(
    admin: Client, connection: StripeConnection
) -> None:
    night(connection, entries=3)
    night(connection, days=1)
    night(connection, days=2, missing=1)
    said = page(admin)
    assert said.count("<rect") == 3
    assert 'aria-label="1 of 3 nights found no difference."' in said
    assert said.count('<th scope="row"') == 3


def test_only_thirty_nights_and_only_concluded_ones_are_shown(admin: Client, connection: StripeConnection) -> None:
    night(connection, days=31)
    DriftReport.objects.create(connection=connection)
    assert "No night was compared yet" in page(admin)


def test_of_many_differences_the_first_are_listed_and_the_rest_counted(
    admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presenter, "ENTRIES_SHOWN", 2)
    night(connection, entries=5)
    assert "and 3 more" in page(admin)


def test_the_page_asks_the_database_a_constant_number_of_times(admin: Client, connection: StripeConnection) -> None:
    def queries() -> int:
        with CaptureQueriesContext(database) as captured:
            page(admin)
        return len(captured)

    night(connection, entries=1)
    few = queries()
    for days in range(1, 6):
        night(connection, days, entries=3)
    assert queries() == few <= 12


def test_what_stripe_supplied_is_text(admin: Client, connection: StripeConnection) -> None:
    report = night(connection)
    DriftEntry.objects.create(report=report, kind="different", field="plan", new="<script>x</script>", object_id="<b>")
    said = page(admin)
    assert "<script>x" not in said
    assert "<b>" not in said


# --- notices ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def notice(connection: StripeConnection) -> Notice:
    return Notice.objects.create(
        connection=connection, kind=NoticeKind.REAUTHORIZE, about="x", detail="<b>Key revoked</b>"
    )


PAGES = ["/customers/", "/admin/", "/admin/integrations/stripe/live/log/", "/admin/customers/customer/"]


@pytest.mark.parametrize("path", PAGES)
def test_an_admin_meets_a_notice_on_every_page(admin: Client, notice: Notice, path: str) -> None:
    said = admin.get(path).content.decode()
    assert "no longer accepts our access" in said
    assert "<b>Key" not in said


@pytest.mark.parametrize("path", PAGES[:1])
@pytest.mark.parametrize("who", [StaffFactory, UserFactory])
def test_who_can_do_nothing_about_it_is_not_told(client: Client, notice: Notice, path: str, who: Any) -> None:
    client.force_login(who())
    assert "no longer accepts our access" not in client.get(path).content.decode()


def test_notices_cost_an_admin_one_query(admin: Client, notice: Notice, connection: StripeConnection) -> None:
    for number in range(5):
        Notice.objects.create(connection=connection, kind=NoticeKind.DRIFT, about=f"report {number}")
    with CaptureQueriesContext(database) as captured:
        admin.get("/customers/")
    assert sum("integrations_notice" in query["sql"] for query in captured) == 1


def test_a_dismissed_notice_goes_and_one_stays_on_the_page(admin: Client, notice: Notice) -> None:
    url = reverse("stripe:notice_dismiss", args=["live", notice.pk])
    assert admin.post(url, {"back": "/customers/"})["Location"] == "/customers/"
    assert "no longer accepts our access" not in admin.get("/customers/").content.decode()


def test_dismissing_never_leads_away_from_here(admin: Client, notice: Notice) -> None:
    url = reverse("stripe:notice_dismiss", args=["live", notice.pk])
    assert admin.post(url, {"back": "//evil.example"})["Location"].startswith("/admin/")


def test_a_worker_that_went_silent_is_said_on_the_page(admin: Client, connection: StripeConnection) -> None:
    WorkerHeartbeat.objects.create(name="worker", at=timezone.now() - timedelta(minutes=10))
    assert "The worker has not reported since" in page(admin, "integration")

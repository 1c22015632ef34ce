"""The log, a run's own page, the calls, and Retry this record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from integrations.models import (
    AttemptKind,
    AttemptState,
    IssueState,
    RunKind,
    RunState,
    Severity,
    StripeConnection,
    StripeEvent,
    SyncIssue,
)
from integrations.stripe.pages.presenters import issues
from integrations.stripe.pages.presenters import log as presenter
from integrations.stripe.sync import connections, inbox
from sandbox.testing import Running, running
from tests.factories import AdminFactory, CustomerFactory, StaffFactory
from tests.integrations.stripe.pages.factories import (
    ApiCallFactory,
    AttemptFactory,
    ConnectionFactory,
    IssueFactory,
    RunFactory,
    StripeCustomerFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory(first_name="Priya", last_name="Raman"))
    return client


@pytest.fixture
def connection() -> StripeConnection:
    return ConnectionFactory()


def page(client: Client, name: str = "log", *arguments: object, **query: str) -> str:
    response = client.get(reverse(f"stripe:{name}", args=["live", *arguments]), query)
    return " ".join(response.content.decode().split())


def test_a_run_shows_status_duration_counts_and_who_started_it(admin: Client, connection: StripeConnection) -> None:
    run = RunFactory(connection=connection, matched=1204, unmatched=31, skipped=18, started_by=AdminFactory())
    said = page(admin)
    assert "Succeeded" in said
    assert "52 s" in said
    assert "1,204 matched, 31 unmatched, 18 skipped, 0 failed" in said
    assert f"by {run.started_by.get_full_name()}" in said


def test_only_thirty_days_are_shown(admin: Client, connection: StripeConnection) -> None:
    RunFactory(connection=connection, created_at=timezone.now() - timedelta(days=31))
    assert "Nothing was attempted yet" in page(admin)


def test_errors_only_leaves_out_what_went_well(admin: Client, connection: StripeConnection) -> None:
    RunFactory(connection=connection, kind=RunKind.NIGHTLY)
    RunFactory(connection=connection, kind=RunKind.FULL, state=RunState.PARTIAL)
    rows = admin.get(reverse("stripe:log", args=["live"]), {"errors": "1"}).context["log"].rows
    assert [row.row.run.state for row in rows] == [RunState.PARTIAL]


def test_a_kind_can_be_chosen(admin: Client, connection: StripeConnection) -> None:
    RunFactory(connection=connection, kind=RunKind.NIGHTLY)
    RunFactory(connection=connection, kind=RunKind.FULL)
    rows = admin.get(reverse("stripe:log", args=["live"]), {"kind": "nightly"}).context["log"].rows
    assert [row.row.run.kind for row in rows] == [RunKind.NIGHTLY]


def test_a_record_shows_its_id_stripes_answer_and_its_customer(admin: Client, connection: StripeConnection) -> None:
    issue = IssueFactory(connection=connection, code="stripe_unavailable", answer='{"error": {"type": "api_error"}}')
    customer = CustomerFactory(name="Saltmarsh Foods", billed=True)
    StripeCustomerFactory(connection=connection, stripe_id=issue.stripe_customer_id, customer=customer)
    said = page(admin)
    for part in (issue.object_id, "api_error", "Saltmarsh Foods", "Stripe could not be reached.", "Retry this record"):
        assert part in said


def test_a_missing_rate_asks_for_a_rate_instead_of_a_retry(admin: Client, connection: StripeConnection) -> None:
    IssueFactory(
        connection=connection,
        code="no_exchange_rate",
        severity=Severity.WARNING,
        object_type="figure",
        object_id="ngn",
        stripe_customer_id="cus_1",
    )
    said = page(admin)
    assert "NGN" in said
    assert f"{reverse('admin:integrations_exchangerate_add')}?currency=ngn" in said
    assert "Retry this record" not in said


def test_what_is_resolved_needs_no_attention(admin: Client, connection: StripeConnection) -> None:
    IssueFactory(connection=connection, state=IssueState.RESOLVED)
    assert "No record needs attention." in page(admin)


def test_an_answer_from_stripe_is_text_and_nothing_else(admin: Client, connection: StripeConnection) -> None:
    run = RunFactory(connection=connection)
    IssueFactory(connection=connection, run=run, answer="</pre><script>alert(1)</script>", object_id="<b>cus</b>")
    for said in (page(admin), page(admin, "run_detail", run.pk)):
        assert "<script>alert(1)" not in said
        assert "<b>cus" not in said


def test_a_run_with_many_issues_shows_the_first_and_leads_to_all(
    admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issues, "ISSUES_PER_RUN", 2)
    run = RunFactory(connection=connection, state=RunState.PARTIAL)
    IssueFactory.create_batch(5, connection=connection, run=run)
    row = admin.get(reverse("stripe:log", args=["live"])).context["log"].rows[0]
    assert (len(row.issues), row.more) == (2, 3)
    assert len(admin.get(reverse("stripe:run_detail", args=["live", run.pk])).context["page"].issues) == 5


def test_older_runs_are_on_the_next_page(
    admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presenter, "ROWS_SHOWN", 2)
    runs = [RunFactory(connection=connection) for _number in range(3)]
    first = admin.get(reverse("stripe:log", args=["live"])).context["log"]
    second = admin.get(first.neighbours.next).context["log"]
    assert [row.row.run.pk for row in (*first.rows, *second.rows)] == [run.pk for run in reversed(runs)]


def test_the_log_asks_the_database_a_constant_number_of_times(admin: Client, connection: StripeConnection) -> None:
    def rows(number: int) -> None:
        for _ in range(number):
            run = RunFactory(connection=connection, state=RunState.PARTIAL, started_by=AdminFactory())
            IssueFactory.create_batch(3, connection=connection, run=run)
            AttemptFactory(connection=connection, stripe_customer_id=f"cus_{run.pk}", started_by=AdminFactory())

    def queries() -> int:
        with CaptureQueriesContext(database) as captured:
            admin.get(reverse("stripe:log", args=["live"]))
        return len(captured)

    rows(1)
    few = queries()
    rows(6)
    assert queries() == few <= 18


def test_the_calls_say_method_path_and_answer(admin: Client, connection: StripeConnection) -> None:
    ApiCallFactory(connection=connection, path="/v1/subscriptions?limit=100", request_id="req_1")
    ApiCallFactory(connection=connection, status=429, error_code="rate_limit")
    ApiCallFactory(connection=connection, status=0)
    ApiCallFactory(connection=connection, method="POST", path="/v1/oauth/token")
    said = page(admin, "calls")
    for part in ("/v1/subscriptions?limit=100", "req_1", "429", "rate_limit", "no answer", "fetches our access token"):
        assert part in said


def test_only_the_last_two_hundred_calls_are_shown(admin: Client, connection: StripeConnection) -> None:
    ApiCallFactory.create_batch(201, connection=connection)
    assert len(admin.get(reverse("stripe:calls", args=["live"])).context["calls"]) == 200


@pytest.fixture(scope="module")
def stripe() -> Iterator[Running]:
    with running() as started:
        yield started


@pytest.fixture
def real(stripe: Running, settings: Any) -> StripeConnection:
    """A connection to the sandbox."""
    settings.DEBUG = True
    settings.STRIPE_API_BASE = settings.STRIPE_CONNECT_BASE = stripe.url
    return connections.connect_by_key("live", key="rk_live_all", actor=None)


def retry(client: Client, issue: SyncIssue, **data: str) -> str:
    address = reverse("stripe:issue_retry", args=["live", issue.pk])
    return client.post(address, data, follow=True).content.decode()


def test_retrying_a_record_reads_it_and_resolves_the_issue(
    client: Client, real: StripeConnection, stripe: Running
) -> None:
    client.force_login(StaffFactory())
    some_customer = stripe.get("/v1/customers", limit=1).json()["data"][0]["id"]
    issue = IssueFactory(connection=real, object_id=some_customer)
    assert "Read from Stripe just now." in retry(client, issue)
    issue.refresh_from_db()
    assert issue.state != IssueState.OPEN


def test_retrying_while_stripe_is_away_says_so_and_keeps_the_issue(
    admin: Client, real: StripeConnection, settings: Any
) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    settings.STRIPE_RETRY_TRIES = 1
    issue = IssueFactory(connection=real)
    assert "stripe_unavailable" in retry(admin, issue)
    issue.refresh_from_db()
    assert issue.state == IssueState.OPEN


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_retry_never_leads_away_from_here(admin: Client, connection: StripeConnection, back: str) -> None:
    issue = IssueFactory(connection=connection, stripe_customer_id="")
    response = admin.post(reverse("stripe:issue_retry", args=["live", issue.pk]), {"back": back})
    assert response["Location"] == reverse("stripe:log", args=["live"])


# --- other attempts --------------------------------------------------------------------------------------------------


def order(client: Client, **query: str) -> list[str]:
    """The kinds on the first page, newest first."""
    rows = client.get(reverse("stripe:log", args=["live"]), query).context["log"].rows
    return [row.row.run.kind if row.row else row.attempt.attempt.kind for row in rows]


def at(minutes: int) -> dict[str, Any]:
    return {"started_at": timezone.now() - timedelta(minutes=minutes)}


def test_runs_and_other_attempts_stand_in_one_order(admin: Client, connection: StripeConnection) -> None:
    RunFactory(connection=connection, created_at=timezone.now() - timedelta(minutes=2))
    AttemptFactory(connection=connection, kind=AttemptKind.INBOX, **at(1))
    AttemptFactory(connection=connection, kind=AttemptKind.REFRESH, **at(3))
    assert order(admin) == ["inbox", "full", "refresh"]


def test_quiet_polls_do_not_drown_the_log_and_can_be_shown(admin: Client, connection: StripeConnection) -> None:
    AttemptFactory(connection=connection, events=0, **at(1))
    AttemptFactory(connection=connection, events=2, **at(2))
    AttemptFactory(connection=connection, events=0, state=AttemptState.FAILED, error_code="rate_limited", **at(3))
    assert len(order(admin)) == 2
    assert len(order(admin, quiet="1")) == 3
    assert len(order(admin, errors="1")) == 1


def test_a_kind_of_attempt_can_be_chosen(admin: Client, connection: StripeConnection) -> None:
    RunFactory(connection=connection)
    AttemptFactory(connection=connection, kind=AttemptKind.WEBHOOK)
    assert order(admin, kind="webhook") == ["webhook"]


def test_pages_go_forth_and_back_over_both_tables(
    admin: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presenter, "ROWS_SHOWN", 2)
    same = timezone.now()
    for number in range(3):
        RunFactory(connection=connection, created_at=same - timedelta(minutes=number))
        AttemptFactory(connection=connection, started_at=same - timedelta(minutes=number))
    seen, url, pages = [], reverse("stripe:log", args=["live"]), []
    while url:
        shown = admin.get(url).context["log"]
        pages.append(url)
        seen += [("run", row.row.run.pk) if row.row else ("attempt", row.attempt.attempt.pk) for row in shown.rows]
        url = shown.neighbours.next
    assert len(seen) == len(set(seen)) == 6
    assert [kind for kind, _pk in seen] == ["run", "attempt"] * 3
    back = admin.get(admin.get(pages[-1]).context["log"].neighbours.previous).context["log"].rows
    assert [row.row.run.pk if row.row else row.attempt.attempt.pk for row in back] == [pk for _kind, pk in seen[2:4]]


def test_a_failed_resync_opens_to_stripes_answer_and_a_retry(admin: Client, connection: StripeConnection) -> None:
    who = AdminFactory(first_name="Kai", last_name="Okafor")
    attempt = AttemptFactory(
        connection=connection,
        kind=AttemptKind.REFRESH,
        state=AttemptState.FAILED,
        started_by=who,
        stripe_customer_id="cus_9",
        error_code="stripe_unavailable",
        answer="<b>503</b>",
    )
    said = page(admin)
    for part in ("Resync, by Kai Okafor", "cus_9", "Stripe could not be reached.", "&lt;b&gt;503", "Copy as text"):
        assert part in said
    assert reverse("stripe:attempt_retry", args=["live", attempt.pk]) in said


def test_a_resync_by_a_person_is_in_the_log(client: Client, real: StripeConnection, stripe: Running) -> None:
    client.force_login(StaffFactory(first_name="Kai", last_name="Okafor"))
    stripe_id = stripe.get("/v1/customers", limit=1).json()["data"][0]["id"]
    attempt = AttemptFactory(
        connection=real, kind=AttemptKind.REFRESH, state=AttemptState.FAILED, stripe_customer_id=stripe_id
    )
    client.post(reverse("stripe:attempt_retry", args=["live", attempt.pk]))
    said = page(client)
    assert "Resync, by Kai Okafor" in said


def test_ticked_records_are_read_again_in_the_background(admin: Client, connection: StripeConnection) -> None:
    first, second = IssueFactory(connection=connection), IssueFactory(connection=connection)
    IssueFactory(connection=connection)
    hopeless = IssueFactory(connection=connection, code="no_exchange_rate", object_type="figure")
    url = reverse("stripe:issues_retry", args=["live"])
    said = admin.post(url, {"issue": [first.pk, second.pk, hopeless.pk, "x"]}, follow=True).content.decode()
    waiting = StripeEvent.objects.filter(state="waiting").values_list("stripe_customer_id", flat=True)
    assert set(waiting) == {first.stripe_customer_id, second.stripe_customer_id}
    assert "2 Stripe customers are read again in the background" in said


def test_all_that_can_be_retried_are_asked_for_at_once(admin: Client, connection: StripeConnection) -> None:
    IssueFactory.create_batch(15, connection=connection)
    with CaptureQueriesContext(database) as captured:
        admin.post(reverse("stripe:issues_retry", args=["live"]), {"all": "1"})
    assert StripeEvent.objects.count() == 15
    assert len(captured) < 20


def test_a_retry_in_the_background_resolves_the_issue(admin: Client, real: StripeConnection, stripe: Running) -> None:
    real.last_full_sync_at = timezone.now()
    real.save()
    stripe_id = stripe.get("/v1/customers", limit=1).json()["data"][0]["id"]
    issue = IssueFactory(connection=real, object_id=stripe_id)
    admin.post(reverse("stripe:issues_retry", args=["live"]), {"issue": [issue.pk]})
    inbox.drain(real.pk, queue=False)
    issue.refresh_from_db()
    assert issue.state != IssueState.OPEN

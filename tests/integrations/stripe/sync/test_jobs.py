"""One decision about very many: chunks, repeated and lost tasks, and one undo."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from customers.models import Customer, Status
from integrations.models import DecisionJob, MatchDecision, StripeConnection, StripeCustomer
from integrations.stripe.sync import decisions, housekeeping, jobs
from tests.factories import CustomerFactory, StaffFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import mrr, subscriber
from tests.integrations.stripe.sync.derived import derive_all, outcome
from tests.queued import work_off

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def waiting(live: StripeConnection, monkeypatch: pytest.MonkeyPatch) -> list[StripeCustomer]:
    """Five without a customer, worked on two at a time."""
    monkeypatch.setattr(jobs, "CHUNK", 2)
    rows = [subscriber(f"billing@company{n}.com", live, name=f"Company {n}") for n in range(5)]
    derive_all(live)
    return rows


def start(live: StripeConnection, rows: list[StripeCustomer], action: str, **more: list[int]) -> DecisionJob:
    ids = [row.stripe_id for row in rows]
    return jobs.start(live, action=action, stripe_ids=ids, reason="Cleared", actor=StaffFactory(), **more)


def work_through() -> None:
    while work_off():
        continue


def test_a_job_decides_about_everybody_as_one_decision(live: StripeConnection, waiting: list[StripeCustomer]) -> None:
    job = start(live, waiting, "ignore")
    work_through()
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 5)
    assert {outcome(row)[:2] for row in waiting} == {("skipped", "ignored")}
    assert MatchDecision.objects.get().members.count() == 5


def test_one_undo_takes_back_all_of_it(live: StripeConnection, waiting: list[StripeCustomer]) -> None:
    job = start(live, waiting, "create")
    work_through()
    assert {outcome(row)[:2] for row in waiting} == {("matched", "pinned")}
    assert Customer.objects.count() == 5
    decisions.undo(connection=live, decision_id=job.decision_id, reason="A mistake", actor=StaffFactory(), seen=None)
    assert {outcome(row)[0] for row in waiting} == {"unmatched"}
    assert set(Customer.objects.values_list("status", flat=True)) == {Status.ARCHIVED}


def test_a_repeated_task_changes_nothing(live: StripeConnection, waiting: list[StripeCustomer]) -> None:
    job = start(live, waiting, "create")
    for _again in range(10):
        jobs.continue_job(job.pk)
    work_through()
    assert Customer.objects.count() == 5


def test_the_watchdog_takes_up_a_job_whose_task_was_lost(live: StripeConnection, waiting: list[StripeCustomer]) -> None:
    job = start(live, waiting, "ignore")
    OrmQ.objects.all().delete()
    housekeeping.watchdog()
    assert not OrmQ.objects.exists()
    DecisionJob.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    housekeeping.watchdog()
    work_through()
    job.refresh_from_db()
    assert job.state == "done"


def test_whoever_found_a_customer_meanwhile_is_passed_over(
    live: StripeConnection, waiting: list[StripeCustomer]
) -> None:
    start(live, waiting, "ignore")
    acme = CustomerFactory(name="Acme", domain="company0.com")
    derive_all(live)
    work_through()
    assert outcome(waiting[0]) == ("matched", "domain", "Acme")
    assert mrr(acme) == 100
    assert outcome(waiting[1])[:2] == ("skipped", "ignored")


def test_first_suggestions_are_linked_and_the_rest_stays(live: StripeConnection, waiting: list[StripeCustomer]) -> None:
    parent = CustomerFactory(name="Fernbank", domain="fernbank.com")
    near = subscriber("billing@eu.fernbank.com", live, name="")
    derive_all(live)
    start(live, [near, waiting[0]], "suggested")
    work_through()
    assert outcome(near) == ("matched", "pinned", "Fernbank")
    assert mrr(parent) == 100
    assert outcome(waiting[0])[0] == "unmatched"


def test_links_as_listed_leave_out_a_customer_that_was_archived_meanwhile(
    live: StripeConnection, waiting: list[StripeCustomer]
) -> None:
    acme, gone = CustomerFactory(name="Acme"), CustomerFactory(status=Status.ARCHIVED)
    start(live, waiting[:2], "listed", targets=[acme.pk, gone.pk])
    work_through()
    assert outcome(waiting[0]) == ("matched", "pinned", "Acme")
    assert outcome(waiting[1])[0] == "unmatched"


def test_an_undo_stops_a_job_under_way(live: StripeConnection, waiting: list[StripeCustomer]) -> None:
    job = start(live, waiting, "ignore")
    jobs.continue_job(job.pk)
    decisions.undo(connection=live, decision_id=job.decision_id, reason="Stop", actor=StaffFactory(), seen=None)
    work_through()
    job.refresh_from_db()
    assert (job.state, job.done) == ("failed", 2)
    assert {outcome(row)[0] for row in waiting} == {"unmatched"}


def test_attempts_without_progress_end_a_job(live: StripeConnection, waiting: list[StripeCustomer]) -> None:
    job = start(live, waiting, "ignore")
    DecisionJob.objects.update(attempts=jobs.ATTEMPTS)
    jobs.continue_job(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert job.error_detail

"""One decision about very many, in chunks: repeated, lost, stopped, undone half-way, and never twice."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from customers.models import Activity, Customer, Status
from integrations.errors import IntegrationError
from integrations.models import ConnectionState, DecisionJob, MatchDecision, Mode, StripeConnection, StripeCustomer
from integrations.stripe import tasks
from integrations.stripe.sync import decision_jobs, decisions, derive
from integrations.stripe.sync.decision_jobs import CREATE, IGNORE, LINK, LINK_EACH, LINK_SUGGESTED
from tests.factories import CustomerFactory, StaffFactory, StripeConnectionFactory, StripeCustomerFactory
from tests.integrations.stripe.sync.deciding import header, mrr, subscriber
from tests.integrations.stripe.sync.derived import derive_all, outcome
from tests.queued import work_off

pytestmark = pytest.mark.django_db


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> StripeConnection:
    monkeypatch.setattr(decision_jobs, "CHUNK", 2)
    return StripeConnectionFactory()


def waiting(live: StripeConnection, number: int = 5) -> list[StripeCustomer]:
    """So many Stripe customers without a customer, $100 each."""
    rows = [subscriber(f"a@company{n}.com", live, name=f"Company {n}") for n in range(number)]
    derive_all(live)
    return rows


def start(live: StripeConnection, action: str, rows: list[StripeCustomer], **changes: Any) -> DecisionJob:
    return decision_jobs.start(
        connection=live,
        action=action,
        stripe_ids=[row.stripe_id for row in rows],
        **{"reason": "Because.", "actor": None, **changes},
    )


def finish(job: DecisionJob) -> DecisionJob:
    while decision_jobs.work_chunk(job.pk):
        pass
    job.refresh_from_db()
    return job


def states(rows: list[StripeCustomer]) -> list[str]:
    return [outcome(row)[1] for row in rows]


@pytest.mark.parametrize(("action", "after"), [(LINK, "pinned"), (CREATE, "pinned"), (IGNORE, "ignored")])
def test_every_one_is_decided_by_one_decision_and_one_undo_takes_it_back(
    live: StripeConnection, action: str, after: str
) -> None:
    rows = waiting(live)
    acme = CustomerFactory(name="Acme")
    before = header(acme)

    job = finish(start(live, action, rows, target_id=acme.pk if action == LINK else None))

    assert (job.state, job.done) == (DecisionJob.State.DONE, 5)
    assert job.finished_at is not None
    assert states(rows) == [after] * 5
    assert MatchDecision.objects.get().members.count() == 5
    decisions.undo(connection=live, decision_id=job.decision_id, reason="No.", actor=None, seen=None)
    assert states(rows) == ["no_customer"] * 5
    assert header(acme) == before
    assert set(Customer.objects.exclude(pk=acme.pk).values_list("status", flat=True)) <= {Status.ARCHIVED}


def test_all_of_them_are_added_up_on_the_one_customer_and_told_once(live: StripeConnection) -> None:
    rows = waiting(live)
    acme, sam = CustomerFactory(), StaffFactory()

    finish(start(live, LINK, rows, target_id=acme.pk, actor=sam))

    assert mrr(acme) == 500
    assert Activity.objects.filter(customer=acme, event_type="match.pin", actor=sam, new="Because.").count() == 1


def test_each_is_linked_to_its_own(live: StripeConnection) -> None:
    rows = waiting(live, 3)
    targets = [CustomerFactory() for _row in rows]

    finish(start(live, LINK_EACH, rows, targets=[each.pk for each in targets]))

    assert [mrr(each) for each in targets] == [100] * 3


def test_of_its_own_an_archived_one_is_left_out(live: StripeConnection) -> None:
    rows = waiting(live, 3)
    targets = [CustomerFactory() for _row in rows]
    job = start(live, LINK_EACH, rows, targets=[each.pk for each in targets])
    Customer.objects.filter(pk=targets[1].pk).update(status=Status.ARCHIVED)

    assert finish(job).state == DecisionJob.State.DONE
    assert states(rows) == ["pinned", "no_customer", "pinned"]


def test_suggestions_are_taken_and_who_has_none_stays(live: StripeConnection) -> None:
    rows = waiting(live, 2)
    rows.append(subscriber("a@eu.fernbank.com", live, name=""))
    rows.append(subscriber("a@maple.com", live, name=""))
    CustomerFactory(name="Fernbank", domain="fernbank.com")
    CustomerFactory(name="Maple", domain="maple.com", status=Status.ARCHIVED)
    derive_all(live)

    job = finish(start(live, LINK_SUGGESTED, rows))

    assert [outcome(row)[2] for row in rows] == ["", "", "Fernbank", ""]
    assert (job.done, job.decision.members.count()) == (4, 1)


def test_a_company_domain_is_never_cut_in_two_by_a_chunk(live: StripeConnection) -> None:
    rows = [subscriber(f"person{n}@big.com", live, name=f"Big {n}") for n in range(5)]
    rows.append(subscriber("a@other.com", live, name="Other"))
    derive_all(live)

    finish(start(live, CREATE, rows))

    assert sorted(Customer.objects.values_list("name", "mrr")) == [("Big 0", 500), ("Other", 100)]
    assert states(rows) == ["pinned"] * 6
    assert not StripeCustomer.objects.exclude(ambiguous_kind="").exists()


def test_who_was_matched_meanwhile_is_left_alone(live: StripeConnection) -> None:
    rows = waiting(live)
    job = start(live, IGNORE, rows)
    decision_jobs.work_chunk(job.pk)
    elsewhere = CustomerFactory(name="Elsewhere")
    decisions.pin(
        connection=live,
        stripe_ids=[rows[4].stripe_id],
        customer_id=elsewhere.pk,
        reason="Mine.",
        actor=None,
        seen=None,
    )

    finish(job)

    assert states(rows) == ["ignored"] * 4 + ["pinned"]
    assert job.decision.members.count() == 4


def test_a_repeated_or_late_task_changes_nothing(live: StripeConnection) -> None:
    rows = waiting(live)
    job = finish(start(live, IGNORE, rows))
    members = list(job.decision.members.values_list("pk", flat=True))

    tasks.continue_decisions(job.pk)
    tasks.continue_decisions(job.pk + 1)

    job.refresh_from_db()
    assert (job.done, list(job.decision.members.values_list("pk", flat=True))) == (5, members)


def test_the_worker_goes_on_from_the_queue_and_the_watchdog_brings_back_a_lost_task(
    live: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    job = start(live, IGNORE, waiting(live))  # nothing commits inside the test, so its task is lost
    with django_capture_on_commit_callbacks(execute=True):
        tasks.watchdog()
    assert work_off() == ["continue_decisions"]
    job.refresh_from_db()
    assert job.state == DecisionJob.State.DONE


def test_a_slice_that_is_over_queues_the_next(
    live: StripeConnection, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_jobs, "SLICE_SECONDS", 0)
    job = start(live, IGNORE, waiting(live))
    slices = 0
    with django_capture_on_commit_callbacks(execute=True):
        tasks.continue_decisions(job.pk)
    while True:
        with django_capture_on_commit_callbacks(execute=True):
            done = work_off()
        if not done:
            break
        slices += 1
    job.refresh_from_db()
    assert (job.state, slices) == (DecisionJob.State.DONE, 2)


def test_stopped_it_leaves_whole_chunks_that_can_be_undone(live: StripeConnection) -> None:
    rows = waiting(live)
    job = start(live, IGNORE, rows)
    decision_jobs.work_chunk(job.pk)

    assert decision_jobs.stop(job)

    assert not decision_jobs.work_chunk(job.pk)
    assert states(rows) == ["ignored"] * 2 + ["no_customer"] * 3
    decisions.undo(connection=live, decision_id=job.decision_id, reason="No.", actor=None, seen=None)
    assert states(rows) == ["no_customer"] * 5
    assert not decision_jobs.stop(job)


def test_undone_half_way_it_decides_nothing_more(live: StripeConnection) -> None:
    rows = waiting(live)
    job = start(live, CREATE, rows)
    decision_jobs.work_chunk(job.pk)
    decisions.undo(connection=live, decision_id=job.decision_id, reason="No.", actor=None, seen=None)

    job = finish(job)

    assert (job.state, job.done) == (DecisionJob.State.STOPPED, 2)
    assert states(rows) == ["no_customer"] * 5


def test_an_undo_is_a_job_too_and_can_be_undone(live: StripeConnection) -> None:
    rows = waiting(live)
    made = finish(start(live, CREATE, rows))
    undone = decision_jobs.start_undo(connection=live, decision_id=made.decision_id, reason="No.", actor=None)
    assert finish(undone).state == DecisionJob.State.DONE
    assert states(rows) == ["no_customer"] * 5
    assert set(Customer.objects.values_list("status", flat=True)) == {Status.ARCHIVED}

    again = decision_jobs.start_undo(connection=live, decision_id=undone.decision_id, reason="Yes.", actor=None)
    assert finish(again).state == DecisionJob.State.DONE

    assert states(rows) == ["pinned"] * 5
    assert set(Customer.objects.values_list("status", flat=True)) == {Status.ACTIVE}
    with pytest.raises(IntegrationError, match="undone already"):
        decision_jobs.start_undo(connection=live, decision_id=made.decision_id, reason="No.", actor=None)


@pytest.mark.parametrize("gone", ["archived", "deleted", "moved"])
def test_a_target_that_cannot_have_it_any_more_ends_the_job_with_its_sentence(
    live: StripeConnection, gone: str
) -> None:
    rows, acme = waiting(live), CustomerFactory()
    job = start(live, LINK, rows, target_id=acme.pk)
    decision_jobs.work_chunk(job.pk)
    if gone == "deleted":
        acme.delete()
    else:
        change = {"status": Status.ARCHIVED} if gone == "archived" else {"environment": "staging"}
        Customer.objects.filter(pk=acme.pk).update(**change)

    job = finish(job)

    assert (job.state, job.done) == (DecisionJob.State.FAILED, 2)
    assert job.error_detail


def test_while_disconnected_it_waits_and_goes_on_afterwards(live: StripeConnection) -> None:
    rows = waiting(live)
    job = start(live, IGNORE, rows)
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)
    assert not decision_jobs.work_chunk(job.pk)
    job.refresh_from_db()
    assert (job.state, decision_jobs.unattended()) == (DecisionJob.State.QUEUED, [])
    StripeConnection.objects.update(state=ConnectionState.CONNECTED)
    assert decision_jobs.unattended() == [job.pk]
    assert finish(job).state == DecisionJob.State.DONE


def test_ids_of_another_mode_and_empty_sets_are_refused(live: StripeConnection) -> None:
    rows = waiting(live, 1)
    foreign = StripeCustomerFactory(connection=StripeConnectionFactory(mode=Mode.TEST))
    staging = CustomerFactory(environment="staging")
    with pytest.raises(IntegrationError):
        start(live, IGNORE, [])
    with pytest.raises(IntegrationError):
        start(live, LINK, rows, target_id=staging.pk)
    with pytest.raises(IntegrationError):
        start(live, LINK_EACH, [*rows, foreign], targets=[1, 1])
    assert not DecisionJob.objects.exists()


def test_a_reason_is_needed(live: StripeConnection) -> None:
    with pytest.raises(IntegrationError, match="reason"):
        start(live, IGNORE, waiting(live, 1), reason="  ")


@pytest.mark.django_db(transaction=True)
def test_two_workers_on_one_job_decide_each_once(live: StripeConnection) -> None:
    rows = waiting(live, 12)
    job = start(live, IGNORE, rows)

    def work() -> None:
        try:
            while DecisionJob.objects.filter(pk=job.pk, state__in=decision_jobs.ACTIVE).exists():
                decision_jobs.work_chunk(job.pk)
        finally:
            database.close()

    workers = [threading.Thread(target=work) for _each in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    job.refresh_from_db()
    assert (job.state, job.done, job.decision.members.count()) == (DecisionJob.State.DONE, 12, 12)


@pytest.mark.django_db(transaction=True)
def test_a_job_somebody_has_is_left_to_them(live: StripeConnection) -> None:
    job = start(live, IGNORE, waiting(live))
    answers = []

    def other() -> None:
        answers.append(decision_jobs.work_chunk(job.pk))
        database.close()

    with transaction.atomic():
        assert decision_jobs.is_alone(job.pk)
        worker = threading.Thread(target=other)
        worker.start()
        worker.join(timeout=30)
    job.refresh_from_db()
    assert (answers, job.done) == ([False], 0)


def test_figures_never_move_without_the_lock(live: StripeConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    job = start(live, IGNORE, waiting(live))
    held: list[StripeConnection] = []
    lock = derive.lock
    monkeypatch.setattr(derive, "lock", lambda connection: held.append(connection) or lock(connection))
    decision_jobs.work_chunk(job.pk)
    assert held[0] == live

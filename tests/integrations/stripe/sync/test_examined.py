"""A nightly run relies on the last one and still says what somebody says who read every invoice."""

from __future__ import annotations

from typing import Any

import pytest

from customers.models import Customer
from integrations.models import RunKind, RunState, StripeConnection, StripeInvoice, SyncRun
from integrations.stripe.sync import examined, privacy
from tests.integrations.stripe.sync.random_account import DAY, KEYS, Account, add_failing, found, paid_pages, put
from tests.integrations.stripe.sync.syncing import connect, sync

pytestmark = pytest.mark.django_db

NIGHTLY = RunKind.NIGHTLY


def relied_on(run: SyncRun) -> bool:
    """Whether a run asked nothing about those the last one had examined."""
    return run.checkpoint["relied_on"] is not None


@pytest.mark.parametrize("key", KEYS)
def test_nights_without_a_single_event_say_what_somebody_says_who_read_every_invoice(
    account: Account, key: str
) -> None:
    connection = connect(account.stripe, key)
    sync(connection)
    for _night in range(3):
        account.let_time_pass()
        run = sync(connection, NIGHTLY)

        assert (run.state, relied_on(run)) == (RunState.SUCCEEDED, True)
        assert found() == account.statuses()


def test_a_night_behind_a_run_that_read_customers_one_by_one_says_the_same(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom such a run had no need to examine is examined by the next one."""
    connection = connect(account.stripe)
    with monkeypatch.context() as patch:
        patch.setattr("integrations.stripe.sync.paid_invoices.WORTH_PAGING", 1000)
        first = sync(connection)
    account.let_time_pass()
    run = sync(connection, NIGHTLY)

    assert first.checkpoint["examined"]["left_out"]
    assert relied_on(run)
    assert found() == account.statuses()


@pytest.fixture
def connection(one: Account) -> StripeConnection:
    """An account in which five customers have been failing for long, and everybody is examined."""
    put(one, "in_latest", 1, "paid", subscription="sub_0000")
    for number in range(320):  # eight a day: the failing ones lie sixteen pages back
        put(one, f"in_history{number:03d}", 2, "paid", created=one.now - 3 * DAY - number * DAY // 8)
    for number in range(5):
        add_failing(one, number, days_ago=200)
    connection = connect(one.stripe)
    assert sync(connection).own_reads == 5
    one.stripe.reset_requests()
    return connection


def status(number: int) -> str:
    return Customer.objects.get(domain=f"failing{number}.com").payment_status


def test_a_night_in_which_nothing_happened_pages_a_day_and_reads_nobody(
    one: Account, connection: StripeConnection
) -> None:
    run = sync(connection, NIGHTLY)

    assert (run.own_reads, paid_pages(one), run.rows_written) == (0, 1, 0)
    again = sync(connection, NIGHTLY)
    assert (again.own_reads, relied_on(again)) == (0, True), "a nightly run is relied on by the next"


def test_a_full_run_relies_on_nothing(connection: StripeConnection) -> None:
    run = sync(connection)

    assert (run.own_reads, relied_on(run)) == (5, False)


def test_a_paid_invoice_that_arrived_unseen_is_found(one: Account, connection: StripeConnection) -> None:
    put(one, "in_unseen", 0, "paid", customer="cus_failing2", created=one.now - 5)
    run = sync(connection, NIGHTLY)

    assert (run.own_reads, relied_on(run)) == (0, True)
    assert [status(number) for number in range(5)] == ["failing", "failing", "paid", "failing", "failing"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "void"}, "paid"),
        ({"status": "uncollectible"}, "failing"),
        ({"status": "paid", "amount_remaining": 0}, "paid"),
    ],
)
def test_what_becomes_of_an_open_invoice_is_found(
    one: Account, connection: StripeConnection, changes: dict[str, Any], expected: str
) -> None:
    one.stripe.patch("invoices", "in_failing3_open", changes, event="none")
    run = sync(connection, NIGHTLY)

    assert (status(3), status(4), relied_on(run)) == (expected, "failing", True)


def test_an_old_draft_that_was_sent_and_paid_unseen_is_found(one: Account) -> None:
    """It is in no list the night reads: neither new, nor open, nor known."""
    put(one, "in_draft", 100, "draft", customer="cus_failing2")
    for number in range(5):
        add_failing(one, number, days_ago=200)
    connection = connect(one.stripe)
    sync(connection)
    one.stripe.patch("invoices", "in_draft", {"status": "paid", "amount_remaining": 0}, event="none")
    run = sync(connection, NIGHTLY)

    assert (status(2), relied_on(run)) == ("paid", True)


def test_a_draft_that_stays_one_costs_nothing(one: Account, connection: StripeConnection) -> None:
    put(one, "in_draft", 100, "draft", customer="cus_failing2")
    first, second = sync(connection, NIGHTLY), sync(connection, NIGHTLY)

    assert (first.own_reads, second.own_reads) == (0, 0)
    assert relied_on(second)


def test_somebody_the_last_run_had_no_need_to_examine_is_examined(
    one: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invoice nobody has tried to charge says nothing, so a paid one behind it was not looked for; then it fails."""
    put(one, "in_known", 60, "paid", subscription="sub_0000")
    put(one, "in_open", 40, "open", payment_intent_status="requires_payment_method")
    put(one, "in_one_off", 30, "paid")
    for number in range(5):
        add_failing(one, number, days_ago=200)
    connection = connect(one.stripe)
    with monkeypatch.context() as patch:
        patch.setattr("integrations.stripe.sync.paid_invoices.WORTH_PAGING", 1000)
        sync(connection)
    assert not StripeInvoice.objects.filter(stripe_id="in_one_off").exists()
    one.stripe.patch("invoices", "in_open", {"attempt_count": 2}, event="none")
    run = sync(connection, NIGHTLY)

    assert relied_on(run)
    assert Customer.objects.get(domain="company0.com").payment_status == "paid"


def test_somebody_who_subscribes_is_examined(one: Account, connection: StripeConnection) -> None:
    """Their older paid invoice concerned nobody as long as they had no subscription."""
    one.stripe.put("customers", "cus_new", {"email": "billing@failing0.com", "created": one.now}, event="none")
    put(one, "in_new_open", 100, "open", customer="cus_new", attempt_count=2)
    put(one, "in_new_paid", 90, "paid", customer="cus_new")
    value = {"customer": "cus_new", "currency": "usd", "status": "active", "items": [{"price": "price_growth"}]}
    one.stripe.put("subscriptions", "sub_new", {**value, "created": one.now + 60}, event="none")
    run = sync(connection, NIGHTLY)

    assert (run.own_reads, relied_on(run)) == (1, True)
    assert status(0) == "paid"


def test_after_data_was_deleted_everything_is_read(connection: StripeConnection) -> None:
    privacy.forget_customer(Customer.objects.get(domain="failing2.com"), actor=None, mirror_only=True)
    assert "examined" in SyncRun.objects.get().checkpoint
    run = sync(connection, NIGHTLY)

    assert (run.own_reads, relied_on(run)) == (5, False)


def test_where_very_many_drafts_are_old_everything_is_read(
    one: Account, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examined, "MOST_NOTED", 1)
    for number in range(3):
        put(one, f"in_draft{number}", 50, "draft", customer=f"cus_failing{number}")
    first, second = sync(connection, NIGHTLY), sync(connection, NIGHTLY)

    assert (relied_on(first), relied_on(second)) == (True, False)
    assert second.own_reads == 5

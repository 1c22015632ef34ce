"""Reading few invoices says the same as reading every one of them, whatever they are and however they change."""

from __future__ import annotations

import pytest

from customers.models import Customer
from integrations.models import ApiCall, RunState, StripeConnection, StripeInvoice
from integrations.stripe.sync import calls, refresh
from sandbox.testing import Running
from tests.integrations.stripe.sync.random_account import DAY, KEYS, Account, add_failing, found, paid_pages, put
from tests.integrations.stripe.sync.syncing import connect, sync

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", KEYS)
def test_the_payment_status_is_that_of_somebody_who_read_every_invoice(account: Account, key: str) -> None:
    connection = connect(account.stripe, key)
    first = sync(connection)
    at_first, expected_at_first = found(), account.statuses()
    account.let_time_pass()
    second = sync(connection)
    later, expected_later = found(), account.statuses()

    assert (first.state, second.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
    assert at_first == expected_at_first
    assert later == expected_later
    assert at_first != later


def test_a_refresh_says_the_same_as_a_run(account: Account) -> None:
    connection = connect(account.stripe)
    sync(connection)
    account.let_time_pass()
    half = account.stripe.data()["customers"][::2]
    for customer in half:
        refresh.refresh(connection, customer["id"])

    expected = account.statuses()
    domains = [customer["email"].partition("@")[2] for customer in half]
    assert {domain: found()[domain] for domain in domains} == {domain: expected[domain] for domain in domains}


def test_the_random_accounts_meet_every_status(empty: Running) -> None:
    statuses: set[str] = set()
    for seed in range(2):
        account = Account(empty, seed)
        account.fill(after=seed * 100)
        statuses |= set(account.statuses().values())

    assert statuses == {"paid", "past_due", "failing", "none"}


@pytest.mark.parametrize("key", KEYS)
def test_paging_paid_invoices_says_the_same_as_reading_them_one_by_one(
    account: Account, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.stripe.sync.paid_invoices.WORTH_PAGING", 1)
    run = sync(connect(account.stripe, key))

    assert run.state == RunState.SUCCEEDED
    assert found() == account.statuses()


def test_the_run_says_how_many_single_reads_it_needed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "KEPT", 1000)
    monkeypatch.setattr("integrations.stripe.sync.paid_invoices.WORTH_PAGING", 1000)
    connection = connect(account.stripe)
    ApiCall.objects.all().delete()
    run = sync(connection)

    single = [call.path for call in ApiCall.objects.all() if "customer=" in call.path or call.path.count("/") > 2]
    assert run.own_reads == len(single) > 0
    assert run.api_requests == ApiCall.objects.count()


# --- one by one ------------------------------------------------------------------------------------------------------


def mirrored() -> set[str]:
    return set(StripeInvoice.objects.values_list("stripe_id", flat=True))


def test_a_customer_whose_latest_invoice_is_paid_needs_no_read_of_its_own(one: Account) -> None:
    put(one, "in_old", 40, "paid")
    put(one, "in_latest", 10, "paid", subscription="sub_0000")
    run = sync(connect(one.stripe))

    assert (found(), run.own_reads) == ({"company0.com": "paid"}, 0)
    assert mirrored() == {"in_latest"}


def test_a_newer_paid_one_off_overtakes_a_failing_invoice(one: Account) -> None:
    put(one, "in_failing", 20, "open", attempt_count=3, subscription="sub_0000")
    put(one, "in_one_off", 10, "paid")
    run = sync(connect(one.stripe))

    assert (found(), run.own_reads) == ({"company0.com": "paid"}, 1)
    assert Customer.objects.get().billing_flags == ["older_invoice_open"]


def test_one_page_of_paid_invoices_is_read_instead_of_every_customer_that_waits_for_one(one: Account) -> None:
    for number in range(5):
        add_failing(one, number)
    connection = connect(one.stripe)
    one.stripe.reset_requests()
    run = sync(connection)

    assert (run.own_reads, paid_pages(one)) == (0, 1)
    assert {domain: status for domain, status in found().items() if domain.startswith("failing")} == {
        f"failing{number}.com": "failing" for number in range(5)
    }


def test_paging_stops_where_more_pages_would_cost_more_than_they_save(one: Account) -> None:
    put(one, "in_latest", 1, "paid", subscription="sub_0000")
    for number in range(320):  # eight a day: the failing ones lie sixteen pages back
        put(one, f"in_history{number:03d}", 2, "paid", created=one.now - 2 * DAY - number * DAY // 8)
    for number in range(4):
        add_failing(one, number, days_ago=200)
    connection = connect(one.stripe)
    one.stripe.reset_requests()
    run = sync(connection)

    assert (run.own_reads, paid_pages(one)) == (4, 1)
    assert set(found().values()) == {"paid", "failing"}


def test_a_paid_invoice_that_only_a_due_date_will_ask_for_is_read_today(one: Account) -> None:
    put(one, "in_latest", 30, "paid", subscription="sub_0000")
    put(one, "in_sent", 20, "open", collection_method="send_invoice", due_date=one.now + 5 * DAY)
    put(one, "in_one_off", 10, "paid")
    sync(connect(one.stripe))

    assert found() == {"company0.com": "paid"}
    assert "in_one_off" in mirrored()


@pytest.mark.parametrize("key", KEYS)
def test_a_partly_paid_invoice_is_not_taken_for_a_declined_one(one: Account, key: str) -> None:
    put(one, "in_partly", 5, "open", attempt_count=1)
    one.stripe.put("payment_intents", "pi_1", {"status": "succeeded"}, event="none")
    source = {"type": "payment_intent", "payment_intent": "pi_1"}
    payment = {"invoice": "in_partly", "status": "paid", "payment": source}
    one.stripe.put("invoice_payments", "inpay_1", payment, event="none")
    sync(connect(one.stripe, key))

    assert found() == one.statuses() == {"company0.com": "none"}


@pytest.mark.parametrize("key", KEYS)
def test_a_canceled_payment_of_a_due_invoice_is_a_declined_one(one: Account, key: str) -> None:
    sent = {"collection_method": "send_invoice", "due_date": one.now - DAY, "attempt_count": 1}
    put(one, "in_due", 40, "open", payment_intent_status="canceled", **sent)
    sync(connect(one.stripe, key))

    assert found() == one.statuses() == {"company0.com": "failing"}


def test_an_open_invoice_that_was_paid_since_is_read_by_id(one: Account) -> None:
    put(one, "in_one_off", 5, "open", attempt_count=1)
    connection = connect(one.stripe)
    sync(connection)
    before = found()
    one.stripe.patch("invoices", "in_one_off", {"status": "paid", "amount_remaining": 0}, event="none")
    sync(connection)

    assert (before, found()) == ({"company0.com": "failing"}, {"company0.com": "paid"})


def test_an_open_invoice_that_is_gone_leaves_the_mirror(one: Account) -> None:
    put(one, "in_one_off", 5, "open", attempt_count=1)
    connection = connect(one.stripe)
    sync(connection)
    one.stripe.delete("invoices", "in_one_off", event="none")
    sync(connection)

    assert mirrored() == set()
    assert found() == {"company0.com": "none"}


def test_without_invoices_to_read_the_subscription_speaks(one: Account) -> None:
    put(one, "in_one_off", 5, "open", attempt_count=1)
    key = one.stripe.create_key("rk_live_without_invoices", ["customer_read", "subscription_read"])
    run = sync(connect(one.stripe, key))

    assert run.state == RunState.SUCCEEDED
    assert found() == {"company0.com": "none"}
    assert StripeConnection.objects.get().permissions == ["customer_read", "subscription_read"]

"""What is read beside the subscriptions says the same as what is read behind them, whatever goes wrong meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from integrations.models import RunState, StripeInvoice
from integrations.stripe.sync import disconnecting
from integrations.stripe.sync.beside import Beside
from sandbox.testing import Running
from tests.integrations.stripe.sync.random_account import KEYS, Account, found
from tests.integrations.stripe.sync.syncing import billing, connect, mirror, sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_beside")]

LISTS = (("invoices", "open"), ("invoices", "uncollectible"), ("invoices", "paid"), ("invoice_payments", "open"))


@pytest.fixture
def quick_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read beside a small account's subscriptions is through before the next page of those is written."""
    write_ready = Beside.write_ready

    def write_all(beside: Beside) -> None:
        write_ready(beside)
        while any(track.fetcher for track in beside.tracks):
            beside.finish()
            write_ready(beside)

    monkeypatch.setattr(Beside, "write_ready", write_all)
    monkeypatch.setattr("integrations.stripe.sync.fetch.QUEUED_PAGES", 4)
    monkeypatch.setattr("integrations.stripe.api.pages.LARGEST_PAGE", 2)
    monkeypatch.setattr("integrations.stripe.sync.walking.PAGES_A_BATCH", 1)
    monkeypatch.setattr("integrations.stripe.sync.beside.LONG", 1)
    monkeypatch.setattr("integrations.stripe.sync.beside.WORTH_READING_BESIDE", 1)


def asked(stripe: Running) -> list[tuple[str, str | None]]:
    """Paths and statuses that were asked for, in order."""
    return [(each["path"], dict(each["query"]).get("status")) for each in stripe.requests()["recent"]]


@pytest.mark.parametrize("key", KEYS)
def test_paid_invoices_paged_beside_the_subscriptions_are_everybodys(account: Account, key: str) -> None:
    """Also of those whose subscription comes later, or brings a failing invoice after one that was paid."""
    connection = connect(account.stripe, key)
    account.stripe.reset_requests()
    run = sync(connection)
    requests = asked(account.stripe)
    subscriptions = [number for number, (path, _status) in enumerate(requests) if path == "/v1/subscriptions"]

    assert run.state == RunState.SUCCEEDED
    assert found() == account.statuses()
    assert subscriptions[0] < requests.index(("/v1/invoices", "open")) < requests.index(("/v1/invoices", "paid"))
    assert requests.index(("/v1/invoices", "paid")) < subscriptions[-1]


def test_paid_invoices_of_people_without_a_subscription_leave_the_mirror(account: Account) -> None:
    account.stripe.put("customers", "cus_one_off", {"email": "one@off.com"}, event="none")
    account.add_invoice("cus_one_off", status="paid", created=account.now - 5)
    sync(connect(account.stripe))

    assert not StripeInvoice.objects.filter(customer_id="cus_one_off").exists()


# --- faults ----------------------------------------------------------------------------------------------------------


def undisturbed(account: Account, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Headers and mirror after a run nobody disturbs; then the database is as before."""
    connection = connect(account.stripe, key)
    run = sync(connection)
    state = billing(), mirror(connection)
    assert run.state == RunState.SUCCEEDED
    assert found() == account.statuses()
    disconnecting.disconnect(connection, actor=None)
    disconnecting.delete_mirror(connection, actor=None)
    return state


def disturb(stripe: Running, kind: str, **options: Any) -> None:
    """Let the first page of each list that is read beside go wrong."""
    stripe.reset_requests()
    for name, status in LISTS:
        stripe.fault(kind, f"/v1/{name}", query={"status": status}, **options)


def assert_disturbed_in_the_walk(stripe: Running, times: int = 1) -> None:
    """Every fault was met, and subscriptions were still being read behind it."""
    requests = asked(stripe)
    last = len(requests) - 1 - requests[::-1].index(("/v1/subscriptions", "all"))

    assert [rule["fired"] for rule in stripe.faults()] == [times] * len(LISTS)
    for name, status in LISTS:
        assert requests.index((f"/v1/{name}", status)) < last


@pytest.mark.parametrize(
    ("kind", "options", "key"),
    [
        ("500", {}, "rk_live_all"),
        ("429", {"reason": "endpoint-rate", "retry_after": 0.05}, "rk_live_all"),
        ("reset", {}, "rk_live_all"),
        ("reset", {}, "rk_live_four_noexpand"),
        ("truncate", {}, "rk_live_all"),
        ("html", {}, "rk_live_all"),
    ],
)
def test_a_fault_on_what_is_read_beside_the_subscriptions_changes_nothing(
    account: Account, kind: str, options: dict[str, Any], key: str
) -> None:
    expected = undisturbed(account, key)
    connection = connect(account.stripe, key)
    disturb(account.stripe, kind, **options)
    run = sync(connection)

    assert_disturbed_in_the_walk(account.stripe)
    assert run.state == RunState.SUCCEEDED
    assert (billing(), mirror(connection)) == expected


def test_a_slice_that_ends_with_a_fault_beside_the_subscriptions_is_gone_on_behind(
    account: Account, settings: Settings
) -> None:
    """Nobody tries again within a slice, so each fault ends one; what was written before it is not read again."""
    expected = undisturbed(account, "rk_live_all")
    connection = connect(account.stripe)
    settings.STRIPE_RETRY_TRIES = 1
    disturb(account.stripe, "500", times=2)
    run = sync(connection)

    assert_disturbed_in_the_walk(account.stripe, times=2)
    assert run.state == RunState.SUCCEEDED
    assert run.read == len(account.stripe.data()["subscriptions"])
    assert (billing(), mirror(connection)) == expected

"""The inbox: hints in, fresh figures out, and nothing closed that was not read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django.fixtures import Settings

from customers.models import Customer
from integrations.models import (
    Attempt,
    ConnectionState,
    RunKind,
    StripeConnection,
    StripeCustomer,
    StripeEvent,
    StripePrice,
    StripeProduct,
    StripeSubscription,
    SyncIssue,
    SyncRun,
)
from integrations.stripe.api.events import Hint
from integrations.stripe.sync import (
    connections,
    dirty,
    disconnecting,
    drain,
    drain_slice,
    housekeeping,
    inbox,
    inbox_lease,
    prices,
    runs,
)
from integrations.stripe.sync.dirty import MOST_ATTEMPTS
from integrations.stripe.sync.drain_slice import DrainResult
from integrations.stripe.sync.freshness import freshness
from integrations.stripe.sync.looks import Look
from integrations.stripe.sync.refresh import retry_issue
from integrations.stripe.sync.scope import save_scope
from integrations.stripe.sync.threads import read_in_threads
from sandbox.testing import Running
from tests.integrations.stripe.sync.syncing import billing, connect, go_on, mirror, sync

pytestmark = pytest.mark.django_db

number = iter(range(1_000_000))


@pytest.fixture
def connection(stripe: Running, crm: None) -> StripeConnection:
    """A connection whose mirror is complete."""
    connection = connect(stripe)
    sync(connection)
    connection.refresh_from_db()
    stripe.reset_requests()
    return connection


def hint(kind: str = "customer.subscription.updated", *, owner: str = "", of: str = "", id: str = "") -> Hint:  # noqa: A002
    """A hint about a Stripe customer, or about an object of type ``of``."""
    return Hint(
        taken=True,
        event_id=f"evt_{next(number)}",
        type=kind,
        created=int(timezone.now().timestamp()),
        livemode=True,
        account="",
        object_type=of or "subscription",
        object_id=id or "sub_1",
        customer_id=owner,
    )


def told(connection: StripeConnection, *hints: Hint) -> None:
    """These hints have arrived by webhook."""
    assert inbox.receive(connection, hints, source="webhook") == len(hints)


def drained(connection: StripeConnection) -> DrainResult:
    """One slice, which somebody was free to work."""
    result = inbox.drain(connection.pk, queue=False)
    assert result is not None
    return result


def states(connection: StripeConnection) -> dict[str, int]:
    """How many events there are by state."""
    found: dict[str, int] = {}
    for state in StripeEvent.objects.filter(connection=connection).values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def alone(count: int) -> list[StripeCustomer]:
    """Stripe customers that are the only one on their Pivotal customer."""
    rows = StripeCustomer.objects.filter(match_state="matched", ambiguous_kind="", standing="live")
    return list(rows.order_by("stripe_id")[:count])


def let_retries_be_due() -> None:
    StripeEvent.objects.filter(state="waiting").update(retry_at=Now() - timedelta(seconds=1))


# --- reading ---------------------------------------------------------------------------------------------------------


def test_ten_events_about_one_customer_are_one_look_at_it(stripe: Running, connection: StripeConnection) -> None:
    one = alone(1)[0]
    stripe.patch("customers", one.stripe_id, {"name": "Renamed"}, event="none")
    told(connection, *(hint(owner=one.stripe_id) for _time in range(10)))
    result = drained(connection)

    one.refresh_from_db()
    asked = [each for each in stripe.requests()["recent"] if each["path"] == f"/v1/customers/{one.stripe_id}"]
    assert (one.name, len(asked)) == ("Renamed", 1)
    assert (result.events, result.customers) == (10, 1)
    assert result.requests <= 7
    assert states(connection) == {"done": 10}


def test_a_slice_leaves_what_a_full_run_would(stripe: Running, connection: StripeConnection) -> None:
    some = alone(8)
    for index, one in enumerate(some):
        for subscription in StripeSubscription.objects.filter(customer_id=one.stripe_id, live=True)[:1]:
            status = "past_due" if index % 2 else "canceled"
            stripe.patch("subscriptions", subscription.stripe_id, {"status": status}, event="none")
    told(connection, *(hint(owner=one.stripe_id) for one in some))
    drained(connection)
    header, rows = billing(), mirror(connection)
    run = sync(connection)

    assert run.rows_written == 0
    assert (billing(), mirror(connection)) == (header, rows)


def test_two_stripe_customers_on_one_pivotal_customer_are_added_up_together(
    stripe: Running, connection: StripeConnection
) -> None:
    shared = StripeCustomer.objects.filter(ambiguous_kind="shared_domain").order_by("customer_id", "stripe_id")
    customer = shared[0].customer
    members = [one for one in shared if one.customer_id == shared[0].customer_id]
    assert customer is not None
    for one in members:
        for subscription in StripeSubscription.objects.filter(customer_id=one.stripe_id, live=True):
            stripe.patch("subscriptions", subscription.stripe_id, {"status": "canceled"}, event="none")
    told(connection, *(hint(owner=one.stripe_id) for one in members))
    result = drained(connection)

    customer.refresh_from_db()
    assert len(members) > 1
    assert (customer.mrr, customer.plan, result.changed) == (0, "", 1)


def test_a_deleted_customer_leaves_a_tombstone(stripe: Running, connection: StripeConnection) -> None:
    one = alone(1)[0]
    stripe.delete("customers", one.stripe_id, event="none")
    told(connection, hint("customer.deleted", owner=one.stripe_id, of="customer", id=one.stripe_id))
    drained(connection)

    one.refresh_from_db()
    owner = Customer.objects.get(pk=alone(1)[0].customer_id)
    assert (one.deleted, one.customer, bool(one.email)) == (True, None, True)
    assert owner.stripe_customer_id != one.stripe_id
    assert not StripeSubscription.objects.filter(customer_id=one.stripe_id, live=True).exists()


def test_an_event_that_arrives_during_the_look_asks_for_another(
    stripe: Running, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = alone(1)[0]
    told(connection, hint(owner=one.stripe_id))
    late = [hint(owner=one.stripe_id)]

    def and_meanwhile(looks: Sequence[Look], read: Callable[[Look], Look], **more: Any) -> list[Future[Look]]:
        futures = read_in_threads(looks, read, **more)
        if late:
            stripe.patch("customers", one.stripe_id, {"name": "Meanwhile"}, event="none")
            told(connection, late.pop())
        return futures

    monkeypatch.setattr(drain, "read_in_threads", and_meanwhile)
    result = drained(connection)

    one.refresh_from_db()
    assert (one.name, result.customers, states(connection)) == ("Meanwhile", 2, {"done": 2})


def test_a_customer_that_is_new_to_us_is_found(stripe: Running, connection: StripeConnection) -> None:
    customer = Customer.objects.create(name="Newcomer", domain="newcomer.example")
    price = StripePrice.objects.filter(lookup_key="growth_monthly")[0].stripe_id
    stripe.put("customers", "cus_new", {"email": "x@newcomer.example"}, event="none")
    value = {"customer": "cus_new", "currency": "usd", "status": "active", "items": [{"price": price}]}
    stripe.put("subscriptions", "sub_new", value, event="none")
    told(connection, hint("customer.subscription.created", owner="cus_new"))
    drained(connection)

    customer.refresh_from_db()
    assert (customer.stripe_customer_id, customer.plan) == ("cus_new", "growth_monthly")


def test_what_concerns_nobody_we_show_costs_no_request(stripe: Running, connection: StripeConnection) -> None:
    told(
        connection,
        hint("payment_intent.succeeded", of="payment_intent", id="pi_x", owner="cus_nobody"),
        hint("payment_intent.succeeded", of="payment_intent", id="pi_y"),
        hint("customer.updated", of="customer", id="cus_nobody", owner="cus_nobody"),
        hint("customer.discount.deleted", of="discount", id="di_x"),
    )
    result = drained(connection)

    assert (result.requests, states(connection)) == (0, {"done": 4})


def test_a_payment_finds_its_customer_through_its_invoice(stripe: Running, connection: StripeConnection) -> None:
    one, other = alone(2)
    value = {"customer": one.stripe_id, "currency": "usd", "total": 5000, "status": "open"}
    stripe.put("invoices", "in_seen", {**value, "payment_intent_status": "processing"}, event="none")
    told(connection, hint(owner=one.stripe_id))
    drained(connection)
    stripe.put("invoices", "in_unseen", {**value, "customer": other.stripe_id}, event="none")
    told(
        connection,
        hint("invoice_payment.paid", of="invoice", id="in_seen"),
        hint("invoice_payment.paid", of="invoice", id="in_unseen"),
        hint("invoice_payment.paid", of="invoice", id="in_gone"),
    )
    result = drained(connection)

    owners = StripeEvent.objects.exclude(stripe_customer_id="").values_list("stripe_customer_id", flat=True)
    assert set(owners) == {one.stripe_id, other.stripe_id}
    assert (result.customers, states(connection)) == (2, {"done": 4})


def test_a_new_name_of_the_account_is_read(stripe: Running, crm: None) -> None:
    code = parse_qs(urlsplit(stripe.authorize("http://127.0.0.1:8000/back/")).query)["code"][0]
    connection = connections.connect_by_code("live", code=code, redirect_uri="http://127.0.0.1:8000/back/", actor=None)
    sync(connection)
    StripeConnection.objects.update(account_name="Old name")
    told(connection, hint("account.updated", of="account", id=connection.account_id))
    drained(connection)

    connection.refresh_from_db()
    assert connection.account_name == "Fieldnote Inc"
    assert states(connection) == {"done": 1}


# --- products and prices ---------------------------------------------------------------------------------------------


def test_a_new_lookup_key_reaches_everybody_on_the_price_with_one_request(
    stripe: Running, connection: StripeConnection
) -> None:
    price = StripePrice.objects.get(stripe_id=most_used())
    on_it = StripeSubscription.objects.filter(price_ids__contains=[price.stripe_id])
    stripe.patch("prices", price.stripe_id, {"lookup_key": "renamed_monthly"}, event="none")
    told(connection, hint("price.updated", of="price", id=price.stripe_id))
    result = drained(connection)
    header, rows = billing(), mirror(connection)

    assert on_it.count() > 3
    assert (result.requests, states(connection)) == (1, {"done": 1})
    assert all("renamed_monthly" in one.lookup_keys for one in on_it)
    assert Customer.objects.filter(plan="renamed_monthly").count() > 1
    assert sync(connection).rows_written == 0, "a walk finds everything as it is"
    assert (billing(), mirror(connection)) == (header, rows)


def test_a_scope_by_lookup_key_follows_the_key(stripe: Running, connection: StripeConnection) -> None:
    price = StripePrice.objects.get(stripe_id=most_used())
    save_scope(connection, products=[], lookup_keys=[price.lookup_key], actor=None)
    before = Customer.objects.filter(billing_source="stripe").count()
    stripe.patch("prices", price.stripe_id, {"lookup_key": "renamed_monthly"}, event="none")
    told(connection, hint("price.updated", of="price", id=price.stripe_id))
    drained(connection)

    assert Customer.objects.filter(billing_source="stripe").count() < before


def test_a_new_product_name_reaches_every_plan_it_names(stripe: Running, connection: StripeConnection) -> None:
    unnamed = Customer.objects.filter(billing_source="stripe", plan__contains=" ")
    names = {one.data["name"]: one.stripe_id for one in connection_products(connection)}
    customer = next(one for one in unnamed if one.plan in names)
    product = names[customer.plan]
    stripe.patch("products", product, {"name": "Another name"}, event="none")
    told(connection, hint("product.updated", of="product", id=product))
    result = drained(connection)

    customer.refresh_from_db()
    assert (customer.plan, result.requests) == ("Another name", 1)
    assert sync(connection).rows_written == 0


def test_a_product_that_only_looks_changed_recomputes_nobody(stripe: Running, connection: StripeConnection) -> None:
    product = connection_products(connection)[0].stripe_id
    told(connection, hint("product.updated", of="product", id=product))
    result = drained(connection)

    assert (result.requests, result.changed, states(connection)) == (1, 0, {"done": 1})


def test_a_price_that_was_cut_off_is_followed_through(
    stripe: Running, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = most_used()
    stripe.patch("prices", price, {"lookup_key": "renamed_monthly"}, event="none")
    told(connection, hint("price.updated", of="price", id=price))

    def killed(*_arguments: object, **_more: object) -> None:
        raise SystemExit

    monkeypatch.setattr("integrations.stripe.sync.derive.refreshed", killed)
    with pytest.raises(SystemExit):
        inbox.drain(connection.pk, queue=False)
    monkeypatch.undo()
    assert not Customer.objects.filter(plan="renamed_monthly").exists()
    drained(connection)

    assert Customer.objects.filter(plan="renamed_monthly").count() > 1


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice recomputes three customers at most; in production it is twenty thousand."""
    monkeypatch.setattr(drain, "MOST_CONCERNED", 3)


@pytest.mark.usefixtures("few_are_many")
def test_a_price_that_concerns_more_than_a_slice_recomputes_is_left_to_a_run(
    stripe: Running, connection: StripeConnection
) -> None:
    price, header = most_used(), billing()
    stripe.patch("prices", price, {"lookup_key": "renamed_monthly"}, event="none")
    told(connection, hint("price.updated", of="price", id=price))
    result = drained(connection)
    assert (billing(), states(connection)) == (header, {"waiting": 1}), "nobody is half done"
    again = drained(connection)

    run = SyncRun.objects.get(pk=result.run)
    assert (run.kind, again.run) == (RunKind.FULL, run.pk)
    assert go_on(run).state == "succeeded"
    assert states(connection) == {"done": 1}
    assert Customer.objects.filter(plan="renamed_monthly").count() > 3
    header = billing()
    assert (sync(connection).rows_written, billing()) == (0, header)


@pytest.mark.usefixtures("few_are_many")
def test_when_that_run_fails_they_are_recomputed_all_the_same(
    stripe: Running, connection: StripeConnection, settings: Settings
) -> None:
    settings.STRIPE_RETRY_TRIES = 1
    price = most_used()
    stripe.patch("prices", price, {"lookup_key": "renamed_monthly"}, event="none")
    told(connection, hint("price.updated", of="price", id=price))
    result = drained(connection)
    stripe.fault("500", "/v1/subscriptions", times=0)
    assert go_on(SyncRun.objects.get(pk=result.run)).state == "failed"
    stripe.clear_faults()
    result = drained(connection)

    assert (result.run, states(connection)) == (None, {"done": 1})
    assert Customer.objects.filter(plan="renamed_monthly").count() > 3


def test_a_page_from_before_a_price_changed_does_not_bring_the_old_key_back(
    stripe: Running, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = most_used()
    monkeypatch.setattr("integrations.stripe.sync.work.SLICE_SECONDS", 0)
    run = runs.start(connection, kind=RunKind.FULL, actor=None, queue=False)
    while "subscriptions" not in run.checkpoint.get("done", ()):
        runs.continue_run(run.pk, queue=False)
        run.refresh_from_db()
    monkeypatch.undo()
    stripe.patch("prices", price, {"lookup_key": "renamed_monthly"}, event="none")
    told(connection, hint("price.updated", of="price", id=price))
    drained(connection)
    # A page that was on its way when the price changed, and was stored last.
    held = StripeSubscription.objects.filter(price_ids__contains=[price])
    for one in held:
        for item in one.data["items"]["data"]:
            item["price"]["lookup_key"] = "old_monthly"
        one.lookup_keys = ["old_monthly"]
        one.save()
    assert go_on(run).state == "succeeded"

    assert all("renamed_monthly" in one.lookup_keys for one in held.all())
    assert Customer.objects.filter(plan="renamed_monthly").count() > 1


@pytest.mark.parametrize("key", ["rk_live_all", "rk_live_four_noexpand"])
def test_a_copy_of_a_price_is_what_stripe_shows_inside_a_subscription(stripe: Running, crm: None, key: str) -> None:
    connection = connect(stripe, key)
    sync(connection)
    StripeSubscription.objects.update(observed_at=Now() - timedelta(days=1))
    before = dict(StripeSubscription.objects.values_list("stripe_id", "data"))
    everything = StripePrice.objects.values_list("stripe_id", flat=True)

    assert prices.carry(connection, price_ids=list(everything)) == set()
    assert dict(StripeSubscription.objects.values_list("stripe_id", "data")) == before


def most_used() -> str:
    """The price most subscriptions with a lookup key are on."""
    used: dict[str, int] = {}
    for ids in StripeSubscription.objects.filter(status="active").values_list("price_ids", flat=True):
        for stripe_id in ids:
            used[stripe_id] = used.get(stripe_id, 0) + 1
    named = set(StripePrice.objects.exclude(lookup_key="").values_list("stripe_id", flat=True))
    return max(named & set(used), key=lambda one: (used[one], one))


def connection_products(connection: StripeConnection) -> list[StripeProduct]:
    return list(StripeProduct.objects.filter(connection=connection).order_by("stripe_id"))


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_one_that_fails_is_tried_again_later_and_holds_up_nobody(stripe: Running, connection: StripeConnection) -> None:
    bad, good = alone(2)
    stripe.fault("500", f"/v1/customers/{bad.stripe_id}", times=0)
    told(connection, hint(owner=bad.stripe_id), hint(owner=good.stripe_id))
    result = drained(connection)

    event = StripeEvent.objects.get(stripe_customer_id=bad.stripe_id)
    assert (result.customers, result.failed, result.error) == (1, 1, None)
    assert (event.state, event.attempts, event.error_code) == ("waiting", 1, "stripe_unavailable")
    assert event.retry_at is not None
    assert event.retry_at > timezone.now()
    assert inbox.drain(connection.pk, queue=False) is None, "nothing is due"
    assert freshness(bad.customer, connection).stale  # type: ignore[arg-type]
    assert not freshness(good.customer, connection).stale  # type: ignore[arg-type]

    stripe.clear_faults()
    let_retries_be_due()
    drained(connection)
    assert states(connection) == {"done": 2}
    assert not freshness(bad.customer, connection).stale  # type: ignore[arg-type]


def test_the_last_attempt_leaves_an_issue_that_retry_this_record_settles(
    stripe: Running, connection: StripeConnection
) -> None:
    bad = alone(1)[0]
    stripe.fault("500", f"/v1/customers/{bad.stripe_id}", times=0)
    told(connection, hint(owner=bad.stripe_id))
    for _attempt in range(MOST_ATTEMPTS):
        let_retries_be_due()
        drained(connection)

    issue = SyncIssue.objects.get(state="open", severity="error")
    assert states(connection) == {"failed": 1}
    assert (issue.code, issue.stripe_customer_id) == ("stripe_unavailable", bad.stripe_id)
    assert inbox.backlog(connection).failed == 1

    stripe.clear_faults()
    retry_issue(issue, actor=None)
    assert (issue.state, states(connection)) == ("resolved", {"done": 1})


def test_attempts_are_further_and_further_apart(connection: StripeConnection) -> None:
    waits = []
    told(connection, hint(owner="cus_1"))
    for _attempt in range(MOST_ATTEMPTS - 1):
        (one,) = dirty.of_customer(connection, "cus_1")
        dirty.fail(one, code="stripe_unavailable", permanent=False)
        event = StripeEvent.objects.get()
        assert event.retry_at is not None
        waits.append((event.retry_at - timezone.now()).total_seconds())

    assert 4 < waits[0] <= 10
    assert all(5 * 2**n - 1 <= wait <= min(900, 10 * 2**n) for n, wait in enumerate(waits[:6]))
    assert 440 < waits[-1] <= 900


def test_a_record_that_cannot_be_decoded_is_an_issue_at_once(stripe: Running, connection: StripeConnection) -> None:
    one = alone(1)[0]
    stripe.fault("broken_object", "/v1/subscriptions", query={"customer": one.stripe_id})
    told(connection, hint(owner=one.stripe_id))
    drained(connection)

    assert states(connection) == {"failed": 1}
    assert SyncIssue.objects.get(state="open", severity="error").stripe_customer_id == one.stripe_id


def test_a_stripe_that_is_not_there_pauses_everybody(stripe: Running, connection: StripeConnection) -> None:
    some = alone(6)
    stripe.fault("500", "/v1/*", times=0)
    told(connection, *(hint(owner=one.stripe_id) for one in some))
    result = drained(connection)

    assert result.error is not None
    assert result.error.code == "stripe_unavailable"
    assert not dirty.due(connection).exists()
    assert Attempt.objects.get(kind="inbox").state == "failed"

    stripe.clear_faults()
    let_retries_be_due()
    drained(connection)
    assert states(connection) == {"done": 6}


def test_being_asked_to_wait_is_waiting_as_long(stripe: Running, connection: StripeConnection) -> None:
    one, other = alone(2)
    stripe.fault("429", "/v1/customers/*", times=0, retry_after=120)
    told(connection, hint(owner=one.stripe_id), hint(owner=other.stripe_id))
    result = drained(connection)

    soonest = StripeEvent.objects.order_by("retry_at").values_list("retry_at", flat=True)[0]
    assert result.error is not None
    assert result.error.code == "rate_limited"
    assert soonest is not None
    assert soonest > timezone.now() + timedelta(seconds=110)


def test_access_that_is_over_keeps_everything_until_it_is_given_again(
    stripe: Running, connection: StripeConnection
) -> None:
    one = alone(1)[0]
    stripe.create_key("rk_live_soon_gone", list(connection.permissions))
    connection = connect(stripe, "rk_live_soon_gone")
    stripe.revoke_key("rk_live_soon_gone")
    stripe.patch("customers", one.stripe_id, {"name": "Renamed"}, event="none")
    told(connection, hint(owner=one.stripe_id))
    drained(connection)

    connection.refresh_from_db()
    event = StripeEvent.objects.get()
    assert connection.state == ConnectionState.REAUTHORIZE
    assert (event.state, event.attempts) == ("waiting", 0)
    assert dirty.connections_due() == []

    connect(stripe)
    assert dirty.connections_due() == [connection.pk]
    housekeeping.watchdog()
    drained(connection)
    one.refresh_from_db()
    assert one.name == "Renamed"


def test_a_permission_taken_away_is_found_out_and_the_rest_goes_on(
    stripe: Running, connection: StripeConnection
) -> None:
    one = alone(1)[0]
    four = ["customer_read", "subscription_read", "product_read", "plan_read"]
    stripe.create_key("rk_live_less", four)
    connection.access_token = "rk_live_less"
    connection.save(update_fields=["access_token"])
    told(connection, hint(owner=one.stripe_id))
    first = drained(connection)
    second = drained(connection)

    connection.refresh_from_db()
    assert first.error is not None
    assert first.error.code == "permission_missing"
    assert "invoice_read" not in connection.permissions
    assert (second.customers, states(connection)) == (1, {"done": 1})


def test_nothing_is_written_after_a_disconnect(stripe: Running, connection: StripeConnection) -> None:
    one = alone(1)[0]
    stripe.patch("customers", one.stripe_id, {"name": "Renamed"}, event="none")
    told(connection, hint(owner=one.stripe_id))
    disconnecting.disconnect(connection, actor=None)

    assert inbox.drain(connection.pk, queue=False) is None
    assert states(connection) == {"waiting": 1}


# --- beside runs -----------------------------------------------------------------------------------------------------


def test_nothing_is_read_before_a_first_run_has_written_customers(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    sync(connection, RunKind.PREVIEW)
    told(connection, hint(owner=StripeCustomer.objects.filter(standing="live")[0].stripe_id))

    assert inbox.drain(connection.pk, queue=False) is None
    assert dirty.connections_due() == []
    assert not Customer.objects.filter(billing_source="stripe").exists()
    sync(connection)
    assert states(connection) == {"done": 1}, "the run has read it"


def test_a_run_closes_what_arrived_before_it_began_and_nothing_else(
    connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = alone(2)
    told(connection, hint(owner=one.stripe_id))
    monkeypatch.setattr("integrations.stripe.sync.work.SLICE_SECONDS", 0)
    run = runs.start(connection, kind=RunKind.FULL, actor=None, queue=False)
    runs.continue_run(run.pk, queue=False)
    told(connection, hint(owner=other.stripe_id))
    StripeConnection.objects.update(inbox_until=None)
    assert go_on(run).state == "succeeded"

    assert StripeEvent.objects.get(stripe_customer_id=one.stripe_id).state == "done"
    assert StripeEvent.objects.get(stripe_customer_id=other.stripe_id).state == "waiting"
    connection.refresh_from_db()
    assert connection.inbox_until is not None, "the end of the run wakes the inbox"


def test_a_failed_event_is_settled_by_a_run_unless_its_record_is_still_broken(
    stripe: Running, connection: StripeConnection
) -> None:
    one, other = alone(2)
    told(connection, hint(owner=one.stripe_id), hint(owner=other.stripe_id))
    StripeEvent.objects.update(state="failed")
    position = [each["id"] for each in stripe.data()["subscriptions"]]
    broken = StripeSubscription.objects.filter(customer_id=other.stripe_id)[0].stripe_id
    order = sorted(stripe.data()["subscriptions"], key=lambda each: (-each["created"], each["id"]))
    assert broken in position
    index = [each["id"] for each in order].index(broken)
    stripe.fault("broken_object", "/v1/subscriptions", query={"status": "all", "limit": "100"}, index=index)
    run = sync(connection)

    broken_owner = SyncIssue.objects.get(run=run, state="open", severity="error").stripe_customer_id
    left = set(StripeEvent.objects.filter(state="failed").values_list("stripe_customer_id", flat=True))
    assert left == ({broken_owner} & {one.stripe_id, other.stripe_id})
    assert run.state == "partial"


def test_more_dirty_customers_than_a_walk_costs_are_left_to_a_run(
    stripe: Running, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "FEWEST_FOR_A_RUN", 3)
    some = alone(8)
    for one in some:
        stripe.patch("customers", one.stripe_id, {"name": f"Renamed {one.stripe_id}"}, event="none")
    told(connection, *(hint(owner=one.stripe_id) for one in some))
    result = drained(connection)
    again = drained(connection)

    run = SyncRun.objects.get(pk=result.run)
    assert (result.customers, again.run, run.kind) == (0, run.pk, RunKind.FULL)
    assert go_on(run).state == "succeeded"
    assert states(connection) == {"done": 8}
    assert StripeCustomer.objects.filter(name__startswith="Renamed").count() == 8


def test_a_run_that_failed_leaves_them_to_be_read_one_by_one(
    stripe: Running, connection: StripeConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "FEWEST_FOR_A_RUN", 3)
    settings.STRIPE_RETRY_TRIES = 1
    told(connection, *(hint(owner=one.stripe_id) for one in alone(8)))
    result = drained(connection)
    stripe.fault("500", "/v1/products", times=0)
    assert go_on(SyncRun.objects.get(pk=result.run)).state == "failed"
    stripe.clear_faults()
    result = drained(connection)

    assert (result.run, result.customers) == (None, 8)


def test_a_run_and_a_drain_share_the_pace(connection: StripeConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = []
    governed = drain_slice.governor_for

    def remember(*arguments: Any, share: float, **more: Any) -> Any:
        shares.append(share)
        return governed(*arguments, share=share, **more)

    monkeypatch.setattr(drain_slice, "governor_for", remember)
    told(connection, hint(owner=alone(1)[0].stripe_id))
    drained(connection)
    monkeypatch.setattr("integrations.stripe.sync.work.SLICE_SECONDS", 0)
    run = runs.start(connection, kind=RunKind.FULL, actor=None, queue=False)
    runs.continue_run(run.pk, queue=False)
    told(connection, hint(owner=alone(1)[0].stripe_id))
    drained(connection)

    assert shares == [1.0, drain_slice.SHARE_BESIDE_A_RUN]


# --- who works on it -------------------------------------------------------------------------------------------------


def test_one_drain_at_a_time(connection: StripeConnection) -> None:
    told(connection, hint(owner=alone(1)[0].stripe_id))
    held = inbox_lease.claim(connection.pk)
    assert held is not None

    assert inbox.drain(connection.pk) is None
    assert not inbox_lease.wake(connection.pk), "the one at work looks again when it is through"
    held.release()
    assert inbox.drain(connection.pk) is not None


def test_a_drain_that_lost_its_lease_writes_nothing(
    stripe: Running, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = alone(1)[0]
    stripe.patch("customers", one.stripe_id, {"name": "Renamed"}, event="none")
    told(connection, hint(owner=one.stripe_id))

    def and_meanwhile(looks: Sequence[Look], read: Callable[[Look], Look], **more: Any) -> list[Future[Look]]:
        StripeConnection.objects.update(inbox_until=Now() - timedelta(seconds=1))
        assert inbox_lease.claim(connection.pk) is not None
        return read_in_threads(looks, read, **more)

    monkeypatch.setattr(drain, "read_in_threads", and_meanwhile)
    assert inbox.drain(connection.pk) is None

    one.refresh_from_db()
    assert one.name != "Renamed"
    assert states(connection) == {"waiting": 1}
    assert inbox_lease.is_held(connection.pk), "the other one keeps it"


def test_what_is_left_when_a_slice_ends_is_queued(
    connection: StripeConnection, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(drain, "CHUNK", 1)
    monkeypatch.setattr(drain_slice, "SLICE_SECONDS", 0.01)
    told(connection, *(hint(owner=one.stripe_id) for one in alone(3)))
    StripeConnection.objects.update(inbox_until=None)
    with django_capture_on_commit_callbacks(execute=True):
        result = inbox.drain(connection.pk)

    assert result is not None
    assert result.customers < 3
    assert OrmQ.objects.count() == 1


def test_a_lost_task_and_a_due_retry_are_woken_by_the_watchdog(
    connection: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    told(connection, hint(owner=alone(1)[0].stripe_id))
    housekeeping.watchdog()
    assert OrmQ.objects.count() == 0, "one is believed to be on its way"
    assert not runs.work_is_due()
    StripeConnection.objects.update(inbox_until=Now() - timedelta(seconds=1))
    assert runs.work_is_due()
    with django_capture_on_commit_callbacks(execute=True):
        housekeeping.watchdog()
        housekeeping.watchdog()

    assert OrmQ.objects.count() == 1


# --- what is said about it -------------------------------------------------------------------------------------------


def test_a_busy_account_is_one_line_a_minute_in_the_log(connection: StripeConnection) -> None:
    for one in alone(3):
        told(connection, hint(owner=one.stripe_id))
        drained(connection)

    row = Attempt.objects.get(kind="inbox")
    assert (row.state, row.events, row.customers) == ("succeeded", 3, 3)
    assert row.api_requests >= 15


def test_the_last_incremental_update_is_when_a_change_landed(connection: StripeConnection) -> None:
    assert connection.last_incremental_update_at is None
    told(connection, hint(owner=alone(1)[0].stripe_id))
    drained(connection)

    connection.refresh_from_db()
    assert connection.last_incremental_update_at is not None


def test_the_backlog_says_how_much_waits_and_since_when(connection: StripeConnection) -> None:
    told(connection, hint(owner="cus_1"), hint(owner="cus_1"), hint(owner="cus_2"), hint(of="price", id="price_1"))
    found = inbox.backlog(connection)

    assert (found.events, found.customers, found.failing, found.failed) == (4, 2, 0, 0)
    assert found.oldest_at is not None


def test_old_events_and_attempts_are_forgotten(connection: StripeConnection) -> None:
    told(connection, *(hint(owner=one.stripe_id) for one in alone(2)))
    drained(connection)
    told(connection, hint(owner="cus_1"))
    Attempt.objects.update(started_at=Now() - timedelta(days=31))
    StripeEvent.objects.update(received_at=Now() - timedelta(days=33))
    housekeeping.prune()

    assert (states(connection), Attempt.objects.count()) == ({"waiting": 1}, 0)

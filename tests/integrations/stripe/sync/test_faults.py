"""What can go wrong in the middle of a run: the rest of the work is done, nothing is lost, and the state is honest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from customers.models import Customer
from integrations.models import (
    ConnectionState,
    RunState,
    StripeCustomer,
    StripeProduct,
    StripeSubscription,
    SyncIssue,
    SyncRun,
)
from integrations.stripe.sync import counts, progress, runs
from integrations.stripe.sync.refresh import retry_issue
from sandbox.testing import Running
from tests.integrations.stripe.sync.conftest import PAGED
from tests.integrations.stripe.sync.syncing import EIGHT, FOUR, billing, connect, go_on, mirror, start, sync

pytestmark = pytest.mark.django_db

LISTS = ("subscriptions", "products", "prices", "coupons", "invoice_payments", "invoices")
LISTS_OF_FOUR = ("subscriptions", "customers", "invoice_payments", "invoices")
WALK = {"limit": "100"}
"""What tells a walk from the probe that comes before it."""


def walked(path: str, **more: str) -> dict[str, Any]:
    return {"path": f"/v1/{path}", "query": {**WALK, **more}}


@pytest.mark.parametrize(
    ("kind", "options", "key"),
    [
        ("429", {"reason": "endpoint-rate", "retry_after": 0.05}, "rk_live_all"),
        ("429", {"reason": "global-rate"}, "rk_live_all"),
        ("429", {"reason": "global-rate", "retry_after": 0.05}, "rk_live_four_noexpand"),
        ("500", {}, "rk_live_all"),
        ("503", {}, "rk_live_four_noexpand"),
        ("timeout", {}, "rk_live_all"),
        ("reset", {}, "rk_live_all"),
        ("truncate", {}, "rk_live_all"),
        ("html", {}, "rk_live_all"),
        ("slow", {"delay_ms": 100}, "rk_live_all"),
    ],
)
def test_a_fault_on_every_list_changes_nothing(
    stripe: Running, crm: None, settings: Settings, kind: str, options: dict[str, Any], key: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    connection = connect(stripe, key)
    lists = LISTS_OF_FOUR if key == "rk_live_four_noexpand" else LISTS
    for name in lists:
        query = {} if kind == "timeout" else WALK  # a page that timed out is asked for again smaller
        stripe.fault(kind, f"/v1/{name}", query=query, **options)
    run = sync(connection)
    fired = {rule["match"]["path"]: rule["fired"] for rule in stripe.faults()}
    undisturbed = sync(connection)

    assert fired == {f"/v1/{name}": 1 for name in lists}
    assert (run.state, undisturbed.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
    assert undisturbed.rows_written == 0
    assert run.matched == undisturbed.matched > 30


def test_being_slowed_down_is_shown(stripe: Running) -> None:
    connection = connect(stripe)
    stripe.fault("429", retry_after=0.05, **walked("subscriptions"))
    run = sync(connection)

    assert run.throttled_at is not None
    assert run.error_code == ""


def test_a_page_goes_on_behind_its_broken_37th_object(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    stripe.fault("broken_object", index=36, **walked("subscriptions", status="all"))
    run = sync(connection)

    (issue,) = SyncIssue.objects.filter(run=run, state="open", severity="error")
    whole = {one["id"]: one for one in stripe.data()["subscriptions"]}
    assert run.state == RunState.PARTIAL
    assert run.read == len(whole)
    assert (issue.code, issue.object_type) == ("invalid_response", "subscription")
    assert "$.items" in issue.detail
    assert "broken" not in issue.detail + issue.answer
    assert issue.stripe_customer_id == whole[issue.object_id]["customer"]
    assert set(StripeSubscription.objects.values_list("stripe_id", flat=True)) == set(whole) - {issue.object_id}


def test_the_customer_of_a_broken_record_is_counted_as_failed_and_nowhere_else(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    before = sync(connection)
    stripe.fault("broken_object", index=36, **walked("subscriptions", status="all"))
    after = sync(connection)

    numbers = counts.count(connection)
    assert (before.failed, after.failed) == (0, 1)
    assert numbers.matched + numbers.unmatched + numbers.skipped + numbers.failed == numbers.stripe_customers
    assert after.stripe_customers == before.stripe_customers


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("products", "active"),
        ("prices", "recurring"),
        ("coupons", "percent_off"),
        ("invoices", "created"),
        ("invoice_payments", "payment"),
    ],
)
def test_a_broken_record_in_any_list_is_named_and_the_rest_is_read(
    stripe: Running, crm: None, name: str, field: str
) -> None:
    connection = connect(stripe)
    only = {"status": "open"} if name == "invoices" else {}
    stripe.fault("broken_object", field=field, **walked(name, **only))
    run = sync(connection)

    assert run.state == RunState.PARTIAL
    assert f"$.{field}" in SyncIssue.objects.get(run=run, severity="error").detail
    assert Customer.objects.filter(mrr__gt=0).count() > 20


def test_a_broken_customer_is_named_when_customers_are_walked(stripe: Running, crm: None) -> None:
    connection = connect(stripe, "rk_live_four_noexpand")
    stripe.fault("broken_object", field="created", **walked("customers"))
    run = sync(connection)

    (issue,) = SyncIssue.objects.filter(run=run, severity="error", state="open")
    assert run.state == RunState.PARTIAL
    assert run.failed == 1
    assert issue.object_id == issue.stripe_customer_id


def test_access_that_ends_in_mid_run_asks_for_reauthorisation_and_keeps_the_checkpoint(paged: Running) -> None:
    connection = connect(paged)
    paged.fault("revoked", nth=3, **walked("subscriptions", status="all"))
    run = sync(connection)
    connection.refresh_from_db()

    assert (run.state, run.error_code) == (RunState.QUEUED, "reauthorize")
    assert connection.state == ConnectionState.REAUTHORIZE
    assert connection.state_reason
    assert 0 < run.read < PAGED
    assert run.checkpoint["walks"]["subscriptions"][0]["after"].startswith("sub_")
    assert StripeSubscription.objects.count() == run.read


def test_a_revoked_key_asks_for_reauthorisation(stripe: Running) -> None:
    connection = connect(stripe, stripe.create_key("rk_live_shortlived", EIGHT))
    stripe.revoke_key("rk_live_shortlived")
    run = sync(connection)
    connection.refresh_from_db()

    assert (run.state, run.error_code) == (RunState.QUEUED, "reauthorize")
    assert connection.state == ConnectionState.REAUTHORIZE


@pytest.mark.parametrize("lost", ["product_read", "plan_read", "coupon_read", "invoice_read", "payment_intent_read"])
def test_a_permission_lost_in_mid_run_is_found_out_and_the_run_goes_on(
    stripe: Running, crm: None, settings: Settings, lost: str
) -> None:
    settings.STRIPE_RATE_LIVE = 200  # with a rate, waiting is part of every request
    key = stripe.create_key("rk_live_shrinking", EIGHT)
    connection = connect(stripe, key)
    stripe.create_key(key, [slug for slug in EIGHT if slug != lost])
    run = sync(connection)
    connection.refresh_from_db()

    assert (run.state, run.error_code) == (RunState.SUCCEEDED, "")
    assert set(connection.permissions) == set(EIGHT) - {lost}
    assert connection.can_expand
    assert run.matched > 30


def test_expansion_lost_in_mid_run_is_found_out_and_the_run_goes_on(stripe: Running, crm: None) -> None:
    key = stripe.create_key("rk_live_shrinking", FOUR)
    connection = connect(stripe, key)
    stripe.create_key(key, FOUR, expand=False)
    run = sync(connection)
    connection.refresh_from_db()

    assert run.state == RunState.SUCCEEDED
    assert not connection.can_expand
    assert run.matched > 30


def test_losing_a_permission_nothing_works_without_fails_the_run_and_says_so(stripe: Running) -> None:
    key = stripe.create_key("rk_live_shrinking", EIGHT)
    connection = connect(stripe, key)
    stripe.create_key(key, [slug for slug in EIGHT if slug != "customer_read"])
    run = sync(connection)
    connection.refresh_from_db()

    assert (run.state, run.error_code) == (RunState.FAILED, "permission_missing")
    assert "Customers" in run.error_detail
    assert connection.state == ConnectionState.CONNECTED


def test_a_refusal_that_no_probe_confirms_fails_the_run(stripe: Running) -> None:
    connection = connect(stripe)
    stripe.fault("403", times=0, permission="coupon_read", **walked("coupons"))
    run = sync(connection)

    assert (run.state, run.error_code) == (RunState.FAILED, "permission_missing")


def test_a_stripe_that_cannot_be_reached_fails_the_run_with_that_reason(stripe: Running, settings: Settings) -> None:
    connection = connect(stripe)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    settings.STRIPE_RETRY_TRIES = 2
    run = sync(connection)
    connection.refresh_from_db()

    assert (run.state, run.error_code) == (RunState.FAILED, "stripe_unavailable")
    assert connection.state == ConnectionState.CONNECTED


def test_a_stripe_that_stays_in_trouble_fails_the_run_with_that_reason(stripe: Running, settings: Settings) -> None:
    settings.STRIPE_RETRY_TRIES = 2
    connection = connect(stripe)
    stripe.fault("500", times=0, **walked("subscriptions"))
    run = sync(connection)

    assert (run.state, run.error_code) == (RunState.FAILED, "stripe_unavailable")
    assert StripeProduct.objects.exists()
    # Three lists of the catalogue and the drafts; then two tries, in the slice that read them and in three in which
    # nothing moved.
    assert run.api_requests == 4 + 2 * (1 + 3)


@pytest.mark.parametrize("retry_after", [30, 90, None])
def test_being_turned_away_for_minutes_makes_the_run_wait_and_say_until_when(
    stripe: Running, settings: Settings, monkeypatch: pytest.MonkeyPatch, retry_after: int | None
) -> None:
    settings.STRIPE_RETRY_TRIES = 2
    settings.STRIPE_RETRY_BASE_SECONDS = 2
    monkeypatch.setattr("integrations.stripe.sync.work.SLICE_SECONDS", 1)
    connection = connect(stripe)
    stripe.fault("429", times=0, **({"retry_after": retry_after} if retry_after else {}), **walked("subscriptions"))
    run = start(connection)
    for _number in range(5):
        SyncRun.objects.filter(pk=run.pk).update(lease_until=Now())
        runs.continue_run(run.pk, queue=False)
    run.refresh_from_db()
    until = progress.progress(run).waits_until

    assert (run.state, run.error_code) == (RunState.RUNNING, "rate_limited")
    assert until is not None
    assert (until - timezone.now()).total_seconds() > (retry_after or 1) - 5
    assert not runs.continue_run(run.pk, queue=False), "nobody claims it before then"
    assert runs.unattended() == []

    stripe.clear_faults()
    SyncRun.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
    assert runs.unattended() == [run.pk]
    assert go_on(run).state == RunState.SUCCEEDED


def test_waiting_for_an_hour_in_vain_ends_the_run(stripe: Running, settings: Settings) -> None:
    settings.STRIPE_RETRY_TRIES = 1
    connection = connect(stripe)
    stripe.fault("429", times=0, retry_after=0.01, **walked("products"))
    run = start(connection)
    SyncRun.objects.filter(pk=run.pk).update(started_at=Now() - timedelta(hours=2))
    run = go_on(run)

    assert (run.state, run.error_code) == (RunState.FAILED, "rate_limited")


def test_a_run_that_waits_is_cancelled_at_once(stripe: Running, settings: Settings) -> None:
    settings.STRIPE_RETRY_TRIES = 1
    connection = connect(stripe)
    stripe.fault("429", times=0, retry_after=600, **walked("products"))
    run = start(connection)
    runs.continue_run(run.pk, queue=False)
    runs.cancel(run, actor=None)
    run.refresh_from_db()

    assert run.state == RunState.CANCELLED


@pytest.mark.parametrize("kind", ["500", "timeout", "html"])
def test_a_record_that_never_answers_is_one_issue_and_the_rest_is_read(
    stripe: Running, crm: None, settings: Settings, kind: str
) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    settings.STRIPE_RETRY_TRIES = 2
    connection = connect(stripe)
    sync(connection)
    gone = StripeSubscription.objects.filter(live=True).order_by("stripe_id")[:3]
    for one in gone:
        stripe.delete("subscriptions", one.stripe_id, event="none")
    stripe.fault(kind, f"/v1/subscriptions/{gone[1].stripe_id}", times=0)
    run = sync(connection)

    (issue,) = SyncIssue.objects.filter(run=run, state="open", severity="error")
    assert run.state == RunState.PARTIAL
    assert (issue.object_id, issue.stripe_customer_id) == (gone[1].stripe_id, gone[1].customer_id)
    ids = [one.stripe_id for one in gone]
    still_live = StripeSubscription.objects.filter(stripe_id__in=ids, live=True).values_list("stripe_id", flat=True)
    assert list(still_live) == [ids[1]]

    stripe.clear_faults()
    retry_issue(issue, actor=None)
    assert (issue.state, StripeSubscription.objects.filter(stripe_id__in=ids, live=True).count()) == ("resolved", 0)


def test_waiting_longer_than_a_slice_fails_with_what_was_waited_for(
    stripe: Running, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STRIPE_RETRY_BASE_SECONDS = 60
    monkeypatch.setattr("integrations.stripe.sync.work.SLICE_SECONDS", 1)
    connection = connect(stripe)
    stripe.fault("500", times=0, **walked("products"))
    run = sync(connection)

    assert (run.state, run.error_code) == (RunState.FAILED, "stripe_unavailable")


def test_a_failed_run_leaves_everything_as_it_was(stripe: Running, crm: None, settings: Settings) -> None:
    settings.STRIPE_RETRY_TRIES = 1
    connection = connect(stripe)
    sync(connection)
    before, rows = billing(), mirror(connection)
    stripe.fault("500", times=0, **walked("invoices"))
    run = sync(connection)

    assert run.state == RunState.FAILED
    assert billing() == before
    assert mirror(connection) == rows


def test_a_run_that_failed_does_not_stand_in_the_way_of_the_next(stripe: Running, settings: Settings) -> None:
    settings.STRIPE_RETRY_TRIES = 1
    connection = connect(stripe)
    stripe.fault("500", times=0, **walked("products"))
    failed = sync(connection)
    stripe.clear_faults()

    assert failed.state == RunState.FAILED
    assert sync(connection).state == RunState.SUCCEEDED
    assert SyncRun.objects.count() == 2


def test_an_unknown_status_counts_nothing_and_is_said_once(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    before = sync(connection)
    row = StripeSubscription.objects.filter(status="active", mrr__gt=0).order_by("stripe_id")[0]
    stripe.patch("subscriptions", row.stripe_id, {"status": "hibernating"}, event="none")
    run = sync(connection)

    row.refresh_from_db()
    assert run.state == RunState.SUCCEEDED
    assert (row.status, row.live, row.mrr) == ("hibernating", True, 0)
    assert SyncIssue.objects.filter(code="unknown_value", object_id=row.stripe_id, state="open").count() == 1
    assert run.warnings == before.warnings + 1


def test_a_customer_without_an_address_is_skipped_and_the_run_succeeds(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    before = sync(connection)
    someone = StripeCustomer.objects.filter(standing="live", match_state="matched", ambiguous_kind="")[0]
    stripe.patch("customers", someone.stripe_id, {"email": None}, event="none")
    run = sync(connection)

    assert run.state == RunState.SUCCEEDED
    assert run.skipped == before.skipped + 1
    someone.refresh_from_db()
    assert (someone.match_state, someone.match_reason, someone.customer) == ("skipped", "no_email", None)


def test_a_cursor_that_is_gone_after_a_restart_is_no_obstacle(paged: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(paged)
    run = start(connection)
    monkeypatch.setattr("integrations.stripe.sync.work.SLICE_SECONDS", 0)
    monkeypatch.setattr("integrations.stripe.sync.walking.PAGES_A_BATCH", 1)
    while not run.read:
        runs.continue_run(run.pk, queue=False)
        run.refresh_from_db()
    cursor = run.checkpoint["walks"]["subscriptions"][0]["after"]
    paged.delete("subscriptions", cursor, event="none")
    monkeypatch.undo()
    run = go_on(run)

    assert run.state == RunState.SUCCEEDED
    assert StripeSubscription.objects.count() == PAGED

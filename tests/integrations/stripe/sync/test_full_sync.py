"""A sync of 2,000 subscriptions equals a recomputation that shares no code with it, customer by customer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from customers.models import BillingFlag, Customer
from integrations.models import StripeCustomer
from sandbox.testing import Running, running
from tests.integrations.stripe.sync.recomputation import Expected, recompute
from tests.integrations.stripe.sync.syncing import FIELDS, connect, crm_rows, import_crm, mirror, sync

pytestmark = pytest.mark.django_db  # makes pytest-django set the database up, which `synced` fills before any test

SUBSCRIPTIONS = 2000
MOST_REQUESTS = {"rk_live_all": 50, "rk_live_four": 47, "rk_live_four_noexpand": 190}
"""For 20 pages of subscriptions: with everything, with four permissions, and without any expansion."""
KEYS = tuple(MOST_REQUESTS)


@dataclass
class Synced:
    """What one key's sync left behind; plain values, so that the rows need not stay."""

    key: str
    state: str
    again: tuple[str, int]
    numbers: dict[str, int]
    requests: int
    fields: dict[str, tuple[Any, ...]]
    flags: dict[str, list[str]]
    unmatched: set[str]
    mirrored_subscriptions: int
    non_get: int
    expected: dict[str, Expected]


@pytest.fixture(scope="module")
def stripe() -> Iterator[Running]:
    with running("bulk", subscriptions=SUBSCRIPTIONS) as started:
        yield started


@pytest.fixture(scope="module", params=KEYS)
def synced(
    request: pytest.FixtureRequest, stripe: Running, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Synced:
    """One sync and a second over the same data, undone again when everything worth comparing was read."""
    stripe.reset_requests()
    fast = override_settings(STRIPE_RATE_LIVE=0, STRIPE_RETRY_BASE_SECONDS=0.01, STRIPE_API_BASE=stripe.url)
    with django_db_blocker.unblock(), fast, transaction.atomic():
        found = sync_with(stripe, request.param)
        transaction.set_rollback(True)
    return found


def sync_with(stripe: Running, key: str) -> Synced:
    import_crm(crm_rows("bulk", SUBSCRIPTIONS))
    connection = connect(stripe, key)
    run = sync(connection)
    again = sync(connection)
    customers = Customer.objects.order_by("pk")
    return Synced(
        key=key,
        state=run.state,
        again=(again.state, again.rows_written),
        numbers={name: getattr(run, name) for name in (*NUMBERS, "read", "warnings")},
        requests=run.api_requests,
        fields={domain: tuple(values) for domain, *values in customers.values_list("domain", *FIELDS)},
        flags=dict(customers.values_list("domain", "billing_flags")),
        unmatched=set(StripeCustomer.objects.exclude(match_state="matched").values_list("email_domain", flat=True)),
        mirrored_subscriptions=len(mirror(connection)["StripeSubscription"]),
        non_get=stripe.requests()["non_get_outside_token_endpoints"],
        expected=recompute(stripe.data(), customers.values_list("domain", flat=True), time.time()),
    )


NUMBERS = ("stripe_customers", "matched", "unmatched", "skipped", "failed", "ambiguous", "subscriptions")


def test_the_run_succeeds_and_reads_every_subscription(synced: Synced) -> None:
    assert synced.state == "succeeded"
    assert synced.numbers["read"] == synced.mirrored_subscriptions == SUBSCRIPTIONS


def test_the_five_fields_equal_the_recomputation_for_every_customer(synced: Synced) -> None:
    judged = {domain: one for domain, one in synced.expected.items() if whole(synced, one)}
    found = {domain: synced.fields[domain] for domain in judged}

    assert len(judged) > 1500
    assert found == {domain: one.fields for domain, one in judged.items()}


def whole(synced: Synced, expected: Expected) -> bool:
    """Whether nothing about a customer degrades with this key."""
    with_everything = synced.numbers["warnings"] == 0
    return with_everything or not (expected.discounted or expected.unnamed)


def test_what_a_missing_permission_leaves_out_is_flagged_and_nothing_else(synced: Synced) -> None:
    flagged = {domain for domain, flags in synced.flags.items() if BillingFlag.INCOMPLETE in flags}
    degraded = {domain for domain, one in synced.expected.items() if not whole(synced, one) and one.discounted}

    assert flagged == degraded
    assert bool(flagged) is bool(synced.numbers["warnings"])


def test_the_recomputation_meets_every_status_and_several_plans(synced: Synced) -> None:
    statuses = {one.payment_status for one in synced.expected.values()}
    plans = {one.plan for one in synced.expected.values()}

    assert statuses == {"paid", "past_due", "failing", "none"}
    assert len(plans) > 8
    assert sum(one.discounted for one in synced.expected.values()) > 20


def test_the_counts_add_up(synced: Synced) -> None:
    numbers = synced.numbers

    assert (
        numbers["matched"] + numbers["unmatched"] + numbers["skipped"] + numbers["failed"]
        == numbers["stripe_customers"]
    )
    assert numbers["failed"] == 0
    assert 0 < numbers["ambiguous"] < numbers["matched"]


def test_a_second_run_over_unchanged_data_writes_no_mirror_row(synced: Synced) -> None:
    assert synced.again == ("succeeded", 0)


def test_what_the_lists_leave_out_takes_few_requests(synced: Synced) -> None:
    assert synced.requests <= MOST_REQUESTS[synced.key]


def test_nothing_but_get_was_sent(synced: Synced) -> None:
    assert synced.non_get == 0

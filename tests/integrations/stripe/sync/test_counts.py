"""Matched, unmatched, skipped, ambiguous and failed add up (docs/rules.md section 2)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from integrations.models import (
    DecisionKind,
    IssueState,
    MemberEffect,
    Mode,
    ScopeFilter,
    Severity,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
    SyncIssue,
)
from integrations.stripe.sync import counts
from integrations.stripe.sync.counts import Counts
from tests.factories import (
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
    decide,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def subscriber(live: StripeConnection, email: str, *, amount: int = 10_000, **fields: str) -> StripeCustomer:
    row = StripeCustomerFactory(connection=live, email=email)
    StripeSubscriptionFactory(owner=row, amount=amount, **fields)
    return row


def fail(live: StripeConnection, object_type: str, object_id: str, *, customer: str = "") -> None:
    SyncIssue.objects.create(
        connection=live,
        code="invalid_response",
        severity=Severity.ERROR,
        object_type=object_type,
        object_id=object_id,
        stripe_customer_id=customer,
    )


def adds_up(found: Counts) -> bool:
    parts = found.matched + found.unmatched + found.skipped + found.failed
    return parts == found.stripe_customers and found.ambiguous <= found.matched


def test_every_stripe_customer_of_the_live_set_is_counted_once(live: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    CustomerFactory(domain="umbrella.com")
    subscriber(live, "a@acme.com", amount=10_000)
    subscriber(live, "b@acme.com", amount=20_000)
    subscriber(live, "a@umbrella.com", amount=40_000)
    subscriber(live, "a@nobody.com", amount=80_000)
    subscriber(live, "jane@gmail.com", amount=160_000)
    subscriber(live, "", amount=320_000)
    subscriber(live, "c@acme.com", status="canceled")
    StripeCustomerFactory(connection=live)

    derive_all(live)

    assert counts.count(live) == Counts(
        stripe_customers=6,
        matched=3,
        unmatched=1,
        skipped=2,
        ambiguous=2,
        failed=0,
        skipped_by_reason={"personal_email": 1, "no_email": 1},
        unmatched_by_reason={"no_customer": 1},
        ambiguous_groups=1,
        customers=2,
        subscriptions=6,
        matched_mrr=Decimal(700),
        unmatched_mrr=Decimal(800),
        skipped_mrr=Decimal(4800),
        ambiguous_mrr=Decimal(300),
    )


def test_an_empty_account_counts_nothing(live: StripeConnection) -> None:
    derive_all(live)

    assert counts.count(live) == Counts()


def test_what_is_outside_the_scope_is_not_counted(live: StripeConnection) -> None:
    subscriber(live, "a@nobody.com", lookup_key="growth")
    subscriber(live, "b@nobody.com", lookup_key="addon")
    ScopeFilter.objects.create(connection=live, kind="lookup_key", value="growth")

    derive_all(live)

    found = counts.count(live)
    assert (found.stripe_customers, found.subscriptions, found.unmatched_mrr) == (1, 1, Decimal(100))


def test_a_failed_one_is_counted_nowhere_else(live: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    for email in ("a@acme.com", "b@acme.com"):
        broken = subscriber(live, email)
    fail(live, "invoice", "in_1", customer=broken.stripe_id)

    derive_all(live)

    found = counts.count(live)
    assert (found.stripe_customers, found.matched, found.ambiguous, found.failed) == (2, 1, 1, 1)
    assert adds_up(found)


@pytest.mark.parametrize(
    ("object_type", "object_id", "customer", "failed"),
    [
        ("subscription", "sub_x", "cus_unknown", 1),
        ("subscription", "sub_x", "", 1),
        ("customer", "cus_subscribed", "cus_subscribed", 1),
        ("customer", "cus_unknown", "cus_unknown", 0),
        ("invoice", "in_x", "cus_ended", 0),
        ("price", "price_x", "", 0),
        ("coupon", "X", "", 0),
    ],
)
def test_a_broken_record_counts_when_it_hides_a_stripe_customer_of_the_live_set(
    live: StripeConnection, object_type: str, object_id: str, customer: str, failed: int
) -> None:
    ended = StripeCustomerFactory(connection=live, stripe_id="cus_ended")
    StripeSubscriptionFactory(owner=ended, status="canceled")
    unmirrored = StripeCustomerFactory(connection=live, stripe_id="cus_subscribed")
    StripeSubscriptionFactory(owner=unmirrored)
    StripeCustomer.objects.filter(pk=unmirrored.pk).delete()
    fail(live, object_type, object_id, customer=customer)

    derive_all(live)

    found = counts.count(live)
    assert (found.failed, found.stripe_customers) == (failed, failed)
    assert adds_up(found)


def test_a_resolved_error_and_a_warning_are_no_failure(live: StripeConnection) -> None:
    row = subscriber(live, "a@nobody.com")
    fail(live, "invoice", "in_1", customer=row.stripe_id)
    SyncIssue.objects.update(state=IssueState.RESOLVED)
    fail(live, "invoice", "in_2", customer=row.stripe_id)
    SyncIssue.objects.filter(object_id="in_2").update(severity=Severity.WARNING)

    derive_all(live)

    assert (counts.count(live).failed, counts.count(live).unmatched) == (0, 1)


def test_a_loser_whose_winner_ended_is_ambiguous_and_matched(live: StripeConnection) -> None:
    acme = CustomerFactory(domain="acme.com")
    winner, loser = subscriber(live, "a@acme.com"), subscriber(live, "b@acme.com")
    decide(DecisionKind.WINNER, {winner: MemberEffect.WINS, loser: MemberEffect.LOSES}, on=[acme])
    derive_all(live)
    assert (counts.count(live).skipped, counts.count(live).ambiguous) == (1, 0)
    StripeSubscription.objects.filter(customer_id=winner.stripe_id).update(live=False, status="canceled")

    derive_all(live)

    found = counts.count(live)
    assert (found.matched, found.ambiguous, found.skipped, found.ambiguous_groups) == (1, 1, 0, 1)
    assert adds_up(found)


def test_live_and_test_mode_are_counted_apart(live: StripeConnection) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    for connection in (live, test):
        StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=connection, stripe_id="cus_same"))
    subscriber(test, "a@nobody.com")
    for connection in (live, test):
        derive_all(connection)

    assert [counts.count(connection).stripe_customers for connection in (live, test)] == [1, 2]

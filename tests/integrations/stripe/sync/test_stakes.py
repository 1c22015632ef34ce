"""The column that lists of those without a customer are sorted by says what their subscriptions add up to, always."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from customers.models import Customer
from integrations.models import MatchState, ScopeFilter, StripeConnection, StripeCustomer, StripeSubscription
from integrations.stripe.pages.presenters.subscriptions import mrr_in_scope
from integrations.stripe.sync import derive
from tests.factories import (
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def waiting(live: StripeConnection) -> StripeCustomer:
    """One that nobody has, with $300 of growth and $100 of scale, and a skipped one; both as a run leaves them."""
    row = StripeCustomerFactory(connection=live, email="billing@fernbank.com")
    StripeSubscriptionFactory(owner=row, quantity=3)
    StripeSubscriptionFactory(owner=row, product="prod_scale", lookup_key="")
    StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=live, email="jane@gmail.com"))
    derive_all(live)
    return row


def stake_of(row: StripeCustomer) -> Decimal:
    """What the column says; before that, that it is right for everybody in a list."""
    listed = StripeCustomer.objects.filter(match_state__in=[MatchState.UNMATCHED, MatchState.SKIPPED], standing="live")
    for each in listed.annotate(added_up=mrr_in_scope(row.connection)):
        assert each.stake == each.added_up
    row.refresh_from_db()
    return row.stake


def test_a_run_writes_it(waiting: StripeCustomer) -> None:
    assert stake_of(waiting) == 400
    assert StripeCustomer.objects.get(match_state=MatchState.SKIPPED).stake == 100


def test_a_scope_moves_it(live: StripeConnection, waiting: StripeCustomer) -> None:
    ScopeFilter.objects.create(connection=live, kind="product", value="prod_growth")
    derive.rematch_all(live, decided=True)

    assert stake_of(waiting) == 300


def test_a_refresh_moves_it(live: StripeConnection, waiting: StripeCustomer) -> None:
    StripeSubscriptionFactory(owner=waiting, quantity=5)
    derive.refreshed(live, [waiting.stripe_id], as_of=timezone.now())

    assert stake_of(waiting) == 900


def test_a_subscription_that_is_gone_counts_no_more(live: StripeConnection, waiting: StripeCustomer) -> None:
    StripeSubscription.objects.filter(customer_id=waiting.stripe_id, product_ids=["prod_scale"]).delete()
    derive.refreshed(live, [waiting.stripe_id], as_of=timezone.now())

    assert stake_of(waiting) == 300


def test_who_loses_its_customer_has_it_at_once(live: StripeConnection, waiting: StripeCustomer) -> None:
    customer = CustomerFactory(domain="fernbank.com")
    derive.rematch(live, domains=frozenset({"fernbank.com"}))
    StripeSubscriptionFactory(owner=waiting, quantity=5)
    derive.refreshed(live, [waiting.stripe_id], as_of=timezone.now())
    Customer.objects.filter(pk=customer.pk).update(domain="elsewhere.com")
    derive.rematch(live, domains=frozenset({"fernbank.com", "elsewhere.com"}))

    waiting.refresh_from_db()
    assert waiting.match_state == MatchState.UNMATCHED
    assert stake_of(waiting) == 900

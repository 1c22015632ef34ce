"""Decisions outlast what happens around them: syncs, scopes, disconnecting, changes of an e-mail."""

from __future__ import annotations

from decimal import Decimal

import pytest

from customers.models import Customer
from integrations.models import StripeConnection, StripeCustomer
from integrations.stripe.sync import decisions, disconnecting, refresh, scope
from sandbox.testing import Running
from tests.integrations.stripe.sync.deciding import mrr
from tests.integrations.stripe.sync.derived import flags, outcome
from tests.integrations.stripe.sync.syncing import connect, sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("crm")]


@pytest.fixture
def live(stripe: Running) -> StripeConnection:
    connection = connect(stripe)
    sync(connection)
    return connection


def meridian() -> tuple[Customer, list[StripeCustomer]]:
    """Four Stripe customers on one customer, in the order of their names."""
    customer = Customer.objects.get(name="Meridian Logistics")
    return customer, list(StripeCustomer.objects.filter(customer=customer).order_by("name"))


def kept_merged(live: StripeConnection) -> tuple[Customer, list[StripeCustomer]]:
    customer, rows = meridian()
    decisions.keep_merged(connection=live, customer_ids=[customer.pk], reason="One contract", actor=None, seen=None)
    return customer, rows


def split_off_cold_chain(live: StripeConnection) -> tuple[Customer, list[StripeCustomer]]:
    customer, rows = meridian()
    decisions.split(
        connection=live,
        customer_id=customer.pk,
        stripe_ids=[rows[0].stripe_id],
        name="Cold Chain",
        domain="",
        reason="Two contracts",
        actor=None,
        seen=None,
    )
    return customer, rows


def test_another_full_sync_changes_no_decision(live: StripeConnection) -> None:
    customer, rows = split_off_cold_chain(live)
    before = mrr(customer)

    sync(live)

    assert outcome(rows[0])[1:] == ("pinned", "Cold Chain")
    assert (mrr(customer), mrr(Customer.objects.get(name="Cold Chain"))) == (before, Decimal(720))
    assert flags(*rows) == [""] * 4


def test_a_scope_that_comes_and_goes_leaves_the_set_decided(live: StripeConnection) -> None:
    customer, rows = kept_merged(live)
    before = mrr(customer)

    scope.save_scope(live, products=[], lookup_keys=["starter_monthly"], actor=None)
    assert mrr(customer) < before
    scope.save_scope(live, products=[], lookup_keys=[], actor=None)

    assert (mrr(customer), flags(*rows)) == (before, [""] * 4)


def test_disconnecting_and_connecting_again_leaves_the_set_decided(live: StripeConnection, stripe: Running) -> None:
    customer, rows = kept_merged(live)
    before = mrr(customer)

    disconnecting.disconnect(live, actor=None)
    sync(connect(stripe))

    assert (mrr(customer), flags(*rows)) == (before, [""] * 4)


def test_an_email_that_changes_moves_nobody_who_is_pinned(live: StripeConnection, stripe: Running) -> None:
    _customer, rows = split_off_cold_chain(live)
    stripe.patch("customers", rows[0].stripe_id, {"email": "billing@acme.com"}, event="none")

    refresh.refresh(live, rows[0].stripe_id, actor=None)

    assert outcome(rows[0])[1:] == ("pinned", "Cold Chain")


def test_an_email_that_changes_and_changes_back_finds_the_set_decided(live: StripeConnection, stripe: Running) -> None:
    customer, rows = kept_merged(live)
    before, email = mrr(customer), rows[0].email
    stripe.patch("customers", rows[0].stripe_id, {"email": "billing@nowhere.example"}, event="none")
    refresh.refresh(live, rows[0].stripe_id, actor=None)
    assert flags(*rows) == [""] * 4

    stripe.patch("customers", rows[0].stripe_id, {"email": email}, event="none")
    refresh.refresh(live, rows[0].stripe_id, actor=None)

    assert (mrr(customer), flags(*rows)) == (before, [""] * 4)


def test_a_newcomer_in_stripe_raises_the_flag_of_the_whole_set_again(live: StripeConnection, stripe: Running) -> None:
    customer, rows = kept_merged(live)
    newcomer = StripeCustomer.objects.get(email="ap@ospreyretail.co.uk")
    stripe.patch("customers", newcomer.stripe_id, {"email": "new@meridian-logistics.com"}, event="none")

    refresh.refresh(live, newcomer.stripe_id, actor=None)

    assert flags(*rows, newcomer) == ["shared_domain"] * 5
    assert outcome(newcomer)[2] == customer.name

"""MRR and receipts from the mirror (docs/rules.md section 4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.models import Mode, StripeConnection, StripeCoupon, StripeCustomer, StripePrice, StripeSubscription
from integrations.stripe.sync import rates
from integrations.stripe.sync.contributions import Change, Contributions
from tests.factories import LONG_AGO, StripeConnectionFactory, StripeCustomerFactory, StripeSubscriptionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def owner(live: StripeConnection) -> StripeCustomer:
    return StripeCustomerFactory(connection=live)


def compute(*owners: StripeCustomer) -> list[Change]:
    contributions = Contributions(owners[0].connection, rates=rates.load(), now=timezone.now())
    return contributions.compute([owner.stripe_id for owner in owners])


def mirrored(model: Any, live: StripeConnection, stripe_id: str, **data: Any) -> None:
    model.objects.create(connection=live, stripe_id=stripe_id, data={"id": stripe_id, **data}, observed_at=LONG_AGO)


def test_a_contribution_keeps_twelve_places(owner: StripeCustomer) -> None:
    subscription = StripeSubscriptionFactory(owner=owner, price={"recurring": {"interval": "year"}})

    compute(owner)

    subscription.refresh_from_db()
    assert subscription.mrr == Decimal("8.333333333333")
    assert Decimal(subscription.receipt["contribution"]) == subscription.mrr
    assert (subscription.plan, subscription.plan_label) == ("growth_monthly", "Growth")


def test_the_mirrored_price_gives_what_a_list_leaves_out(live: StripeConnection, owner: StripeCustomer) -> None:
    tiered = {"billing_scheme": "tiered", "tiers_mode": "volume", "unit_amount": None}
    subscription = StripeSubscriptionFactory(owner=owner, quantity=10, price=tiered)
    price = {**subscription.data["items"]["data"][0]["price"], "tiers": [{"up_to": None, "unit_amount": 700}]}
    compute(owner)
    subscription.refresh_from_db()
    assert (subscription.mrr, [each.split()[0] for each in subscription.problems]) == (0, ["permission_missing"])
    StripePrice.objects.create(
        connection=live, stripe_id=price["id"], data=price, observed_at=LONG_AGO, product_id=price["product"]
    )

    compute(owner)

    subscription.refresh_from_db()
    assert (subscription.mrr, subscription.problems) == (Decimal(70), [])


def test_a_customers_own_discount_is_inherited(live: StripeConnection) -> None:
    mirrored(StripeCoupon, live, "HALF", duration="forever", percent_off="50", applies_to=None)
    discount = {"id": "di_1", "source": {"coupon": "HALF"}}
    owner = StripeCustomerFactory(connection=live, data={"id": "cus_d", "discount": discount}, stripe_id="cus_d")
    subscription = StripeSubscriptionFactory(owner=owner)

    compute(owner)

    subscription.refresh_from_db()
    assert subscription.mrr == Decimal(50)


def test_an_unchanged_contribution_is_not_written(owner: StripeCustomer) -> None:
    StripeSubscriptionFactory(owner=owner)
    assert len(compute(owner)) == 1
    version = row_version()

    assert compute(owner) == []

    assert row_version() == version


def row_version() -> Any:
    with database.cursor() as cursor:
        cursor.execute("SELECT ctid::text, xmin::text FROM integrations_stripesubscription")
        return cursor.fetchall()


def test_the_other_modes_subscription_of_the_same_id_is_left_alone(live: StripeConnection) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    for connection in (live, test):
        owner = StripeCustomerFactory(connection=connection, stripe_id="cus_same")
        StripeSubscriptionFactory(owner=owner, stripe_id="sub_same")

    compute(StripeCustomer.objects.get(connection=live))

    computed = StripeSubscription.objects.exclude(receipt=None).values_list("connection", flat=True)
    assert list(computed) == [live.pk]


def test_the_queries_do_not_grow_with_the_subscriptions(live: StripeConnection) -> None:
    def queries(number: int) -> int:
        owners = StripeCustomerFactory.create_batch(number, connection=live)
        for owner in owners:
            StripeSubscriptionFactory.create_batch(2, owner=owner)
        with CaptureQueriesContext(database) as captured:
            compute(*owners)
        return len(captured)

    assert queries(3) == queries(6)

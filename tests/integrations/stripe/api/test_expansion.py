"""What is expanded where, by what may be read."""

from __future__ import annotations

import pytest

from integrations.stripe.api.expansion import expand_list, expand_object
from integrations.stripe.api.permissions import PERMISSIONS

ALL = frozenset(permission.slug for permission in PERMISSIONS)
FOUR = frozenset(permission.slug for permission in PERMISSIONS if permission.needed)
RESOURCES = [
    *("customers", "subscriptions", "subscription_items", "invoices", "invoice_payments"),
    *("payment_intents", "products", "prices", "coupons", "events"),
]


@pytest.mark.parametrize("resource", RESOURCES)
def test_no_list_asks_for_more_than_four_levels(resource: str) -> None:
    assert all(path.count(".") < 4 for path in expand_list(resource, ALL, can_expand=True))


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_key_that_may_not_expand_asks_for_nothing(resource: str) -> None:
    assert expand_list(resource, ALL, can_expand=False) == []


def test_with_every_permission_subscriptions_bring_all_that_lists_can() -> None:
    assert expand_list("subscriptions", ALL, can_expand=True) == [
        "data.customer",
        "data.latest_invoice",
        "data.discounts.source.coupon",
        "data.items.data.discounts",
    ]


def test_without_coupons_discounts_are_expanded_up_to_the_coupons_id() -> None:
    assert "data.discounts" in expand_list("subscriptions", FOUR, can_expand=True)


def test_one_object_brings_the_same_as_a_list() -> None:
    assert expand_object("prices", ALL, can_expand=True) == ["tiers", "currency_options"]


def test_without_the_permission_of_what_is_expanded_it_is_left_out() -> None:
    assert expand_list("subscriptions", {"subscription_read"}, can_expand=True) == [
        "data.discounts",
        "data.items.data.discounts",
    ]
    assert expand_list("prices", FOUR, can_expand=True) == []

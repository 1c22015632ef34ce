"""Broken objects among good ones, through a whole sync: an issue with the object's id, and the rest is computed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from customers.models import Customer
from integrations.models import IssueState, RunState, Severity, StripeConnection, StripeSubscription, SyncIssue
from integrations.stripe.sync import refresh
from sandbox.testing import Running
from tests.factories import CustomerFactory
from tests.integrations.stripe.sync.syncing import connect, sync

pytestmark = pytest.mark.django_db

PRICE: dict[str, Any] = {
    "id": "price_growth",
    "object": "price",
    "currency": "usd",
    "product": "prod_growth",
    "billing_scheme": "per_unit",
    "unit_amount": 10_000,
    "unit_amount_decimal": "10000",
    "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
}
# What the second subscription of a customer is like, and where the decoder stops.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "null-price": ({"price": None}, "$.items.data[0].price"),
    "missing-currency": ({"price": {"currency": "gone"}}, "$.items.data[0].price"),
    "float-amount": ({"price": {"unit_amount": 33.333333}}, "$.items.data[0].price.unit_amount"),
    "huge-amount": ({"price": {"unit_amount": 2**63}}, "$.items.data[0].price.unit_amount"),
    "huge-quantity": ({"quantity": 2**64}, "$.items.data[0].quantity"),
    "null-interval": ({"price": {"recurring": {"interval": None}}}, "$.items.data[0].price.recurring.interval"),
}
# What is read, cannot be true, and so counts nothing: the issue.
DOUBTFUL: dict[str, tuple[dict[str, Any], str]] = {
    "negative-quantity": ({"quantity": -3, "price": {"id": "price_less"}}, "invalid_response price_less"),
    "no-amount": (
        {"price": {"id": "price_none", "unit_amount": None, "unit_amount_decimal": None}},
        "invalid_response price_none",
    ),
    "deleted-coupon": (
        {"discounts": [{"id": "di_1", "object": "discount", "source": {"coupon": "DELETED"}}]},
        "permission_missing DELETED",
    ),
    "other-currency": ({"price": {"currency": "eur"}}, "invalid_response price_growth"),
    "gone-product": ({"quantity": 0, "price": {"product": "prod_gone"}}, "record_gone prod_gone"),
}


def an_item(changes: dict[str, Any]) -> dict[str, Any]:
    """An item as Stripe sends it, with some of it changed; a currency "gone" is left out."""
    price = None if changes.get("price", PRICE) is None else {**PRICE, **changes.get("price", {})}
    if price is not None and price["currency"] == "gone":
        del price["currency"]
    rest = {name: value for name, value in changes.items() if name != "price"}
    return {"id": "si_odd", "object": "subscription_item", "quantity": 1, "price": price, **rest}


@pytest.fixture
def account(empty: Running) -> Running:
    """Customers that each have a good subscription over $100 and an odd one."""
    empty.put("products", "prod_growth", {"name": "Growth"}, event="none")
    empty.put("prices", "price_growth", {name: PRICE[name] for name in ("product", "unit_amount")}, event="none")
    for slug, (changes, _found) in (REFUSED | DOUBTFUL).items():
        add_customer(empty, slug)
        put_items(empty, slug, [an_item(changes)])
    add_customer(empty, "empty-list")
    put_items(empty, "empty-list", [])
    return empty


def add_customer(stripe: Running, slug: str) -> None:
    CustomerFactory(domain=f"{slug}.com")
    stripe.put("customers", f"cus_{slug}", {"email": f"billing@{slug}.com"}, event="none")
    for kind in ("good", "odd"):
        value = {"customer": f"cus_{slug}", "status": "active", "items": [{"price": "price_growth"}]}
        stripe.put("subscriptions", f"sub_{slug}_{kind}", value, event="none")


def put_items(stripe: Running, slug: str, items: list[dict[str, Any]]) -> None:
    """Replace the items of the odd subscription by what no Stripe would send."""
    stripe.patch("subscriptions", f"sub_{slug}_odd", {"items": {"object": "list", "data": items}}, event="none")


def issues(severity: Severity) -> dict[str, str]:
    found = SyncIssue.objects.filter(state=IssueState.OPEN, severity=severity)
    return dict(found.values_list("object_id", "detail"))


def test_each_is_an_issue_with_its_id_and_everything_else_is_computed(account: Running) -> None:
    run = sync(connect(account))

    assert run.state == RunState.PARTIAL
    errors = issues(Severity.ERROR)
    assert {stripe_id: detail.partition(": ")[0] for stripe_id, detail in errors.items()} == {
        f"sub_{slug}_odd": path for slug, (_changes, path) in REFUSED.items()
    }
    warnings = SyncIssue.objects.filter(state=IssueState.OPEN, severity=Severity.WARNING)
    assert {f"{code} {object_id}" for code, object_id in warnings.values_list("code", "object_id")} == {
        *(found for _changes, found in DOUBTFUL.values()),
        "invalid_response sub_empty-list_odd",
    }
    assert set(Customer.objects.values_list("mrr", flat=True)) == {Decimal("100.00")}
    assert StripeSubscription.objects.count() == 2 * (len(DOUBTFUL) + 1) + len(REFUSED)


def test_a_figure_that_leaves_something_out_says_so_and_one_that_lacks_a_name_does_not(account: Running) -> None:
    sync(connect(account))

    flags = {
        domain.removesuffix(".com"): flags for domain, flags in Customer.objects.values_list("domain", "billing_flags")
    }
    for slug in (*DOUBTFUL, "empty-list"):
        assert ("incomplete" in flags[slug]) == (slug != "gone-product"), slug


@pytest.mark.parametrize("slug", ["float-amount", "negative-quantity", "empty-list"])
def test_a_refresh_meets_the_same_and_a_mended_object_ends_the_issue(account: Running, slug: str) -> None:
    connection = connect(account)
    sync(connection)
    before = set(SyncIssue.objects.filter(state=IssueState.OPEN).values_list("object_id", flat=True))
    refresh.refresh(connection, f"cus_{slug}")
    assert set(SyncIssue.objects.filter(state=IssueState.OPEN).values_list("object_id", flat=True)) == before

    put_items(account, slug, [an_item({})])
    refresh.refresh(StripeConnection.objects.get(), f"cus_{slug}")

    assert Customer.objects.get(domain=f"{slug}.com").mrr == Decimal("200.00")
    assert not SyncIssue.objects.filter(state=IssueState.OPEN, stripe_customer_id=f"cus_{slug}").exists()

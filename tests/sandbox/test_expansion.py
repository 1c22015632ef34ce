"""What can be expanded, how deep, and what comes of it."""

from typing import Any

import pytest

from sandbox.testing import Running
from tests.sandbox.helpers import error_of, walk

FULL = ["data.customer", "data.latest_invoice.payments", "data.discounts.source.coupon", "data.items.data.discounts"]


def _subscriptions(stripe: Running, *paths: str) -> list[dict[str, Any]]:
    return list(walk(stripe, "/v1/subscriptions", status="all", limit=100, **{"expand[]": list(paths)}))


def test_nothing_is_expanded_unasked(stripe: Running) -> None:
    for one in _subscriptions(stripe):
        assert isinstance(one["customer"], str)
        assert isinstance(one["latest_invoice"], str | None)
        assert all(isinstance(discount, str) for discount in one["discounts"])


def test_the_paths_of_a_billing_mirror_expand_together(stripe: Running) -> None:
    data = stripe.data()
    customers = {one["id"]: one for one in data["customers"]}
    invoices = {one["id"]: one for one in data["invoices"]}
    for one in _subscriptions(stripe, *FULL):
        assert one["customer"] == customers[one["customer"]["id"]]
        invoice = one["latest_invoice"]
        if invoice is not None:
            payments = invoice.pop("payments")
            assert invoice == invoices[invoice["id"]]
            assert {payment["invoice"] for payment in payments["data"]} <= {invoice["id"]}
        assert all(discount["source"]["coupon"]["object"] == "coupon" for discount in one["discounts"])


def test_item_discounts_expand_with_their_coupon_as_an_id(stripe: Running) -> None:
    items = [item for one in _subscriptions(stripe, "data.items.data.discounts") for item in one["items"]["data"]]
    (discount,) = [discount for item in items for discount in item["discounts"]]
    assert discount["subscription_item"].startswith("si_")
    assert discount["source"]["coupon"] == "GROWTHONLY"


def test_open_payments_lead_to_their_payment_intents(stripe: Running) -> None:
    payments = list(walk(stripe, "/v1/invoice_payments", status="open", **{"expand[]": "data.payment.payment_intent"}))
    statuses = {one["payment"]["payment_intent"]["status"] for one in payments}
    assert {"requires_payment_method", "processing", "requires_action"} <= statuses


def test_tiers_and_currency_options_come_only_when_asked_for(stripe: Running) -> None:
    plain = stripe.get("/v1/prices", limit=100).json()["data"]
    assert not any({"tiers", "currency_options"} & one.keys() for one in plain)
    params = {"expand[]": ["data.tiers", "data.currency_options", "data.product"]}
    full = stripe.get("/v1/prices", limit=100, **params).json()["data"]
    tiered = [one for one in full if one["billing_scheme"] == "tiered"]
    assert tiered
    assert all(one["tiers"][-1]["up_to"] is None for one in tiered)
    assert all(one["product"]["object"] == "product" for one in full)


def test_coupons_tell_what_they_apply_to_when_asked(stripe: Running) -> None:
    coupon = stripe.get("/v1/coupons/GROWTHONLY", **{"expand[]": "applies_to"}).json()
    assert len(coupon["applies_to"]["products"]) == 1
    assert "applies_to" not in stripe.get("/v1/coupons/GROWTHONLY").json()


def test_a_deleted_customer_expands_to_its_tombstone(stripe: Running) -> None:
    (gone,) = [one for one in stripe.data()["customers"] if one.get("deleted")]
    found = [one for one in _subscriptions(stripe, "data.customer") if one["customer"]["id"] == gone["id"]]
    assert found
    assert all(one["customer"] == gone and one["status"] == "canceled" for one in found)


@pytest.mark.parametrize(
    "path",
    [
        "data.items.data.price.product",
        "data.items.data.price.tiers",
        "data.latest_invoice.payments.data.payment.payment_intent",
    ],
)
def test_more_than_four_levels_are_refused(stripe: Running, path: str) -> None:
    answer = stripe.get("/v1/subscriptions", **{"expand[]": path})
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "property_expansion_max_depth"
    assert error_of(answer)["message"].startswith("You cannot expand more than 4 levels of a property.")


def test_a_retrieve_has_one_level_more_to_spend(stripe: Running) -> None:
    subscription = stripe.data()["subscriptions"][0]["id"]
    answer = stripe.get(f"/v1/subscriptions/{subscription}", **{"expand[]": "items.data.price.product"})
    assert answer.json()["items"]["data"][0]["price"]["product"]["object"] == "product"


@pytest.mark.parametrize("path", ["data.nonsense", "customer", "data", "data.items", "data.status"])
def test_paths_that_do_not_exist_are_refused(stripe: Running, path: str) -> None:
    answer = stripe.get("/v1/subscriptions", **{"expand[]": path})
    assert answer.status_code == 400
    assert error_of(answer)["message"] == f"This property cannot be expanded ({path})."

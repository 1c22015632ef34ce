"""Objects made, changed and deleted through the control API stay consistent with one another."""

import pytest

from sandbox.testing import ControlError, Running
from tests.sandbox.helpers import ids


def _price(stripe: Running, lookup_key: str = "growth_monthly") -> str:
    return str(stripe.get("/v1/prices", **{"lookup_keys[]": lookup_key}).json()["data"][0]["id"])


def test_a_customer_with_a_subscription_and_an_invoice_is_three_short_calls(own: Running) -> None:
    own.put("customers", "cus_new", {"email": "pay@new.example", "name": "New"})
    own.put("subscriptions", "sub_new", {"customer": "cus_new", "items": [{"price": _price(own), "quantity": 3}]})
    own.put(
        "invoices", "in_new",
        {"customer": "cus_new", "subscription": "sub_new", "status": "open", "total": 24000, "attempt_count": 2,
         "payment_intent_status": "requires_payment_method"},
    )  # fmt: skip
    expand = {"expand[]": ["customer", "latest_invoice.payments"]}
    subscription = own.get("/v1/subscriptions/sub_new", **expand).json()
    assert subscription["customer"]["email"] == "pay@new.example"
    assert subscription["items"]["data"][0]["price"]["lookup_key"] == "growth_monthly"
    assert subscription["items"]["data"][0]["quantity"] == 3
    invoice = subscription["latest_invoice"]
    assert invoice["amount_remaining"] == 24000
    assert invoice["parent"]["subscription_details"]["subscription"] == "sub_new"
    intent = invoice["payments"]["data"][0]["payment"]["payment_intent"]
    assert own.get(f"/v1/payment_intents/{intent}").json()["status"] == "requires_payment_method"


def test_a_changed_price_shows_on_the_subscriptions_that_use_it(own: Running) -> None:
    price = _price(own)
    own.patch("prices", price, {"lookup_key": "growth_moved", "unit_amount": 9000})
    items = [
        item for one in own.data()["subscriptions"] for item in one["items"]["data"] if item["price"]["id"] == price
    ]
    assert items
    assert {item["price"]["lookup_key"] for item in items} == {"growth_moved"}
    assert {item["price"]["unit_amount_decimal"] for item in items} == {"9000"}


def test_deleting_a_customer_ends_its_subscriptions(own: Running) -> None:
    subscription = next(one for one in own.data()["subscriptions"] if one["status"] == "active")
    own.delete("customers", subscription["customer"])
    ended = own.get(f"/v1/subscriptions/{subscription['id']}", **{"expand[]": "customer"}).json()
    assert ended["status"] == "canceled"
    assert ended["customer"] == {"id": subscription["customer"], "object": "customer", "deleted": True}
    assert subscription["id"] not in ids(own, "/v1/subscriptions", limit=100)


def test_a_deleted_coupon_stays_in_force_on_its_discounts(own: Running) -> None:
    own.delete("coupons", "PARTNER15")
    assert own.get("/v1/coupons/PARTNER15").status_code == 404
    found = own.get("/v1/subscriptions", limit=100, **{"expand[]": "data.discounts.source.coupon"}).json()["data"]
    coupons = {discount["source"]["coupon"]["id"] for one in found for discount in one["discounts"]}
    assert "PARTNER15" in coupons


def test_a_subscription_gets_a_discount_from_a_coupon_name(own: Running) -> None:
    subscription = own.data()["subscriptions"][0]["id"]
    own.patch("subscriptions", subscription, {"discounts": [{"coupon": "LOYAL50"}]})
    answer = own.get(f"/v1/subscriptions/{subscription}", **{"expand[]": "discounts.source.coupon"}).json()
    assert answer["discounts"][0]["source"]["coupon"]["amount_off"] == 5000
    assert answer["discounts"][0]["subscription"] == subscription


def test_a_customer_moves_to_another_filter_when_it_changes(own: Running) -> None:
    invoice = next(one for one in own.data()["invoices"] if one["status"] == "open")
    own.patch("invoices", invoice["id"], {"status": "paid", "amount_remaining": 0})
    assert invoice["id"] not in ids(own, "/v1/invoices", status="open", limit=100)
    assert invoice["id"] in ids(own, "/v1/invoices", status="paid", limit=100)


@pytest.mark.parametrize(
    ("kind", "object_id", "value"),
    [
        ("customers", "cus_missing", {"name": "x"}),
        ("cats", "cat_1", {}),
    ],
)
def test_what_cannot_be_changed_is_refused(stripe: Running, kind: str, object_id: str, value: dict[str, str]) -> None:
    with pytest.raises(ControlError):
        stripe.patch(kind, object_id, value)


def test_a_misspelt_field_of_a_new_object_is_refused(stripe: Running) -> None:
    with pytest.raises(ControlError, match="customer has no field emial"):
        stripe.put("customers", "cus_typo", {"emial": "x@y.example"})

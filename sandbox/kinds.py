"""What is stored: one entry a kind of object, with what can be filtered by and which permission reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.shapes import Json

Attributes = Mapping[str, Any]

PERMISSIONS = (
    "customer_read",
    "subscription_read",
    "invoice_read",
    "payment_intent_read",
    "product_read",
    "plan_read",
    "coupon_read",
    "event_read",
)
"""What a Stripe App of the product would list in its manifest."""

FOUR_PERMISSIONS = PERMISSIONS[:4]
ACCOUNT_PERMISSION = "connected_account_read"


def _nothing(_: Json) -> Attributes:
    return {}


@dataclass(frozen=True)
class Kind:
    """A listable kind of object.

    `attributes` takes what filters look at out of an object; `indexed` names those worth an index (a tuple value is
    indexed under each of its members); `includable` names the fields that are only sent when expanded.
    """

    name: str
    resource: str
    permission: str
    attributes: Callable[[Json], Attributes] = _nothing
    indexed: tuple[str, ...] = ()
    includable: tuple[str, ...] = ()
    path: str = field(default="")

    @property
    def url(self) -> str:
        """The path of its list."""
        return self.path or f"/v1/{self.name}"


def reference(value: Any) -> str | None:
    """The id behind a field that holds an id or an expanded object."""
    return value["id"] if isinstance(value, dict) else value


def _subscription(subscription: Json) -> Attributes:
    return {
        "customer": reference(subscription["customer"]),
        "status": subscription["status"],
        "collection_method": subscription["collection_method"],
        "price": tuple({item["price"]["id"] for item in subscription["items"]["data"] if item.get("price")}),
        "test_clock": subscription["test_clock"],
    }


def _invoice(invoice: Json) -> Attributes:
    parent = invoice["parent"] or {}
    return {
        "customer": reference(invoice["customer"]),
        "status": invoice["status"],
        "subscription": reference((parent.get("subscription_details") or {}).get("subscription")),
        "collection_method": invoice["collection_method"],
        "due_date": invoice["due_date"],
    }


def _invoice_payment(payment: Json) -> Attributes:
    return {
        "invoice": reference(payment["invoice"]),
        "status": payment["status"],
        "payment_type": payment["payment"]["type"],
        "payment_intent": reference(payment["payment"].get("payment_intent")),
    }


def _customer(customer: Json) -> Attributes:
    return {"email": customer["email"], "test_clock": customer["test_clock"]}


def _product(product: Json) -> Attributes:
    return {"active": product["active"]}


def _price(price: Json) -> Attributes:
    return {
        "active": price["active"],
        "product": reference(price["product"]),
        "lookup_key": price["lookup_key"],
        "currency": price["currency"],
        "type": price["type"],
    }


def _event(event: Json) -> Attributes:
    return {"type": event["type"], "undelivered": event["pending_webhooks"] > 0}


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("customers", "customer", "customer_read", _customer),
        Kind("subscriptions", "subscription", "subscription_read", _subscription, ("customer", "price", "status")),
        Kind("invoices", "invoice", "invoice_read", _invoice, ("customer", "subscription", "status"), ("payments",)),
        Kind(
            "invoice_payments", "invoice_payment", "invoice_read", _invoice_payment,
            ("invoice", "payment_intent", "status"),
        ),
        Kind(
            "payment_intents", "payment_intent", "payment_intent_read",
            lambda intent: {"customer": reference(intent["customer"])}, ("customer",),
        ),
        Kind("products", "product", "product_read", _product),
        Kind("prices", "price", "plan_read", _price, ("product", "lookup_key"), ("tiers", "currency_options")),
        Kind("coupons", "coupon", "coupon_read", includable=("applies_to", "currency_options")),
        Kind("events", "event", "event_read", _event, ("type",)),
    )
}  # fmt: skip

"""Expansion: which paths exist, how deep they may go, what permission they need, and how they are put in.

Bodies stay encoded: an object is decoded one level deep, the expanded fields are replaced as raw JSON, and it is
encoded again. That keeps a page of 100 expanded subscriptions at a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from sandbox.errors import ApiError
from sandbox.store import Dataset

MAXIMUM_DEPTH = 4
NULL = b"null"

Tree = dict[str, "Tree"]
Shallow = dict[str, msgspec.Raw]

_decode_shallow = msgspec.json.Decoder(Shallow).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str | None).decode
_encode = msgspec.json.encode


@dataclass(frozen=True)
class Field:
    """A field a path may pass through.

    `to` is the resource it leads to. `how`: `reference` (an id that becomes an object), `references` (ids),
    `inside` (an object that is always there), `rows` (a list object that is always there), `included` (sent only
    when expanded), `empty` (expandable at Stripe, always null here). `permission` is what expanding it needs.
    """

    how: str
    to: str = ""
    permission: str = ""

    @property
    def expandable(self) -> bool:
        """Whether a path may end here."""
        return self.how not in {"inside", "rows"}


_CUSTOMER = Field("reference", "customer", "customer_read")
_PRODUCT = Field("reference", "product", "product_read")
_INVOICE = Field("reference", "invoice", "invoice_read")
_DISCOUNTS = Field("references", "discount", "subscription_read")
_EMPTY = Field("empty")

FIELDS: dict[str, dict[str, Field]] = {
    "subscription": {
        "customer": _CUSTOMER,
        "latest_invoice": _INVOICE,
        "discounts": _DISCOUNTS,
        "items": Field("rows", "subscription_item"),
        "application": _EMPTY,
        "default_payment_method": _EMPTY,
        "default_source": _EMPTY,
        "on_behalf_of": _EMPTY,
        "pending_setup_intent": _EMPTY,
        "schedule": _EMPTY,
    },
    "subscription_item": {
        "discounts": _DISCOUNTS,
        "price": Field("inside", "price"),
        "plan": Field("inside", "plan"),
    },
    "discount": {"source": Field("inside", "discount_source"), "customer": _CUSTOMER, "promotion_code": _EMPTY},
    "discount_source": {"coupon": Field("reference", "coupon", "coupon_read")},
    "coupon": {
        "applies_to": Field("included", permission="coupon_read"),
        "currency_options": Field("included", permission="coupon_read"),
    },
    "price": {
        "product": _PRODUCT,
        "tiers": Field("included", permission="plan_read"),
        "currency_options": Field("included", permission="plan_read"),
    },
    "plan": {"product": _PRODUCT},
    "product": {"default_price": Field("reference", "price", "plan_read")},
    "customer": {"discount": Field("inside", "discount"), "default_source": _EMPTY},
    "invoice": {
        "customer": _CUSTOMER,
        "payments": Field("included", "invoice_payment", "invoice_read"),
        "discounts": Field("references", "discount", "invoice_read"),
        "parent": Field("inside", "invoice_parent"),
        "default_payment_method": _EMPTY,
        "default_source": _EMPTY,
    },
    "invoice_parent": {"subscription_details": Field("inside", "invoice_subscription")},
    "invoice_subscription": {"subscription": Field("reference", "subscription", "subscription_read")},
    "invoice_payment": {"invoice": _INVOICE, "payment": Field("inside", "payment")},
    "payment": {
        "payment_intent": Field("reference", "payment_intent", "payment_intent_read"),
        "charge": _EMPTY,
    },
    "payment_intent": {"customer": _CUSTOMER, "latest_charge": _EMPTY, "payment_method": _EMPTY},
}

_KIND_OF = {
    "customer": "customers",
    "product": "products",
    "price": "prices",
    "invoice": "invoices",
    "coupon": "coupons",
    "subscription": "subscriptions",
    "payment_intent": "payment_intents",
}
_LISTS = {"rows", "included"}


def plan(paths: Iterable[str], resource: str, *, is_list: bool) -> tuple[Tree, list[str]]:
    """The tree of fields to expand below one object, and the permissions this needs.

    `paths` are the values of `expand[]`. Raises ApiError 400 `property_expansion_max_depth` beyond four segments
    (`data` counts), 400 for a path that does not exist.
    """
    tree: Tree = {}
    permissions: list[str] = []
    for path in paths:
        segments = path.split(".")
        if len(segments) > MAXIMUM_DEPTH:
            raise ApiError(
                400,
                "You cannot expand more than 4 levels of a property. "
                f"Property: {path} has {len(segments)} levels of expansion.",
                code="property_expansion_max_depth",
                param="expand",
            )
        if is_list:
            if segments[0] != "data" or len(segments) == 1:
                raise _not_expandable(path)
            segments = segments[1:]
        permissions += _grow(tree, segments, resource, path)
    return tree, permissions


def _grow(tree: Tree, segments: list[str], resource: str, path: str) -> list[str]:
    permissions = []
    last: Field | None = None
    for segment in segments:
        if segment == "data" and last is not None and last.how in _LISTS and last.to:
            tree = tree.setdefault("data", {})
            continue
        field = FIELDS.get(resource, {}).get(segment)
        if field is None:
            raise _not_expandable(path)
        if field.permission:
            permissions.append(field.permission)
        tree = tree.setdefault(segment, {})
        resource, last = field.to, field
    if last is None or not last.expandable:
        raise _not_expandable(path)
    return permissions


def _not_expandable(path: str) -> ApiError:
    return ApiError(400, f"This property cannot be expanded ({path}).", param="expand")


def expand(dataset: Dataset, body: bytes, resource: str, tree: Tree) -> bytes:
    """`body`, the JSON of a `resource`, with the fields of `tree` expanded."""
    if not tree:
        return body
    shallow = _decode_shallow(body)
    if "deleted" in shallow:
        return body
    fields = FIELDS[resource]
    for name, subtree in tree.items():
        expanded = _expanded(dataset, shallow, name, fields[name], subtree)
        if expanded != NULL or name in shallow:
            shallow[name] = msgspec.Raw(expanded)
    return _encode(shallow)


def _expanded(dataset: Dataset, owner: Shallow, name: str, field: Field, tree: Tree) -> bytes:
    held = bytes(owner.get(name, NULL))
    if field.how == "included":
        return _included(dataset, owner, name, tree)
    if held == NULL or field.how == "empty":
        return held
    if field.how == "reference":
        return _dereferenced(dataset, held, field.to, tree)
    if field.how == "references":
        if held == b"[]":
            return held
        return _encode([msgspec.Raw(_dereferenced(dataset, bytes(one), field.to, tree)) for one in _decode_array(held)])
    if field.how == "rows":
        return _rows(dataset, held, field.to, tree.get("data", {}))
    return expand(dataset, held, field.to, tree)


def _dereferenced(dataset: Dataset, held: bytes, resource: str, tree: Tree) -> bytes:
    if held[:1] != b'"':
        return expand(dataset, held, resource, tree)
    object_id = _decode_text(held)
    body = _lookup(dataset, resource, object_id or "")
    return held if body is None else expand(dataset, body, resource, tree)


def _lookup(dataset: Dataset, resource: str, object_id: str) -> bytes | None:
    if resource == "discount":
        return dataset.discounts.get(object_id)
    return dataset.body(_KIND_OF[resource], object_id)


def _rows(dataset: Dataset, held: bytes, resource: str, tree: Tree) -> bytes:
    rows = _decode_shallow(held)
    data = [msgspec.Raw(expand(dataset, bytes(row), resource, tree)) for row in _decode_array(rows["data"])]
    rows["data"] = msgspec.Raw(_encode(data))
    return _encode(rows)


def _included(dataset: Dataset, owner: Shallow, name: str, tree: Tree) -> bytes:
    object_id = _decode_text(owner["id"]) or ""
    if name == "payments":
        return _payments(dataset, object_id, tree.get("data", {}))
    return dataset.included.get(object_id, {}).get(name, NULL)


def _payments(dataset: Dataset, invoice_id: str, tree: Tree) -> bytes:
    entries = dataset.collections["invoice_payments"].where("invoice", invoice_id)[::-1]
    rows: list[Any] = [
        msgspec.Raw(expand(dataset, entry.body("invoice_payments"), "invoice_payment", tree)) for entry in entries[:10]
    ]
    return _encode(
        {
            "object": "list",
            "data": rows,
            "has_more": len(entries) > len(rows),
            "total_count": len(entries),
            "url": f"/v1/invoice_payments?invoice={invoice_id}",
        }
    )

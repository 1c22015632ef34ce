"""What to expand where, given what the connection may read (docs/rules.md section 7).

Expanding needs the permission of what is expanded, and a key may be refused every expansion; then lists come with ids
only and the rest is fetched and joined. Stripe allows four path segments, ``data.`` counted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expansion:
    """One path below an object, what it needs, and what stands in for it when a permission is missing."""

    path: str
    needs: tuple[str, ...]
    otherwise: str = ""


_SUBSCRIPTION_DISCOUNTS = Expansion("discounts.source.coupon", ("subscription_read", "coupon_read"), "discounts")

_EXPANSIONS: dict[str, tuple[Expansion, ...]] = {
    "subscriptions": (
        Expansion("customer", ("customer_read",)),
        Expansion("latest_invoice", ("invoice_read",)),
        _SUBSCRIPTION_DISCOUNTS,
        # One level deeper, the coupon, would be the fifth segment of a list: it is joined from /v1/coupons.
        Expansion("items.data.discounts", ("subscription_read",)),
    ),
    "subscription_items": (_SUBSCRIPTION_DISCOUNTS,),
    "customers": (Expansion("discount.source.coupon", ("customer_read", "coupon_read")),),
    "invoices": (Expansion("payments", ("invoice_read",)),),
    "invoice_payments": (Expansion("payment.payment_intent", ("payment_intent_read",)),),
    "prices": (Expansion("tiers", ("plan_read",)), Expansion("currency_options", ("plan_read",))),
    "coupons": (Expansion("applies_to", ("coupon_read",)), Expansion("currency_options", ("coupon_read",))),
}


def expand_list(resource: str, granted: Collection[str], *, can_expand: bool) -> list[str]:
    """The ``expand`` values for ``GET /v1/<resource>``, empty where nothing may or need be expanded."""
    return [f"data.{path}" for path in expand_object(resource, granted, can_expand=can_expand)]


def expand_object(resource: str, granted: Collection[str], *, can_expand: bool) -> list[str]:
    """The ``expand`` values for ``GET /v1/<resource>/<id>``: the same fields as in the list."""
    if not can_expand:
        return []
    chosen = (_allowed(expansion, granted) for expansion in _EXPANSIONS.get(resource, ()))
    return [path for path in chosen if path]


def _allowed(expansion: Expansion, granted: Collection[str]) -> str:
    if all(slug in granted for slug in expansion.needs):
        return expansion.path
    return expansion.otherwise if expansion.needs[0] in granted else ""

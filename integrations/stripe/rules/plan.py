"""The plan a subscription is on, as stored and as shown (docs/rules.md section 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from integrations.stripe.api.objects import Price, Product, Subscription

PlanKind = Literal["lookup_key", "product", "nickname", "price"]

UNNAMED = "Unnamed plan"

_INTERVAL_WORDS = (
    "monthly", "month", "annually", "annual", "yearly", "year", "quarterly", "weekly", "daily",
)  # fmt: skip
_TRAILING_INTERVAL = re.compile(rf"[_-](?:{'|'.join(_INTERVAL_WORDS)})$", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s_-]+")
_PRICE_ID = re.compile(r"^(?:price|plan)_[A-Za-z0-9]{8,}$")


class Plan(Struct, frozen=True):
    """A plan: ``value`` is what is stored and exported, ``label`` what people read."""

    value: str
    label: str


def plan(subscription: Subscription, *, prices: Mapping[str, Price], product_names: Mapping[str, str]) -> Plan:
    """Return the plan of a subscription's first item; both parts are empty when it has no items.

    Lookup key, else the product's name, else the price's nickname, else the price id (docs/rules.md section 3).
    """
    items = subscription.items.data
    return price_plan(items[0].price, prices=prices, product_names=product_names) if items else Plan("", "")


def price_plan(price: Price, *, prices: Mapping[str, Price], product_names: Mapping[str, str]) -> Plan:
    """Return the plan a price stands for.

    The price in ``prices`` speaks before the copy inside a subscription, so that all subscriptions on one price carry
    the same name as soon as it changes.
    """
    current = prices.get(price.id, price)
    value, kind = _named(current, _product_name(price, product_names) or _product_name(current, product_names))
    return Plan(value, plan_label(value, kind))


def plan_value(subscription: Subscription, *, prices: Mapping[str, Price], product_names: Mapping[str, str]) -> str:
    """Return the plan as it is stored; see :func:`plan`."""
    return plan(subscription, prices=prices, product_names=product_names).value


def plan_label(value: str, kind: PlanKind | None = None) -> str:
    """Return a plan as people read it: ``growth_monthly`` becomes "Growth", a bare price id "Unnamed plan".

    A product's name and a nickname stay as they are. Without a kind it is judged by its looks, for callers that have
    nothing but the stored value.
    """
    kind = kind or _looks_like(value)
    if kind == "price":
        return UNNAMED
    return _words(value) if kind == "lookup_key" else value


def with_more(label: str, live_count: int) -> str:
    """Return the label with the number of further live subscriptions: "Growth +3" for four in all."""
    return f"{label} +{live_count - 1}" if live_count > 1 else label


def _named(price: Price, product_name: str) -> tuple[str, PlanKind]:
    if price.lookup_key:
        return price.lookup_key, "lookup_key"
    if product_name:
        return product_name, "product"
    if price.nickname:
        return price.nickname, "nickname"
    return price.id, "price"


def _product_name(price: Price, product_names: Mapping[str, str]) -> str:
    expanded = price.product.name if isinstance(price.product, Product) else ""
    return product_names.get(price.product_id) or expanded


@lru_cache(maxsize=1024)
def _words(lookup_key: str) -> str:
    """Drop one trailing interval word and turn the rest into words; a key that is nothing else stays."""
    stem = _SEPARATORS.sub(" ", _TRAILING_INTERVAL.sub("", lookup_key)).strip()
    words = stem or _SEPARATORS.sub(" ", lookup_key).strip() or lookup_key
    return words[:1].upper() + words[1:]


def _looks_like(value: str) -> PlanKind:
    if _PRICE_ID.match(value):
        return "price"
    is_key = not re.search(r"\s", value) and ("_" in value or value == value.lower())
    return "lookup_key" if is_key else "product"

"""Whatever JSON may hold, and objects of Stripe's with something of it in their place."""

from __future__ import annotations

import copy
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("FUZZ_CASES", "60"))
often = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
numbers = st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 253_402_300_800])
words = st.text(max_size=40) | st.sampled_from(
    [
        "",
        "\0",
        "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
        "usd",
        "xxx",
        "NaN",
        "1e400",
        "month",
    ]
)
scalars = st.none() | st.booleans() | numbers | words
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)

COUPON = {"id": "co_1", "duration": "forever", "percent_off": "12.5", "applies_to": {"products": ["prod_1"]}}
DISCOUNT = {"id": "di_1", "source": {"coupon": COUPON}, "end": 1_900_000_000}
PRICE = {
    "id": "price_1", "currency": "usd", "product": "prod_1", "recurring": {"interval": "month", "interval_count": 1},
    "billing_scheme": "tiered", "unit_amount": 1000, "unit_amount_decimal": "1000", "lookup_key": "growth",
    "tiers_mode": "graduated", "transform_quantity": {"divide_by": 5, "round": "up"},
    "tiers": [{"up_to": 10, "unit_amount": 100}, {"up_to": None, "unit_amount": 50, "flat_amount": 10}],
    "currency_options": {"eur": {"unit_amount": 900}},
}  # fmt: skip
ITEM = {"id": "si_1", "price": PRICE, "quantity": 12, "discounts": [DISCOUNT],
        "tax_rates": [{"id": "txr_1", "percentage": "19", "inclusive": True}]}  # fmt: skip
INVOICE = {
    "id": "in_1", "created": 1_700_000_000, "currency": "usd", "customer": "cus_1", "status": "open", "number": "F-1",
    "collection_method": "send_invoice", "due_date": 1_700_000_000, "attempt_count": 1, "total": 1000,
    "amount_due": 1000, "amount_remaining": 1000,
    "parent": {"subscription_details": {"subscription": "sub_1"}},
    "payments": {"data": [{"id": "inpay_1", "status": "open", "payment": {"payment_intent": "pi_1"}}]},
}  # fmt: skip
SUBSCRIPTION = {
    "id": "sub_1", "status": "active", "created": 1_700_000_000, "start_date": 1_700_000_000, "currency": "usd",
    "customer": {"id": "cus_1", "email": "a@acme.com", "name": "Acme", "discount": DISCOUNT, "created": 1_700_000_000},
    "items": {"data": [ITEM], "has_more": False}, "discounts": [DISCOUNT], "trial_end": None,
    "pause_collection": {"behavior": "void"}, "latest_invoice": INVOICE,
    "default_tax_rates": [{"id": "txr_1", "percentage": "19", "inclusive": True}],
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, item in inner for each in places(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], replacement: Any) -> Any:
    """A copy with another value at one place."""
    if not path:
        return replacement
    whole = copy.deepcopy(value)
    target = whole
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = replacement
    return whole


@st.composite
def mutated(draw: st.DrawFn, whole: Any) -> Any:
    """The object with up to three of its values replaced by anything, or left out."""
    for _number in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(whole)))
        if path and isinstance(path[-1], str) and draw(st.booleans()):
            whole = changed(whole, path, draw(scalars))
        else:
            whole = changed(whole, path, draw(anything))
        if not isinstance(whole, (dict, list)):
            break
    return whole

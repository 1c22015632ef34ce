"""What Stripe should never send, from bytes to figure: refused by the decoder, or a problem with the object's id."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest

from integrations.stripe.api.decode import DecodeError, decode
from integrations.stripe.api.objects import Subscription
from integrations.stripe.rules.mrr import Catalog
from tests.integrations.stripe.rules.builders import at, codes, reckon

ITEM = "items.data.0"
PRICE = f"{ITEM}.price"
MISSING = "<missing>"
"""Takes a field away."""

GOOD: dict[str, Any] = {
    "id": "sub_1",
    "object": "subscription",
    "customer": "cus_1",
    "status": "active",
    "created": at(days=-400),
    "start_date": at(days=-400),
    "currency": "usd",
    "collection_method": "charge_automatically",
    "discounts": [],
    "default_tax_rates": [],
    "latest_invoice": None,
    "items": {
        "object": "list",
        "has_more": False,
        "data": [
            {
                "id": f"si_{number}",
                "quantity": 1,
                "discounts": [],
                "tax_rates": [],
                "price": {
                    "id": f"price_{number}",
                    "currency": "usd",
                    "product": "prod_1",
                    "billing_scheme": "per_unit",
                    "unit_amount": 10_000,
                    "unit_amount_decimal": "10000",
                    "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
                    "transform_quantity": None,
                    "tiers_mode": None,
                },
            }
            for number in range(2)
        ],
    },
}


def sent(*changes: tuple[str, Any]) -> bytes:
    """The bytes of a subscription of twice $100 with some fields changed or taken away."""
    document = copy.deepcopy(GOOD)
    for path, value in changes:
        *parents, name = path.split(".")
        place: Any = document
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place[parent]
        if value == MISSING:
            del place[name]
        else:
            place[name] = value
    return json.dumps(document).encode()


def coupon(**fields: Any) -> list[dict[str, Any]]:
    """A list with one discount by this coupon."""
    return [{"id": "di_1", "source": {"coupon": {"id": "HALF", "duration": "forever", "applies_to": None, **fields}}}]


def test_what_stripe_promises_is_computed() -> None:
    assert reckon(decode(sent(), Subscription)).amount == 200


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ([("currency", None)], "$.currency"),
        ([("currency", MISSING)], "$"),
        ([("status", None)], "$.status"),
        ([("customer", None)], "$.customer"),
        ([("start_date", None)], "$.start_date"),
        ([("start_date", 10**20)], "$.start_date"),
        ([("items", None)], "$.items"),
        ([("items", MISSING)], "$"),
        ([("items.data", None)], "$.items.data"),
        ([(PRICE, None)], "$.items.data[0].price"),
        ([(PRICE, MISSING)], "$.items.data[0]"),
        ([(f"{PRICE}.currency", None)], "$.items.data[0].price.currency"),
        ([(f"{PRICE}.product", None)], "$.items.data[0].price.product"),
        ([(f"{PRICE}.billing_scheme", None)], "$.items.data[0].price.billing_scheme"),
        ([(f"{PRICE}.unit_amount", 33.333333)], "$.items.data[0].price.unit_amount"),
        ([(f"{PRICE}.unit_amount", "10000")], "$.items.data[0].price.unit_amount"),
        ([(f"{PRICE}.unit_amount", 2**63)], "$.items.data[0].price.unit_amount"),
        ([(f"{PRICE}.unit_amount", -(2**63) - 1)], "$.items.data[0].price.unit_amount"),
        ([(f"{PRICE}.unit_amount_decimal", "1e30")], "$.items.data[0].price.unit_amount_decimal"),
        ([(f"{PRICE}.unit_amount_decimal", "a lot")], "$.items.data[0].price.unit_amount_decimal"),
        ([(f"{PRICE}.recurring.interval", None)], "$.items.data[0].price.recurring.interval"),
        ([(f"{PRICE}.recurring.interval_count", None)], "$.items.data[0].price.recurring.interval_count"),
        ([(f"{PRICE}.recurring.interval_count", 0)], "$.items.data[0].price.recurring.interval_count"),
        ([(f"{ITEM}.quantity", 2**63)], "$.items.data[0].quantity"),
        ([(f"{ITEM}.quantity", 2.5)], "$.items.data[0].quantity"),
        ([(f"{ITEM}.discounts", [{"id": "di_1", "source": None}])], "$.items.data[0].discounts[0].source"),
        ([("discounts", coupon(amount_off=2**63, currency="usd"))], "$.discounts[0].source.coupon.amount_off"),
        ([("discounts", coupon(percent_off="half"))], "$.discounts[0].source.coupon.percent_off"),
        ([("default_tax_rates", [{"id": "txr_1", "percentage": None, "inclusive": True}])],
         "$.default_tax_rates[0].percentage"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_path_of_the_field(changes: Any, path: str) -> None:
    with pytest.raises(DecodeError) as refused:
        decode(sent(*changes), Subscription)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("changes", "amount", "found"),
    [
        ([("items.data", [])], "0", ["invalid_response sub_1"]),
        ([(f"{PRICE}.unit_amount", None), (f"{PRICE}.unit_amount_decimal", None)], "100", ["invalid_response price_0"]),
        ([(f"{PRICE}.unit_amount", MISSING), (f"{PRICE}.unit_amount_decimal", MISSING)], "100",
         ["invalid_response price_0"]),
        ([(f"{ITEM}.quantity", -2)], "100", ["invalid_response price_0"]),
        ([(f"{ITEM}.quantity", 2**63 - 1)], "100", ["invalid_response price_0"]),
        ([(f"{PRICE}.unit_amount_decimal", str(10**17))], "100", ["invalid_response price_0"]),
        ([(f"{PRICE}.currency", "eur"), (f"{PRICE}.currency_options", {"eur": {"unit_amount": 1}})], "100",
         ["invalid_response price_0"]),
        ([(f"{PRICE}.currency", "eur")], "100", ["permission_missing price_0"]),
        ([(f"{PRICE}.billing_scheme", "tiered"), (f"{PRICE}.tiers_mode", "volume"),
          (f"{PRICE}.tiers", [{"up_to": None, "unit_amount": None}])], "100", ["invalid_response price_0"]),
        ([(f"{PRICE}.billing_scheme", "tiered"), (f"{PRICE}.tiers_mode", "volume"), (f"{PRICE}.tiers", None)], "100",
         ["permission_missing price_0"]),
        ([(f"{ITEM}.discounts", [{"id": "di_1", "source": {"coupon": "DELETED"}}])], "100",
         ["permission_missing DELETED"]),
        ([(f"{ITEM}.discounts", [{"id": "di_1", "source": {"coupon": None}}])], "100", ["invalid_response di_1"]),
        ([("discounts", ["di_9"])], "0", ["permission_missing di_9"]),
        ([("discounts", coupon(percent_off=None, amount_off=None))], "0", ["invalid_response HALF"]),
        ([("discounts", coupon(percent_off=-1))], "0", ["invalid_response HALF"]),
        ([(f"{ITEM}.tax_rates", [{"id": "txr_1", "percentage": -5, "inclusive": True}])], "100",
         ["invalid_response txr_1"]),
        ([(f"{PRICE}.product", {"id": "prod_0", "deleted": True})], "200", ["record_gone prod_0"]),
        ([("status", "")], "0", ["unknown_value sub_1"]),
    ],
    ids=str,
)  # fmt: skip
def test_what_can_be_read_but_not_be_true_is_a_problem_and_the_rest_is_computed(
    changes: Any, amount: str, found: list[str]
) -> None:
    catalog = Catalog(product_names={"prod_1": "Growth"}, has_all_products=True)
    result = reckon(decode(sent(*changes), Subscription), catalog=catalog)
    assert [f"{problem.code} {problem.subject}" for problem in result.problems] == found
    assert result.amount == Decimal(amount)


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ([(f"{ITEM}.quantity", None)], "200"),
        ([(f"{ITEM}.quantity", MISSING)], "200"),
        ([(f"{PRICE}.unit_amount", None), (f"{PRICE}.unit_amount_decimal", 33.333333)], "100.33333333"),
        ([(f"{PRICE}.unit_amount", None), (f"{PRICE}.unit_amount_decimal", "33.333333")], "100.33333333"),
        ([("discounts", coupon(percent_off=33.333333))], "133.333334"),
        ([("discounts", None), ("default_tax_rates", None), ("latest_invoice", MISSING)], "200"),
        ([(f"{ITEM}.discounts", None), (f"{ITEM}.tax_rates", None)], "200"),
        ([(f"{ITEM}.discounts", MISSING), (f"{ITEM}.tax_rates", MISSING)], "200"),
        ([(f"{PRICE}.recurring", None)], "100"),
        ([(f"{PRICE}.recurring", {"interval": "year"})], "108.333333333333"),
        ([("customer", {"id": "cus_1", "object": "customer", "deleted": True})], "200"),
        ([(f"{PRICE}.brand_new", {"field": [None]})], "200"),
    ],
    ids=str,
)
def test_what_may_be_absent_or_a_float_is_read_exactly(changes: Any, amount: str) -> None:
    result = reckon(decode(sent(*changes), Subscription))
    assert (result.amount, codes(result)) == (Decimal(amount), [])

"""Objects from their bytes: what is taken, what is refused, and what an error tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, inspect

from integrations.stripe.api.decode import DecodeError, decode, reference
from integrations.stripe.api.objects import (
    Account,
    Coupon,
    Customer,
    Invoice,
    InvoicePayment,
    Price,
    Product,
    Reference,
    Subscription,
)

PRICE: dict[str, object] = {
    "id": "price_1",
    "currency": "usd",
    "product": "prod_1",
    "unit_amount": 1000,
    "unit_amount_decimal": "1000",
    "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
}


def subscription(**changes: object) -> dict[str, object]:
    return {
        "id": "sub_1",
        "object": "subscription",
        "customer": "cus_1",
        "status": "active",
        "created": 1_700_000_000,
        "start_date": 1_700_000_000,
        "currency": "usd",
        "items": {"object": "list", "data": [{"id": "si_1", "price": PRICE, "quantity": 2}], "has_more": False},
        **changes,
    }


def raw(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_subscription_is_read() -> None:
    read = decode(raw(subscription()), Subscription)

    assert read.customer_id == "cus_1"
    assert read.items.data[0].price.unit_amount_decimal == Decimal(1000)
    assert read.items.data[0].price.tiers is UNSET


def test_a_number_with_a_point_becomes_the_decimal_that_was_written() -> None:
    read = decode(b'{"id": "c", "duration": "forever", "percent_off": 33.333333333333336}', Coupon)

    assert read.percent_off == Decimal("33.333333333333336")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"items": "a string"}, "$.items"),
        ({"items": {"data": [{"id": "si_1", "price": {"id": 3}}]}}, "$.items.data[0].price.id"),
        ({"created": "yesterday"}, "$.created"),
        ({"status": None}, "$.status"),
        ({"customer": {"id": "cus_1", "email": 5}}, "$.customer.email"),
    ],
)
def test_a_field_of_another_type_is_named_by_its_path(changes: dict[str, object], path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(raw(subscription(**changes)), Subscription)

    assert caught.value.path == path
    assert caught.value.code == "invalid_response"


def test_a_missing_field_is_named() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(b'{"id": "sub_1"}', Subscription)

    assert "`customer`" in caught.value.expected


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"id": "sub_\0"}, "$.id"),
        ({"id": ""}, "$.id"),
        ({"id": "x" * 256}, "$.id"),
        ({"status": "a\0b"}, "$.status"),
        ({"status": "x" * 5001}, "$.status"),
        ({"created": 10**12}, "$.created"),
        ({"start_date": -(10**12)}, "$.start_date"),
        ({"latest_invoice": {"id": "in_1", "created": 1, "currency": "usd", "total": 2**63}}, "$.latest_invoice.total"),
        (
            {"latest_invoice": {"id": "in_1", "created": 1, "currency": "usd", "attempt_count": 2**31}},
            "$.latest_invoice.attempt_count",
        ),
    ],
)
def test_what_no_column_holds_is_refused(changes: dict[str, object], path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(raw(subscription(**changes)), Subscription)

    assert caught.value.path == path


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "1E+18", "1E-999999"])
def test_an_amount_that_cannot_be_computed_with_is_refused(value: str) -> None:
    price = {"id": "price_1", "currency": "usd", "product": "prod_1", "unit_amount_decimal": value}

    with pytest.raises(DecodeError) as caught:
        decode(raw(price), Price)

    assert caught.value.path == "$.unit_amount_decimal"


def test_an_amount_inside_is_named_by_its_whole_path() -> None:
    items = {"data": [{"id": "si_1", "price": {**PRICE, "unit_amount_decimal": "NaN"}}]}

    with pytest.raises(DecodeError) as caught:
        decode(raw(subscription(items=items)), Subscription)

    assert caught.value.detail == "$.items.data[0].price.unit_amount_decimal: Expected a finite number"


@pytest.mark.parametrize(
    ("metadata", "path"),
    [
        ({"a\0b": "c"}, "$.metadata[...]"),
        ({"a": "b\0c"}, "$.metadata[...]"),
        ({"a": "x" * 5001}, "$.metadata[...]"),
        ({"x" * 5001: "a"}, "$.metadata"),
    ],
)
def test_keys_are_held_to_what_values_are(metadata: dict[str, str], path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(raw({"id": "cus_1", "metadata": metadata}), Customer)

    assert caught.value.path == path


def test_a_nul_is_found_wherever_it_is_read() -> None:
    items = {"data": [{"id": "si_1", "price": PRICE, "discounts": ["di_1", "di_\0"]}]}

    with pytest.raises(DecodeError) as caught:
        decode(raw(subscription(items=items)), Subscription)

    assert caught.value.path == "$.items.data[0].discounts[1]"


def test_what_only_looks_like_a_nul_is_text() -> None:
    assert decode(raw({"id": "cus_1", "name": r"\u0000"}), Customer).name == r"\u0000"


def without_limits(kind: inspect.Type, path: str) -> Iterator[str]:
    """The texts and whole numbers within a type that may be of any size."""
    if isinstance(kind, inspect.StrType) and kind.max_length is None:
        yield path
    if isinstance(kind, inspect.IntType) and None in (kind.ge, kind.le):
        yield path
    if isinstance(kind, inspect.FloatType | inspect.AnyType | inspect.BytesType):
        yield path
    if isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield from without_limits(field.type, f"{path}.{field.name}")
    else:
        for part in parts(kind):
            if part is not kind:
                yield from without_limits(part, path)


def parts(kind: inspect.Type) -> list[inspect.Type]:
    """What may stand in a field of this type."""
    if isinstance(kind, inspect.UnionType):
        return list(kind.types)
    if isinstance(kind, inspect.ListType):
        return [kind.item_type]
    if isinstance(kind, inspect.DictType):
        return [kind.key_type, kind.value_type]
    return [kind]


@pytest.mark.parametrize("struct", [Subscription, Customer, Invoice, InvoicePayment, Price, Product, Coupon, Account])
def test_whatever_is_read_has_limits(struct: type[Any]) -> None:
    assert list(without_limits(inspect.type_info(struct), "$")) == []


@pytest.mark.parametrize("field", ["interval_count", "divide_by"])
def test_a_divisor_of_zero_is_refused(field: str) -> None:
    price = {
        "id": "price_1",
        "currency": "usd",
        "product": "prod_1",
        "recurring": {"interval": "month", "interval_count": 1},
        "transform_quantity": {"divide_by": 1, "round": "up"},
    }
    inner = "recurring" if field == "interval_count" else "transform_quantity"
    price[inner] = {**price[inner], field: 0}  # type: ignore[dict-item]

    with pytest.raises(DecodeError):
        decode(raw(price), Price)


def test_what_we_do_not_read_may_be_anything() -> None:
    read = decode(raw(subscription(description="a\0b", application_fee_percent=10**400)), Subscription)

    assert read.id == "sub_1"


@pytest.mark.parametrize("broken", [b'{"id": "cus_\xff"}', b'{"id": "\\ud800"}', b"{", b""])
def test_bytes_that_are_no_text_are_refused(broken: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(broken, Customer)


def test_an_error_never_holds_the_value() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(raw(subscription(created="jane@secret.example")), Subscription)

    assert "secret" not in repr(caught.value) + caught.value.message + caught.value.answer


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ({"id": "sub_1", "items": "x", "customer": "cus_1"}, Reference(id="sub_1", customer="cus_1")),
        ({"id": "sub_1", "customer": {"id": "cus_1", "email": 5}}, Reference(id="sub_1", customer="cus_1")),
        ({"id": "sub_1", "customer": 5}, Reference(id="sub_1")),
        ({"id": "sub_1"}, Reference(id="sub_1")),
        ({"id": 5, "customer": "cus_1"}, None),
        ({"id": "a\0"}, None),
        ({"id": ""}, None),
        ({"customer": "cus_1"}, None),
        ([], None),
    ],
)
def test_a_broken_object_is_still_known_by_its_id(broken: object, expected: Reference | None) -> None:
    assert reference(raw(broken)) == expected


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(field=st.sampled_from(sorted(subscription())), value=_json)
def test_whatever_a_field_holds_is_read_or_refused(field: str, value: object) -> None:
    encoded = raw(subscription(**{field: value}))
    with suppress(DecodeError):
        decode(encoded, Subscription)

    found = reference(encoded)
    assert (found.id if found else None) == ("sub_1" if field != "id" else found and value)


def test_a_deleted_customer_is_read() -> None:
    assert decode(b'{"id": "cus_1", "object": "customer", "deleted": true}', Customer).deleted


def test_an_invoice_with_payments_that_were_not_expanded_says_so() -> None:
    assert decode(b'{"id": "in_1", "created": 1, "currency": "usd"}', Invoice).payments is UNSET

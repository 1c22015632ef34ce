"""Answers have the fields and types of the pinned API version.

The descriptions they are checked against lie beside the checkout; without them these tests cannot run.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sandbox.kinds import KINDS
from sandbox.shapes import OMITTED
from sandbox.testing import Running

OPENAPI = Path(__file__).resolve().parents[3] / "shared" / "reference" / "openapi"
pytestmark = pytest.mark.skipif(
    not OPENAPI.is_dir(), reason="the descriptions of Stripe's objects are not beside this checkout"
)

SENT_ONLY_WHEN_EXPANDED = {
    "coupon": {"applies_to", "currency_options"},
    "customer": {"cash_balance", "invoice_credit_balance", "sources", "subscriptions", "tax", "tax_ids"},
    "invoice": {"payments", "confirmation_secret"},
    "price": {"tiers", "currency_options"},
    "plan": {"tiers"},
    "account": {"company", "individual", "groups"},
}
EXPANDED = {
    "subscriptions": ["data.customer", "data.latest_invoice.payments", "data.discounts.source.coupon"],
    "prices": ["data.tiers", "data.currency_options", "data.product"],
    "coupons": ["data.applies_to", "data.currency_options"],
    "invoice_payments": ["data.payment.payment_intent"],
}
RESOURCES = {kind.name: kind.resource for kind in KINDS.values()}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "number": (int, float),
    "decimal_string": str,
}


@cache
def _fields() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(OPENAPI.glob("stripe_python_*_fields.*.json")).read_text())
    return found


@cache
def _schemas() -> dict[str, Any]:
    document = json.loads(next(OPENAPI.glob("stripe_*.trimmed.json")).read_text())
    schemas: dict[str, Any] = {"components": _without_nullable(document["components"])}
    return schemas


def _without_nullable(schema: Any) -> Any:
    """OpenAPI's `nullable` said in JSON Schema's own words."""
    if isinstance(schema, list):
        return [_without_nullable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _without_nullable(held) for name, held in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def _sample(stripe: Running, kind: str) -> list[dict[str, Any]]:
    answer = stripe.get(f"/v1/{kind}", limit=100, **{"expand[]": EXPANDED.get(kind, [])})
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    assert data
    return data


def _complaints(value: Any, described: dict[str, Any], where: str, scope: list[dict[str, Any]]) -> Iterator[str]:
    if value is None:
        yield from [] if described.get("nullable") else [f"{where} is null"]
    elif "expandable" in described:
        if not isinstance(value, str):
            yield from _complaints(value, described["expandable"], where, scope)
    elif "array" in described or "list_of" in described:
        rows, each = (value, described["array"]) if "array" in described else (value["data"], described["list_of"])
        for number, one in enumerate(rows):
            yield from _complaints(one, each, f"{where}[{number}]", scope)
    elif "ref" in described:
        yield from _object_complaints(value, described["ref"], where, scope)
    elif not _fits(value, described):
        yield f"{where} is {value!r}"


def _fits(value: Any, described: dict[str, Any]) -> bool:
    if "enum" in described:
        return not described.get("closed") or value in described["enum"]
    name = described.get("type")
    return name not in _TYPES or _is(value, name)


def _is(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _object_complaints(value: Any, name: str, where: str, scope: list[dict[str, Any]]) -> Iterator[str]:
    for outer in reversed(scope):
        if name in outer.get("nested", {}):
            yield from _field_complaints(value, outer["nested"][name], where, scope)
            return
    resource = value.get("object") if isinstance(value, dict) else None
    if resource in _fields():
        yield from _field_complaints(value, _fields()[resource], where, [])


def _field_complaints(
    value: dict[str, Any], described: dict[str, Any], where: str, scope: list[dict[str, Any]]
) -> Iterator[str]:
    if "fields" not in described or value.get("deleted"):
        return
    fields = described["fields"]
    for unknown in value.keys() - fields.keys() - {"object"}:
        yield f"{where} has a field {unknown}"
    for name, field in fields.items():
        if name in value:
            yield from _complaints(value[name], field, f"{where}.{name}", [*scope, described])


def _missing(value: dict[str, Any], resource: str) -> set[str]:
    optional = SENT_ONLY_WHEN_EXPANDED.get(resource, set()) | OMITTED.get(resource, frozenset()) | {"deleted"}
    missing: set[str] = _fields()[resource]["fields"].keys() - value.keys() - optional
    return missing


@pytest.mark.parametrize(("kind", "resource"), RESOURCES.items())
def test_listed_objects_have_every_field_and_no_other(stripe: Running, kind: str, resource: str) -> None:
    for one in _sample(stripe, kind):
        assert not _missing(one, resource)
        assert list(_object_complaints(one, "", resource, [])) == []


@pytest.mark.parametrize(("kind", "resource"), RESOURCES.items())
def test_listed_objects_satisfy_stripes_openapi(stripe: Running, kind: str, resource: str) -> None:
    schema = {"$ref": f"#/components/schemas/{resource}", **_schemas()}
    validator = jsonschema.Draft202012Validator(schema)
    for one in _sample(stripe, kind)[:25]:
        assert [error.message for error in validator.iter_errors(one)] == []


@pytest.mark.parametrize(("kind", "resource"), list(RESOURCES.items())[:5])
def test_bulk_objects_have_every_field_and_no_other(bulk: Running, kind: str, resource: str) -> None:
    for one in _sample(bulk, kind):
        assert not _missing(one, resource)
        assert list(_object_complaints(one, "", resource, [])) == []


def test_nested_resources_are_complete(stripe: Running) -> None:
    for subscription in _sample(stripe, "subscriptions"):
        for item in subscription["items"]["data"]:
            assert not _missing(item, "subscription_item")
            assert not _missing(item["price"], "price")
            assert not _missing(item["plan"], "plan")
        for discount in subscription["discounts"]:
            assert not _missing(discount, "discount")
        for line in (subscription["latest_invoice"] or {"lines": {"data": []}})["lines"]["data"]:
            assert not _missing(line, "line_item")

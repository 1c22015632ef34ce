"""From one object's bytes to a struct, refusing what could not be stored (docs/architecture.md section 4).

Each object is decoded on its own, so that a broken one becomes one issue and the page goes on. What a field may hold is
part of its type (``fields``). An error names the path and what was expected there, never the value: that may be
anybody's data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import msgspec
import msgspec.inspect

from integrations.errors import IntegrationError
from integrations.stripe.api.fields import Identifier, wrong_with
from integrations.stripe.api.objects import Reference

T = TypeVar("T")

_NUL = rb"\u0000"  # the only way to write it: msgspec refuses a bare control character
_ERROR = re.compile(r"^(?P<expected>.*?)(?: - at (?:`key` in )?`(?P<path>[^`]*)`)?$", re.DOTALL)

_decoders: dict[object, msgspec.json.Decoder[Any]] = {}


class DecodeError(IntegrationError):
    """``invalid_response`` for one object: ``path`` such as ``$.items.data[0].price``, and what was ``expected``."""

    def __init__(self, path: str, expected: str) -> None:
        self.path = path
        self.expected = expected
        super().__init__("invalid_response", f"{path}: {expected}")


def decode(raw: bytes | msgspec.Raw, type: type[T]) -> T:  # noqa: A002
    """``raw`` as ``type``.

    Raises DecodeError when a field is missing or of another type, and for NUL characters, numbers that are not finite,
    text longer than Stripe allows and values outside the range of the column they are stored in.
    """
    decoder = _decoders.get(type)
    if decoder is None:
        decoder = _decoders[type] = msgspec.json.Decoder(type)
    try:
        value: T = decoder.decode(raw)
    except UnicodeDecodeError:
        raise DecodeError("$", "Expected UTF-8") from None
    except msgspec.DecodeError as error:
        raise _told(str(error)) from None
    _refuse_unusual(value, "$")
    if _NUL in bytes(raw):
        _refuse_nul(value)
    return value


def reference(raw: bytes | msgspec.Raw) -> Reference | None:
    """The id of an object and of its customer although the rest cannot be decoded; None when even the id cannot."""
    try:
        identifier = decode(raw, _Named).id
    except DecodeError:
        return None
    try:
        customer = decode(raw, _Owned).customer
    except DecodeError:
        customer = None
    return Reference(id=identifier, customer=customer.id if isinstance(customer, _Named) else customer)


class _Named(msgspec.Struct):
    id: Identifier


class _Owned(msgspec.Struct):
    customer: Identifier | _Named | None = None


def _told(error: str) -> DecodeError:
    """What msgspec says, with the path apart."""
    match = _ERROR.match(error)
    assert match is not None  # noqa: S101 - it takes any text
    return DecodeError(match["path"] or "$", match["expected"])


def _refuse_unusual(value: object, path: str) -> None:
    """Raise DecodeError for a decimal that could not be computed with; goes only where there can be one."""
    if isinstance(value, Decimal):
        expected = wrong_with(value)
        if expected:
            raise DecodeError(path, expected)
    elif isinstance(value, msgspec.Struct):
        for name in _with_decimals(type(value)):
            inner = getattr(value, name)
            if inner is not None and inner is not msgspec.UNSET:
                _refuse_unusual(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_unusual(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for item in value.values():
            _refuse_unusual(item, f"{path}[...]")


@cache
def _with_decimals(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of a struct that hold a decimal, however deep."""
    fields = msgspec.structs.fields(struct)
    return tuple(field.name for field in fields if _holds_decimal(msgspec.inspect.type_info(field.type)))


def _holds_decimal(kind: msgspec.inspect.Type) -> bool:
    match kind:
        case msgspec.inspect.DecimalType():
            return True
        case msgspec.inspect.StructType():
            return any(_holds_decimal(field.type) for field in kind.fields)
        case msgspec.inspect.UnionType():
            return any(_holds_decimal(each) for each in kind.types)
        case msgspec.inspect.ListType():
            return _holds_decimal(kind.item_type)
        case msgspec.inspect.DictType():
            return _holds_decimal(kind.value_type)
    return False


def _refuse_nul(value: object) -> None:
    """Raise DecodeError when a NUL character is in what was decoded, not only in what nobody reads."""
    path = _path_of_nul(value)
    if path is not None:
        raise DecodeError(f"${path}", "Expected text without NUL characters")


def _path_of_nul(value: object) -> str | None:
    if isinstance(value, str):
        return "" if "\0" in value else None
    for step, inner in _inside(value):
        path = _path_of_nul(inner)
        if path is not None:
            return step + path
    return None


def _inside(value: object) -> Iterator[tuple[str, object]]:
    """What ``value`` consists of, each with its step of the path."""
    if isinstance(value, msgspec.Struct):
        yield from ((f".{name}", getattr(value, name)) for name in value.__struct_fields__)
    elif isinstance(value, list):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, dict):
        for pair in value.items():
            yield from (("[...]", each) for each in pair)

"""From one object's bytes to a struct, refusing what could not be stored (docs/architecture.md section 4).

Each object is decoded on its own, so that a broken one becomes one issue and the page goes on. An error names the
path and what was expected there, never the value: that may be anybody's data.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from integrations.errors import IntegrationError
from integrations.stripe.api.objects import Reference

T = TypeVar("T")

_LONGEST_TEXT = 5_000  # Stripe's own limit for any string
_LONGEST_ID = 255
_BIG_INTEGER = (-(2**63), 2**63 - 1)
_INTEGER = (-(2**31), 2**31 - 1)
_TIME = (-2_208_988_800, 253_370_764_800)  # from 1900 to the last year a date can hold, in any time zone
_AT_LEAST_ONE = (1, 2**31 - 1)  # divisors

_TIMES = (
    "created",
    "start_date",
    "ended_at",
    "cancel_at",
    "canceled_at",
    "trial_end",
    "resumes_at",
    "end",
    "due_date",
    "next_payment_attempt",
    "current_period_end",
)
_RANGES: dict[str, tuple[int, int]] = {
    **dict.fromkeys(_TIMES, _TIME),
    "attempt_count": _INTEGER,
    "interval_count": _AT_LEAST_ONE,
    "divide_by": _AT_LEAST_ONE,
}
_DECIMAL_DIGITS = 18  # before the point, as wide as any amount column
_DECIMAL_PLACES = 30  # after it, generous: only what could not be computed with is refused
_AT = re.compile(r"^(?P<expected>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)

_decoders: dict[object, msgspec.json.Decoder[Any]] = {}


class DecodeError(IntegrationError):
    """``invalid_response`` for one object: ``path`` such as ``$.items.data[0].price``, and what was ``expected``."""

    def __init__(self, path: str, expected: str) -> None:
        self.path = path
        self.expected = expected
        super().__init__("invalid_response", f"{path}: {expected}")


class _Refused(Exception):  # noqa: N818  (a signal inside this module)
    def __init__(self, expected: str) -> None:
        self.expected = expected
        self.path: list[str] = []


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
        _check("", value)
    except _Refused as refused:
        raise DecodeError("$" + "".join(reversed(refused.path)), refused.expected) from None
    except UnicodeDecodeError:
        raise DecodeError("$", "Expected UTF-8") from None
    except msgspec.DecodeError as error:
        match = _AT.match(str(error))
        raise DecodeError((match and match["path"]) or "$", match["expected"] if match else "") from None
    return value


def reference(raw: bytes | msgspec.Raw) -> Reference | None:
    """The id of an object and of its customer although the rest cannot be decoded; None when even the id cannot."""
    try:
        loose = _decode_loose(raw)
        identifier = decode(loose.id, str)
    except (DecodeError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not 0 < len(identifier) <= _LONGEST_ID:
        return None
    return Reference(id=identifier, customer=_customer_of(loose))


class _Loose(msgspec.Struct):
    id: msgspec.Raw
    customer: msgspec.Raw = msgspec.Raw(b"null")


_decode_loose = msgspec.json.Decoder(_Loose).decode


def _customer_of(loose: _Loose) -> str | None:
    try:
        return decode(loose.customer, str)
    except DecodeError:
        inner = reference(loose.customer)  # expanded
        return inner.id if inner else None


def _check(name: str, value: object) -> None:
    """Raise _Refused for what must not be stored; ``name`` is the field ``value`` was found in."""
    check = _CHECKS.get(type(value), _check_struct)
    if check:
        check(name, value)


def _check_struct(name: str, value: msgspec.Struct) -> None:
    # One loop over every field of every object read: written out, it takes half the time of calling _check for each.
    field = ""
    try:
        for field in value.__struct_fields__:
            inner = getattr(value, field)
            check = _CHECKS.get(type(inner), _check_struct)
            if check:
                check(field, inner)
    except _Refused as refused:
        refused.path.append(f".{field}")
        raise


def _check_list(name: str, value: list[object]) -> None:
    index = 0
    try:
        for index, item in enumerate(value):  # noqa: B007  (needed when something is refused)
            _check(name, item)
    except _Refused as refused:
        refused.path.append(f"[{index}]")
        raise


def _check_mapping(name: str, value: dict[str, object]) -> None:
    try:
        for key, item in value.items():
            _check_text("", key)
            _check("", item)
    except _Refused as refused:
        refused.path.append("[...]")
        raise


def _check_text(name: str, value: str) -> None:
    if "\0" in value:
        raise _Refused("Expected text without NUL characters")
    if len(value) > _LONGEST_TEXT or (name == "id" and not 0 < len(value) <= _LONGEST_ID):
        raise _Refused("Expected text of another length")


def _check_integer(name: str, value: int) -> None:
    lowest, highest = _RANGES.get(name, _BIG_INTEGER)
    if not lowest <= value <= highest:
        raise _Refused(f"Expected a number from {lowest} to {highest}")


def _check_decimal(name: str, value: Decimal) -> None:
    if not value.is_finite():
        raise _Refused("Expected a finite number")
    if not -_DECIMAL_PLACES <= value.adjusted() < _DECIMAL_DIGITS:
        raise _Refused("Expected a number of ordinary size")


# None: nothing to check. What is not named here is a struct.
_CHECKS: dict[type, Callable[[str, Any], None] | None] = {
    str: _check_text,
    int: _check_integer,
    Decimal: _check_decimal,
    list: _check_list,
    dict: _check_mapping,
    bool: None,
    type(None): None,
    type(msgspec.UNSET): None,
    msgspec.Raw: None,  # decoded later, or never
}

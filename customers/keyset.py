"""Paging by the values of the last row instead of by number: page 1,000 costs what page 1 costs, and nothing is shown
twice when rows come and go in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import F, Model, Q, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

Row = TypeVar("Row", bound=Model)
_SALT = "customers.keyset"


@dataclass(frozen=True, slots=True)
class Key:
    """One sort key: a field or annotation that is never null, and its direction. The last key must be unique."""

    name: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page; ``after`` and ``before`` are the cursors of its neighbours, empty where there is none."""

    rows: list[Row]
    after: str
    before: str


def page(queryset: QuerySet[Row], keys: Sequence[Key], *, size: int, after: str = "", before: str = "") -> Page[Row]:
    """Read the page after or before a cursor, else the first one, in one query.

    A cursor that is none (mistyped, of another sort) counts as no cursor.
    """
    return merged([queryset], keys, size=size, after=after, before=before)


def merged(
    querysets: Sequence[QuerySet[Any]], keys: Sequence[Key], *, size: int, after: str = "", before: str = ""
) -> Page[Any]:
    """Read a page of several tables in one order, in one query each; the keys together are unique across all."""

    def read(directed: list[Key], cursor: list[Any] | None, number: int) -> list[Any]:
        order = [f"-{key.name}" if key.descending else key.name for key in directed]
        rows: list[Any] = []
        for queryset in querysets:
            found = queryset.order_by(*order)
            if cursor is not None:
                found = found.filter(_beyond(directed, cursor))
            rows += found[:number]
        if len(querysets) > 1:
            for key in reversed(directed):  # a stable sort by the last key first is a sort by all of them
                rows.sort(key=attrgetter(key.name), reverse=key.descending)
        return rows

    return read_page(read, keys, size=size, after=after, before=before)


Reader = Callable[[list[Key], list[Any] | None, int], list[Any]]


def read_page(read: Reader, keys: Sequence[Key], *, size: int, after: str, before: str) -> Page[Any]:
    """A page of what ``read`` finds: rows in the order of the keys it is given, from behind the cursor's values on.

    It is asked for one row more than there is room for, which tells whether another page follows.
    """
    backwards = bool(before)
    cursor = _decode(before or after, keys)
    if cursor is None:
        backwards = False
    rows = read([Key(key.name, key.descending ^ backwards) for key in keys], cursor, size + 1)
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    return Page(
        rows,
        after=cursor_of(rows[-1], keys) if rows and (more or backwards) else "",
        before=cursor_of(rows[0], keys) if rows and cursor is not None and (more or not backwards) else "",
    )


def _beyond(keys: Sequence[Key], values: Sequence[Any]) -> Q:
    """Rows that come after ``values``: beyond in the first key, or equal there and beyond in the next, and so on."""
    if len({key.descending for key in keys}) == 1:
        return _beyond_one_way(keys, values)
    beyond, equal = Q(), Q()
    for key, value in zip(keys, values, strict=True):
        lookup = "lt" if key.descending else "gt"
        beyond |= equal & Q(**{f"{key.name}__{lookup}": value})
        equal &= Q(**{key.name: value})
    first = keys[0]
    return beyond & Q(**{f"{first.name}__{'lte' if first.descending else 'gte'}": values[0]})


def _beyond_one_way(keys: Sequence[Key], values: Sequence[Any]) -> Q:
    """The same as a comparison of rows: an index starts right behind the cursor, however many share its first key."""
    comparison = TupleLessThan if keys[0].descending else TupleGreaterThan
    return Q(comparison(Tuple(*(F(key.name) for key in keys)), tuple(values)))


def cursor_of(row: Model, keys: Sequence[Key]) -> str:
    """The cursor of what follows a row, or comes before it."""
    values = [_plain(getattr(row, key.name)) for key in keys]
    return signing.dumps([[key.name for key in keys], values], salt=_SALT)


def _decode(cursor: str, keys: Sequence[Key]) -> list[Any] | None:
    """The values of a cursor made for these keys; signed, so that nobody else's values reach a query."""
    try:
        names, values = signing.loads(cursor, salt=_SALT)
    except signing.BadSignature:
        return None
    return [_rich(value) for value in values] if names == [key.name for key in keys] else None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    return {"number": str(value)} if isinstance(value, Decimal) else value


def _rich(value: Any) -> Any:
    if isinstance(value, dict):
        return datetime.fromisoformat(value["at"]) if "at" in value else Decimal(value["number"])
    return value

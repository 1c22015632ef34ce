"""Everybody, a chunk at a time: what keeps memory and transactions the same however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from django.db.models import QuerySet

CHUNK = 1000

T = TypeVar("T", int, str)


def walk(rows: QuerySet[Any], key: str) -> Iterator[list[Any]]:
    """What ``rows`` have in ``key``, in order; a chunk is asked for when the one before is dealt with.

    Where several have the same, ``rows`` must be distinct.
    """
    keys = rows.order_by(key).values_list(key, flat=True)
    found = list(keys[:CHUNK])
    while found:
        yield found
        if len(found) < CHUNK:
            return
        found = list(keys.filter(**{f"{key}__gt": found[-1]})[:CHUNK])


def in_chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Values that are known already, in order, as many at a time as one statement takes."""
    ordered = sorted(values)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]

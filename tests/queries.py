"""Catches N+1 queries: statements that differ in nothing but their values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext

MOST_QUERIES = 12
"""What a page may ask the database, for any person and whatever there is on it."""

_TEXT = re.compile(r"'(?:[^']|'')*'")
_NUMBER = re.compile(r"\b\d+\b")
_LIST = re.compile(r"\?(?:, \?)+")


def shape_of(sql: str) -> str:
    """A statement without its values; lists of any length look the same."""
    return _LIST.sub("?", _NUMBER.sub("?", _TEXT.sub("?", sql)))


@contextmanager
def no_repeated_queries(*, at_most: int = 2) -> Iterator[CaptureQueriesContext]:
    """Fails when a statement of one shape is sent more than ``at_most`` times."""
    with CaptureQueriesContext(connection) as captured:
        yield captured
        shapes = Counter(shape_of(query["sql"]) for query in captured.captured_queries)
    repeated = {shape: number for shape, number in shapes.items() if number > at_most}
    assert not repeated, f"asked again for each row: {repeated}"

"""Whatever file is imported, each line is a customer or a failure that says why."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.csv_import import IMPORTED, UnreadableFileError, import_customers
from customers.models import Customer
from tests.fuzz.values import often, words

pytestmark = pytest.mark.django_db
lines = st.lists(st.lists(words | st.text(max_size=12), min_size=1, max_size=7), max_size=6)


def read(text: str) -> None:
    before = Customer.objects.count()
    try:
        outcome = import_customers(io.StringIO(text, newline=""), environment="production", origin="Fuzz")
    except UnreadableFileError:
        assert Customer.objects.count() == before
        return
    assert Customer.objects.count() == before + outcome.created
    assert all(failure.reason and failure.line > 1 for failure in outcome.failures)


@often
@given(raw=st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    read(raw.decode("utf-8-sig", "surrogateescape"))


@often
@given(rows=lines, columns=st.permutations(IMPORTED))
def test_any_table_under_our_columns(rows: list[list[str]], columns: list[str]) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    read("\n".join([",".join(columns), *quoted]))

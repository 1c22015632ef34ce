"""What an import would change is shown without inline styles or anybody's markup; a broken row names its line."""

from __future__ import annotations

import pytest
import tablib

from customers.resources import CustomerResource
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


def test_a_change_is_marked_without_inline_styles() -> None:
    customer = CustomerFactory(name="Acme")
    table = tablib.Dataset([customer.pk, 'Acme <del style="x">'], headers=["id", "name"])
    [row] = CustomerResource().import_data(table, dry_run=True).rows
    cells = " ".join(row.diff)
    assert "<ins>" in cells
    assert "style=" not in cells.replace("&lt;del style=", "")
    assert "&lt;del" in cells


def test_a_broken_row_is_numbered_as_its_line_in_the_file() -> None:
    table = tablib.Dataset(["Acme", "active"], ["Beta", "sleeping"], headers=["name", "status"])
    result = CustomerResource().import_data(table, dry_run=True)
    assert [row.number for row in result.invalid_rows] == [3]

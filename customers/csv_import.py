"""Reading a customer CSV line by line, so that a broken line is one broken line (docs/architecture.md section 7)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

import tablib
from django.utils.translation import gettext as _

from customers.resources import PlainCustomerResource

IMPORTED = ("id", "name", "domain", "owner", "status", "environment")


class UnreadableFileError(ValueError):
    """The file as a whole cannot be imported; the message says what to change."""


@dataclass(slots=True)
class Failure:
    """A line that was not imported, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Outcome:
    """What an import did, in rows. ``unchanged`` ones are among the updated."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failures: list[Failure] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)


def import_customers(file: TextIO, *, environment: str, origin: str) -> Outcome:
    """Import the CSV and say what happened; rows that fail do not stop the rest.

    Raises UnreadableFileError when there is no usable header.
    """
    outcome = Outcome()
    reader = csv.reader(file, strict=True)
    header = _header(reader)
    outcome.ignored_columns = [name for name in header if name not in IMPORTED]
    table = tablib.Dataset(headers=header)
    lines = []
    for line, row in _rows(reader, len(header), outcome.failures):
        table.append(row)
        lines.append(line)
    resource = PlainCustomerResource(environment=environment, origin=origin)
    result = resource.import_data(table, use_transactions=True)
    if result.base_errors:
        raise result.base_errors[0].error
    for line, row_result in zip(lines, result.rows, strict=True):
        if row_result.validation_error is not None:
            outcome.failures.append(Failure(line, _sentence(row_result.validation_error.message_dict)))
        if row_result.errors:
            raise row_result.errors[0].error
    outcome.failures.sort(key=lambda failure: failure.line)
    outcome.created, outcome.updated, outcome.unchanged = resource.created, resource.updated, resource.unchanged
    return outcome


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip().lower() for name in next(reader)]
    except StopIteration:
        raise UnreadableFileError(_("The file is empty. Its first line must name the columns.")) from None
    except csv.Error as error:
        raise UnreadableFileError(_("The first line is not CSV: %(error)s.") % {"error": error}) from error
    if len(header) == 1 and ";" in header[0]:
        raise UnreadableFileError(_("The columns are separated by semicolons; save the file with commas."))
    if "name" not in header and "id" not in header:
        raise UnreadableFileError(_("The first line names no column “name”; expected name,domain,owner,status."))
    if repeated := {name for name in header if header.count(name) > 1}:
        raise UnreadableFileError(_("The first line names a column twice: %(names)s.") % {"names": ", ".join(repeated)})
    return header


def _rows(reader: Any, width: int, failures: list[Failure]) -> Iterator[tuple[int, list[str]]]:
    """The rows that fit the header, each with the number of its first line; the others become failures."""
    while True:
        line = reader.line_num + 1
        try:
            row: list[str] = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            failures.append(Failure(line, _("Not CSV: %(error)s.") % {"error": error}))
            continue
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != width:
            said = {"cells": len(row), "width": width}
            failures.append(Failure(line, _("Has %(cells)d cells where the header has %(width)d.") % said))
        elif any("\udc80" <= character <= "\udcff" for cell in row for character in cell):
            failures.append(Failure(line, _("Is not UTF-8.")))
        else:
            yield line, row


def _sentence(errors: dict[str, list[str]]) -> str:
    return " ".join(f"{name}: {' '.join(messages)}" for name, messages in errors.items())

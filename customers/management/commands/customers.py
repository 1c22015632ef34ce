"""`manage.py customers import|export` (docs/architecture.md section 7)."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError, CommandParser

from customers import terminal
from customers.csv_import import Outcome, UnreadableFileError, import_customers
from customers.models import Environment
from customers.resources import PlainCustomerResource
from customers.signals import exported


class Command(terminal.Command):
    """Customers in from CSV, and out as CSV or JSON."""

    help = "Import customers from a CSV file, or export them to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        """`import FILE [--environment E]` and `export [--environment E] [--format csv|json]`."""
        actions = parser.add_subparsers(dest="action", required=True)
        importing = actions.add_parser(
            "import", help="Create and update customers from a CSV file (- for standard input)."
        )
        importing.add_argument("file", metavar="FILE.csv")
        importing.add_argument(
            "--environment",
            choices=Environment.values,
            default=Environment.PRODUCTION.value,
            help="Where rows without an environment of their own go.",
        )
        exporting = actions.add_parser("export", help="Write every customer to standard output, archived ones too.")
        exporting.add_argument("--environment", choices=Environment.values, help="Only this one; both when not given.")
        exporting.add_argument("--format", choices=("csv", "json"), default="csv")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked for."""
        if options["action"] == "import":
            self._import(options["file"], options["environment"])
        else:
            self._export(options["environment"], options["format"])

    def _import(self, name: str, environment: str) -> None:
        """Report on standard error; exit with 1 when a row failed."""
        with opened(name) as file:
            try:
                outcome = import_customers(file, environment=environment, origin="Import")
            except UnreadableFileError as error:
                raise CommandError(str(error)) from error
        self._report(outcome)
        if outcome.failures:
            sys.exit(1)

    def _report(self, outcome: Outcome) -> None:
        for failure in outcome.failures:
            self.stderr.write(f"line {failure.line}: {failure.reason}")
        if outcome.ignored_columns:
            self.stderr.write(f"columns not imported: {', '.join(outcome.ignored_columns)}")
        self.stderr.write(
            f"created {outcome.created}, updated {outcome.updated} ({outcome.unchanged} unchanged), "
            f"failed {len(outcome.failures)}"
        )

    def _export(self, environment: str | None, form: str) -> None:
        details = {"environment": environment or "both", "format": form}
        exported.send(sender=None, actor=None, subject="customers", details=details)
        resource = PlainCustomerResource()
        found = resource.get_queryset()
        rows = cells(resource, found.filter(environment=environment) if environment else found)
        try:
            if form == "json":
                self._write_json(rows)
            else:
                self._write_csv(resource.get_export_headers(), rows)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read us has seen enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _write_csv(self, headers: list[str], rows: Iterator[dict[str, str]]) -> None:
        writer = csv.DictWriter(self.stdout, headers, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

    def _write_json(self, rows: Iterator[dict[str, str]]) -> None:
        """One array, a customer a line."""
        self.stdout.write("[", ending="")
        for number, row in enumerate(rows):
            typed: dict[str, Any] = {**row, "id": int(row["id"]), "billing_flags": row["billing_flags"].split()}
            for name in ("billing_started_at", "billing_as_of", "owner"):
                typed[name] = row[name] or None
            self.stdout.write(",\n" if number else "\n", ending="")
            self.stdout.write(json.dumps(typed, ensure_ascii=False), ending="")
        self.stdout.write("\n]")


def cells(resource: PlainCustomerResource, found: Any) -> Iterator[dict[str, str]]:
    """The customers as texts, read in chunks."""
    headers = resource.get_export_headers()
    for customer in found.iterator(chunk_size=2000):
        yield dict(zip(headers, resource.export_resource(customer), strict=True))


@contextmanager
def opened(name: str) -> Iterator[TextIO]:
    """The file, or standard input for ``-``; bytes that are not UTF-8 survive to be refused line by line."""
    if name == "-":
        yield sys.stdin
        return
    try:
        file = Path(name).open(encoding="utf-8-sig", errors="surrogateescape", newline="")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise CommandError(f"Cannot read {name}: {error.strerror}.") from error
    with file:
        yield file

"""Figures out of the browser as CSV: streamed, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import StreamingHttpResponse
from django.utils import translation

from customers.models import Activity, Customer
from customers.models.customer import CustomerQuerySet

CUSTOMER_COLUMNS = (
    "id", "name", "domain", "environment", "status", "owner", "plan", "plan_label", "mrr", "payment_status",
    "billing_started_at", "stripe_customer_id", "billing_source", "billing_as_of", "billing_flags",
    "mrr_at_risk", "at_risk_reason", "at_risk_at",
)  # fmt: skip
ACTIVITY_COLUMNS = ("timestamp", "actor", "actor_type", "event_type", "field", "old_value", "new_value", "origin")
_CHUNK = 2000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """A file that hands back what is written to it, so that `csv` can feed a stream."""

    def write(self, text: str) -> str:
        return text


def stream(filename: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """Answer with a CSV download, row by row; memory stays flat whatever the number of rows.

    Its words are those of the default language whoever asks: files are read by scripts and shared between people.
    """
    writer = csv.writer(_Line())

    def lines() -> Iterator[str]:
        yield writer.writerow(columns)
        for row in rows:
            yield writer.writerow([safe(cell) for cell in row])

    response = StreamingHttpResponse(_in_default_language(lines()), content_type="text/csv; charset=utf-8")
    response["Content-Language"] = settings.LANGUAGE_CODE
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _in_default_language(lines: Iterator[str]) -> Iterator[str]:
    """Each line made in the default language; between lines the language of whoever reads them is untouched."""
    while True:
        with translation.override(settings.LANGUAGE_CODE):
            line = next(lines, None)
        if line is None:
            return
        yield line


def safe(cell: Any) -> str:
    """A cell no spreadsheet runs as a formula: a leading sign that starts one gets an apostrophe before it."""
    text = iso(cell) if isinstance(cell, datetime) else "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def unprotected(text: str) -> str:
    """What :func:`safe` made, as it was: so that an export reads back unchanged."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def customer_rows(customers: CustomerQuerySet) -> Iterator[Sequence[Any]]:
    """The rows of :data:`CUSTOMER_COLUMNS`, read in chunks."""
    for customer in customers.iterator(chunk_size=_CHUNK):
        yield customer_cells(customer)


def customer_cells(customer: Customer) -> Sequence[Any]:
    """One customer; ``plan`` raw and ``plan_label`` as people read it."""
    return (
        customer.pk, customer.name, customer.domain, customer.environment, customer.status,
        customer.owner.get_username() if customer.owner else "", customer.plan, customer.plan_label,
        f"{customer.mrr:.2f}", customer.payment_status, customer.billing_started_at, customer.stripe_customer_id,
        customer.billing_source, customer.billing_as_of, " ".join(customer.billing_flags),
        "" if customer.mrr_at_risk is None else f"{customer.mrr_at_risk:.2f}", customer.at_risk_reason,
        customer.at_risk_at,
    )  # fmt: skip


def activity_cells(activity: Activity) -> Sequence[Any]:
    """One entry of the history."""
    actor = activity.actor.get_full_name() or activity.actor.get_username() if activity.actor else activity.origin
    return (
        activity.at, actor, activity.actor_type, activity.event_type, activity.field, activity.old, activity.new,
        activity.origin,
    )  # fmt: skip

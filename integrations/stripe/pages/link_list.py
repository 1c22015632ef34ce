"""Links from a CSV file (``stripe_customer_id,customer_id``): what each line would do, before anything is done."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from customers.models import Customer, Status
from integrations.models import StripeConnection, StripeCustomer

MOST_LINES = 10_000
MOST_BYTES = 1_000_000
STRIPE, CUSTOMER = "stripe_customer_id", "customer_id"


class UnreadableListError(ValueError):
    """The file as a whole cannot be used; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: what it would do, or with ``is_error`` why it cannot."""

    number: int
    stripe_id: str
    what: str
    is_error: bool = False


@dataclass(slots=True)
class Report:
    """What the file would do; ``targets`` are the links to make, ``left_alone`` the lines without a customer."""

    lines: list[Line] = field(default_factory=list)
    targets: dict[str, int] = field(default_factory=dict)
    left_alone: int = 0

    @property
    def errors(self) -> int:
        """How many lines cannot be used."""
        return sum(line.is_error for line in self.lines)


def check(connection: StripeConnection, text: str) -> Report:
    """Look at every line without changing anything; three queries. Raises UnreadableListError."""
    pairs = list(_pairs(text))
    numbers = {int(number) for _line, _stripe_id, number in pairs if _is_number(number)}
    stripe_ids = {stripe_id for _line, stripe_id, _number in pairs}
    rows = StripeCustomer.objects.filter(connection=connection, stripe_id__in=stripe_ids).select_related("customer")
    known = {row.stripe_id: row for row in rows}
    customers = Customer.objects.filter(environment=connection.environment).in_bulk(list(numbers))
    report, seen = Report(), dict[str, int]()
    for line, stripe_id, number in pairs:
        if not number:
            report.left_alone += 1
            continue
        customer = customers.get(int(number)) if _is_number(number) else None
        reason = _refusal(connection, stripe_id, known.get(stripe_id), number, customer, seen)
        seen.setdefault(stripe_id, line)
        if reason or customer is None:
            report.lines.append(Line(line, stripe_id[:60], reason, is_error=True))
            continue
        report.targets[stripe_id] = customer.pk
        report.lines.append(Line(line, stripe_id[:60], _sentence(known[stripe_id], customer)))
    return report


def _pairs(text: str) -> Iterator[tuple[int, str, str]]:
    """The two cells of each line, with its number in the file."""
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise UnreadableListError(_("The file is larger than 1 MB; split it."))
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff").replace("\x00", "")))
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if STRIPE not in header or CUSTOMER not in header:
            raise UnreadableListError(_("The first line must name the columns stripe_customer_id,customer_id."))
        first, second = header.index(STRIPE), header.index(CUSTOMER)
        for count, row in enumerate(reader):
            if count >= MOST_LINES:
                raise UnreadableListError(_("The file has more than 10,000 lines; split it."))
            if any(cell.strip() for cell in row):
                cells = [*row, *[""] * len(header)]
                yield reader.line_num, cells[first].strip(), cells[second].strip()
    except csv.Error as error:
        raise UnreadableListError(_("The file is not CSV: %(error)s.") % {"error": error}) from error


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _refusal(
    connection: StripeConnection,
    stripe_id: str,
    row: StripeCustomer | None,
    number: str,
    customer: Customer | None,
    seen: dict[str, int],
) -> str:
    """Why a line cannot be used; empty when it can."""
    if row is None:
        return _("No Stripe customer of %(mode)s mode has this id.") % {"mode": connection.mode}
    if stripe_id in seen:
        return _("Line %(line)s names this Stripe customer already.") % {"line": seen[stripe_id]}
    if customer is None:
        values = {"environment": connection.environment, "number": number[:30]}
        return _("There is no %(environment)s customer with the number %(number)s.") % values
    if customer.status == Status.ARCHIVED:
        return _("%(name)s is archived; restore it first.") % {"name": customer.name[:80]}
    return ""


def _sentence(row: StripeCustomer, customer: Customer) -> str:
    values = {"name": (row.name or row.email or row.stripe_id)[:80], "to": customer.name[:80]}
    if row.customer and row.customer.pk != customer.pk:
        values["now"] = row.customer.name[:80]
        return _("Links %(name)s to %(to)s; it is on %(now)s now.") % values
    return _("Links %(name)s to %(to)s.") % values

"""A CSV of links, ``stripe_customer_id,customer_id``: read line by line, and judged before anything is decided.

The lists come out as CSV with an empty ``customer_id``; whoever fills it in brings the same file back. Columns beside
the two are ignored, and a line without a ``customer_id`` says nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from customers.models import Customer, Status
from integrations.models import StripeConnection, StripeCustomer

COLUMNS = ("stripe_customer_id", "customer_id")
MOST_BYTES = 2_000_000
MOST_LINES = 20_000


class UnreadableFileError(ValueError):
    """The file as a whole cannot be read; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that names a Stripe customer and a customer."""

    number: int
    stripe_id: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class Link:
    """What a line would do. ``now_on`` is where the Stripe customer is; None for nowhere."""

    number: int
    row: StripeCustomer
    customer: Customer
    now_on: Customer | None


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line that does nothing, and why."""

    number: int
    reason: str


@dataclass(slots=True)
class Report:
    """What a file would do, line by line; ``unchanged`` are on their customer already, ``blank`` name none."""

    links: list[Link] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    unchanged: int = 0
    blank: int = 0

    @property
    def pairs(self) -> str:
        """The links as a form carries them from the report to the confirmation."""
        return "\n".join(f"{link.row.stripe_id},{link.customer.pk}" for link in self.links)


def read(content: bytes) -> tuple[list[Line], list[Mistake], int]:
    """The lines of a file, those that cannot be read, and how many name no customer.

    Raises UnreadableFileError when the file is too large, not UTF-8, or lacks one of the two columns.
    """
    if len(content) > MOST_BYTES:
        raise UnreadableFileError(_("The file is larger than 2 MB. Split it."))
    try:
        text = content.decode("utf-8-sig").replace("\x00", "")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(_("The file is not UTF-8. Save it as CSV UTF-8.")) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    places = header(reader)
    lines: list[Line] = []
    mistakes: list[Mistake] = []
    blank = 0
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return lines, mistakes, blank
        except csv.Error as error:
            mistakes.append(Mistake(number, _("Not CSV: %(error)s.") % {"error": error}))
            continue
        stripe_id, customer_id = (cells[place].strip() if place < len(cells) else "" for place in places)
        if not customer_id:
            blank += any(cell.strip() for cell in cells)
        elif len(lines) >= MOST_LINES:
            raise UnreadableFileError(_("The file has more than 20,000 links. Split it."))
        else:
            lines.append(Line(number, stripe_id, customer_id))


def header(reader: Iterable[list[str]]) -> tuple[int, int]:
    """Where the two columns are. Raises UnreadableFileError."""
    try:
        names = [name.strip().lower() for name in next(iter(reader))]
    except StopIteration:
        raise UnreadableFileError(_("The file is empty. Its first line must name the columns.")) from None
    except csv.Error as error:
        raise UnreadableFileError(_("The first line is not CSV: %(error)s.") % {"error": error}) from error
    if len(names) == 1 and ";" in names[0]:
        raise UnreadableFileError(_("The columns are separated by semicolons; save the file with commas."))
    for name in COLUMNS:
        if names.count(name) != 1:
            raise UnreadableFileError(
                _("The first line must name %(first)s and %(second)s, each once.")
                % {"first": COLUMNS[0], "second": COLUMNS[1]}
            )
    return names.index(COLUMNS[0]), names.index(COLUMNS[1])


def judge(connection: StripeConnection, lines: Sequence[Line]) -> Report:
    """What these lines would do to the connection; nothing is decided. Two queries, whatever the number of lines.

    Ids of another mode or environment are unknown here, and an archived customer is restored by hand only.
    """
    report = Report()
    numbers = {int(line.customer_id) for line in lines if is_number(line.customer_id)}
    stripe_ids = {line.stripe_id for line in lines}
    rows = {
        row.stripe_id: row
        for row in StripeCustomer.objects.filter(connection=connection, stripe_id__in=stripe_ids).select_related(
            "customer"
        )
    }
    customers = Customer.objects.in_environment(connection.environment).in_bulk(numbers)
    seen: dict[str, int] = {}
    for line in lines:
        row = rows.get(line.stripe_id)
        customer = customers.get(int(line.customer_id)) if is_number(line.customer_id) else None
        if reason := objection(line, row, customer, seen):
            report.mistakes.append(Mistake(line.number, reason))
        elif row is not None and customer is not None:
            if row.customer_id == customer.pk and row.match_reason == "pinned":
                report.unchanged += 1
            else:
                report.links.append(Link(line.number, row, customer, row.customer))
        seen.setdefault(line.stripe_id, line.number)
    return report


def objection(line: Line, row: StripeCustomer | None, customer: Customer | None, seen: dict[str, int]) -> str:
    """Why a line does nothing; empty when it does."""
    if not line.stripe_id:
        return _("No stripe_customer_id.")
    if line.stripe_id in seen:
        return _("%(id)s is on line %(number)s already.") % {"id": line.stripe_id[:60], "number": seen[line.stripe_id]}
    if row is None:
        return _("No Stripe customer %(id)s in this mode.") % {"id": line.stripe_id[:60]}
    if not is_number(line.customer_id):
        return _("“%(id)s” is not the number of a customer.") % {"id": line.customer_id[:60]}
    if customer is None:
        return _("No customer %(id)s in this environment.") % {"id": line.customer_id}
    if customer.status == Status.ARCHIVED:
        return _("%(name)s is archived; restore and link it on the list.") % {"name": customer.name[:80]}
    return ""


def is_number(text: str) -> bool:
    """Whether it can be the number of a customer."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def parse_pairs(text: str) -> list[Line]:
    """The links that a form brought back, to be judged again."""
    parts = (line.partition(",") for line in text.splitlines()[:MOST_LINES])
    return [Line(number, stripe_id, customer_id) for number, (stripe_id, _comma, customer_id) in enumerate(parts, 1)]

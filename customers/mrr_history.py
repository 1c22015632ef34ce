"""MRR over time: a chart with the table behind it. Nothing before the first sync is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from django.db.models import Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers import wording
from customers.models import Customer, MrrPoint

STEPS_SHOWN = 50
WIDTH, HEIGHT = 690, 150
GRID_LINES = 4
ROUND_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(4), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class MrrStep:
    """From ``point.at`` on, with the difference to the point before; None for the first there is."""

    point: MrrPoint
    difference: Decimal | None

    @property
    def is_by_rate(self) -> bool:
        """Whether an exchange rate alone moved it."""
        return self.point.cause == MrrPoint.Cause.EXCHANGE_RATE

    @property
    def is_decision(self) -> bool:
        """Whether people on our side moved it."""
        return self.point.cause == MrrPoint.Cause.DECISION


@dataclass(frozen=True, slots=True)
class Chart:
    """The chart's geometry, in a box of WIDTH x HEIGHT, and what it says in words."""

    line: str
    area: str
    marks: Sequence[str]
    grid: Sequence[str]
    amounts: Sequence[str]
    moments: Sequence[str]
    label: str


@dataclass(frozen=True, slots=True)
class MrrHistory:
    """What the card shows: ``steps`` newest first; ``since`` is the first sync, however far back the steps reach.

    ``by_rate`` counts the moves by an exchange rate among them and ``moved_by_rate`` adds them up, shown or not.
    """

    steps: Sequence[MrrStep]
    since: datetime
    earlier: bool
    by_rate: int
    moved_by_rate: Decimal
    is_hiding: bool
    chart: Chart | None


def history_of(customer: Customer, *, hide_rates: bool) -> MrrHistory | None:
    """The newest steps of a customer's MRR; None before there is one. One query."""
    first = customer.mrr_points.order_by("at").values("at")[:1]
    points = list(customer.mrr_points.annotate(since=Subquery(first)).order_by("-at", "-id")[: STEPS_SHOWN + 1])
    if not points:
        return None
    steps = steps_of(points)
    by_rate = [step for step in steps if step.is_by_rate and step.difference is not None]
    hidden = {step.point.pk for step in by_rate} if hide_rates else set()
    shown = [step for step in steps if step.point.pk not in hidden]
    return MrrHistory(
        steps=shown,
        since=points[0].since,
        earlier=len(points) > STEPS_SHOWN,
        by_rate=len(by_rate),
        moved_by_rate=sum((step.difference or Decimal(0) for step in by_rate), Decimal(0)),
        is_hiding=bool(hidden),
        chart=chart_of(shown, until=timezone.now()),
    )


def steps_of(points: Sequence[MrrPoint]) -> list[MrrStep]:
    """Points, newest first, as steps; one more point than STEPS_SHOWN is only there to take a difference to."""
    before: list[MrrPoint | None] = [*points[1:], None]
    steps = [MrrStep(point, point.mrr - last.mrr if last else None) for point, last in zip(points, before, strict=True)]
    return steps[:STEPS_SHOWN]


def chart_of(steps: Sequence[MrrStep], *, until: datetime) -> Chart | None:
    """Steps, newest first, as a stepped line up to ``until``; None when there is only one level to draw."""
    levels = steps[::-1]
    if len(levels) < 2:
        return None
    start = levels[0].point.at
    span = max((until - start).total_seconds(), 1.0)
    top = top_of(max(step.point.mrr for step in levels))

    def x(moment: datetime) -> str:
        return f"{min(max((moment - start).total_seconds() / span, 0.0), 1.0) * WIDTH:.1f}"

    def y(amount: Decimal) -> str:
        return f"{HEIGHT - float(amount / top) * HEIGHT:.1f}"

    path = f"M0 {y(levels[0].point.mrr)}" + "".join(f" H{x(step.point.at)} V{y(step.point.mrr)}" for step in levels[1:])
    line = f"{path} H{WIDTH}"
    return Chart(
        line=line,
        area=f"{line} V{HEIGHT} H0 Z",
        marks=[x(step.point.at) for step in levels if step.is_decision],
        grid=[f"{HEIGHT * number / GRID_LINES:.1f}" for number in range(GRID_LINES)],
        amounts=[wording.money(top * number / GRID_LINES) for number in range(GRID_LINES, -1, -1)],
        moments=moments_of(start, until),
        label=label_of(levels),
    )


def top_of(highest: Decimal) -> Decimal:
    """The top of the axis: the smallest amount with a round quarter that is not below the highest."""
    quarter = max(highest, Decimal(1)) / GRID_LINES
    magnitude = Decimal(1).scaleb(quarter.adjusted())
    steps = (quarter / magnitude).quantize(Decimal("0.0001"), ROUND_CEILING)
    return magnitude * GRID_LINES * next(step for step in ROUND_STEPS if step >= steps)


def moments_of(start: datetime, until: datetime) -> list[str]:
    """The axis below: beginning, middle and end, as days, or as times while all lies within one."""
    middle = start + (until - start) / 2
    is_one_day = timezone.localtime(start).date() == timezone.localtime(until).date()
    write = wording.clock if is_one_day else wording.day
    return [write(moment) for moment in (start, middle, until)]


def label_of(levels: Sequence[MrrStep]) -> str:
    """The chart in a sentence, for who does not see it; the table behind it has every step."""
    first, last = levels[0].point, levels[-1].point
    changes, decisions = len(levels) - 1, sum(step.is_decision for step in levels)
    text = ngettext(
        "MRR from %(first)s on %(start)s to %(last)s on %(end)s in %(number)s change.",
        "MRR from %(first)s on %(start)s to %(last)s on %(end)s in %(number)s changes.",
        changes,
    ) % {
        "first": wording.money(first.mrr),
        "start": wording.day(first.at),
        "last": wording.money(last.mrr),
        "end": wording.day(last.at),
        "number": wording.number(changes),
    }
    if decisions:
        marked = ngettext("%(number)s decision is marked.", "%(number)s decisions are marked.", decisions)
        text = f"{text} {marked % {'number': wording.number(decisions)}}"
    return _("%(text)s The table has every step.") % {"text": text}

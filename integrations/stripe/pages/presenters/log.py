"""The log: what was attempted in the last 30 days, runs and the rest in one order, and what needs attention."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Value
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.keyset import Key, merged
from customers.models import Customer
from customers.stored_words import translated
from integrations.errors import ERRORS
from integrations.models import (
    Attempt,
    AttemptKind,
    AttemptState,
    IssueState,
    RunKind,
    RunState,
    StripeConnection,
    SyncRun,
)
from integrations.stripe.pages import links
from integrations.stripe.pages.presenters.issues import (
    IssueRow,
    customers_of,
    first_issues,
    open_issues,
    present_issues,
)
from integrations.stripe.pages.presenters.lists import Neighbours, cursors, neighbours
from integrations.stripe.pages.presenters.runs import RunRow, present
from integrations.stripe.sync.retries import retryable

KEPT = timedelta(days=30)
ROWS_SHOWN = 25
OPEN_ISSUES_SHOWN = 10
NEWEST_FIRST = (Key("at", descending=True), Key("rank", descending=True), Key("id", descending=True))
KINDS = (*RunKind.choices, *AttemptKind.choices)
STATUS = {AttemptState.SUCCEEDED: "paid", AttemptState.PARTIAL: "past_due", AttemptState.FAILED: "failing"}
QUIET = Q(kind=AttemptKind.POLL, state=AttemptState.SUCCEEDED, events=0, changed=0)


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt that was no run: what came of it, and whose record it was."""

    attempt: Attempt
    status: str
    what: str
    next_step: str
    url: str
    customer: Customer | None

    @property
    def duration(self) -> timedelta:
        """How long it took."""
        return self.attempt.finished_at - self.attempt.started_at

    @property
    def can_retry(self) -> bool:
        """Whether its Stripe customer can be read again, and something was wrong."""
        return bool(self.attempt.stripe_customer_id) and self.attempt.state != AttemptState.SUCCEEDED

    @property
    def as_text(self) -> str:
        """The attempt as plain text, to copy into a message."""
        one = self.attempt
        head = f"{one.kind} {one.state} {one.started_at.isoformat(timespec='seconds')}"
        lines = [head, one.stripe_customer_id, f"{one.error_code} {self.what}".strip(), one.answer]
        return "\n".join(line for line in lines if line)


@dataclass(slots=True)
class LogRow:
    """One line of the log: a run with its first issues, or another attempt."""

    row: RunRow | None = None
    open_issues: int = 0
    issues: list[IssueRow] = field(default_factory=list)
    attempt: AttemptRow | None = None

    @property
    def more(self) -> int:
        """Issues that only the run's own page lists."""
        return max(0, self.open_issues - len(self.issues))


@dataclass(frozen=True, slots=True)
class Log:
    """One page of the log, newest first; ``retryable`` open issues could be read again together."""

    rows: list[LogRow]
    attention: list[IssueRow]
    attention_total: int
    retryable: int
    errors_only: bool
    quiet_too: bool
    kind: str
    neighbours: Neighbours


def present_log(request: HttpRequest, connection: StripeConnection) -> Log:
    """The log with a constant number of queries."""
    errors_only, quiet_too = bool(request.GET.get("errors")), bool(request.GET.get("quiet"))
    kind = request.GET.get("kind", "")
    since = timezone.now() - KEPT
    tables = [
        narrowed(
            runs_since(connection, since), kind=kind, failed=(RunState.PARTIAL, RunState.FAILED) if errors_only else ()
        ),
        narrowed(
            attempts_since(connection, since, quiet_too=quiet_too),
            kind=kind,
            failed=(AttemptState.PARTIAL, AttemptState.FAILED) if errors_only else (),
        ),
    ]
    shown = merged(tables, NEWEST_FIRST, size=ROWS_SHOWN, **cursors(request))
    issues = first_issues(connection, [row for row in shown.rows if isinstance(row, SyncRun)])
    attempts = [row for row in shown.rows if isinstance(row, Attempt)]
    customers = customers_of(connection, (attempt.stripe_customer_id for attempt in attempts))
    rows = [
        LogRow(present(row), row.open_issues, issues[row.pk])  # type: ignore[attr-defined]  # annotated below
        if isinstance(row, SyncRun)
        else LogRow(attempt=present_attempt(connection, row, customers.get(row.stripe_customer_id)))
        for row in shown.rows
    ]
    needing = open_issues(connection)
    again = Count("pk", filter=Q(pk__in=retryable(connection).values("pk")))
    numbers = needing.order_by().aggregate(total=Count("pk"), retryable=again)
    return Log(
        rows=rows,
        attention=present_issues(connection, needing[:OPEN_ISSUES_SHOWN]),
        attention_total=numbers["total"],
        retryable=numbers["retryable"],
        errors_only=errors_only,
        quiet_too=quiet_too,
        kind=kind,
        neighbours=neighbours(request, shown),
    )


def runs_since(connection: StripeConnection, since: datetime) -> QuerySet[SyncRun]:
    """Runs with how many of their issues are open."""
    found = SyncRun.objects.filter(connection=connection, created_at__gte=since).select_related("started_by")
    still = Count("issues", filter=Q(issues__state=IssueState.OPEN))
    return found.annotate(at=F("created_at"), rank=Value(1), open_issues=still)


def attempts_since(connection: StripeConnection, since: datetime, *, quiet_too: bool) -> QuerySet[Attempt]:
    """The other attempts; polls that found nothing only when asked for."""
    found = Attempt.objects.filter(connection=connection, started_at__gte=since).select_related("started_by")
    return (found if quiet_too else found.exclude(QUIET)).annotate(at=F("started_at"), rank=Value(0))


def narrowed(found: QuerySet[Any], *, kind: str, failed: tuple[str, ...]) -> QuerySet[Any]:
    """Only one kind, only what ended in ``failed`` states; a kind nobody knows counts as none."""
    if kind in dict(KINDS):
        found = found.filter(kind=kind)
    return found.filter(state__in=failed) if failed else found


def present_attempt(connection: StripeConnection, attempt: Attempt, customer: Customer | None) -> AttemptRow:
    """An attempt in words."""
    text = ERRORS.get(attempt.error_code)
    return AttemptRow(
        attempt=attempt,
        status=STATUS[AttemptState(attempt.state)],
        what=" ".join(part for part in (_(text.what) if text else "", translated(attempt.error_detail)) if part),
        next_step=_(text.next_step) if text else "",
        url=links.customer_url(connection, attempt.stripe_customer_id) if attempt.stripe_customer_id else "",
        customer=customer,
    )

"""The log: runs of the last 30 days with what went wrong, records that need attention, and the last calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from customers.keyset import Key, page
from customers.models import Customer
from integrations.errors import ERRORS
from integrations.models import (
    ApiCall,
    IssueState,
    RunKind,
    RunState,
    StripeConnection,
    StripeCustomer,
    SyncIssue,
    SyncRun,
)
from integrations.stripe.pages import links
from integrations.stripe.pages.presenters.connection import LAST_CALLS, is_token_exchange
from integrations.stripe.pages.presenters.lists import Neighbours, cursors, neighbours
from integrations.stripe.pages.presenters.runs import RunRow, present

KEPT = timedelta(days=30)
RUNS_SHOWN = 25
ISSUES_PER_RUN = 5
OPEN_ISSUES_SHOWN = 10
ISSUES_SHOWN = 50
FIGURE = "figure"  # the type of a warning: the figure of some subscriptions leaves something out
NOT_BY_RETRY = ("no_exchange_rate", "permission_missing")
NEWEST_FIRST = (Key("id", descending=True),)


@dataclass(frozen=True, slots=True)
class IssueRow:
    """A record that needs attention: what happened, what to do, and whose it is."""

    issue: SyncIssue
    what: str
    next_step: str
    url: str
    customer: Customer | None
    add_rate_url: str

    @property
    def is_about_a_currency(self) -> bool:
        """Whether no record is wrong, but a rate is missing."""
        return self.issue.code == "no_exchange_rate"

    @property
    def kind(self) -> str:
        """What kind of thing the issue is about."""
        if self.is_about_a_currency:
            return _("currency")
        return _("record") if self.issue.object_type == FIGURE else self.issue.object_type.replace("_", " ")

    @property
    def subject(self) -> str:
        """The id of the record, or the currency."""
        return self.issue.object_id.upper() if self.is_about_a_currency else self.issue.object_id

    @property
    def seen_again(self) -> bool:
        """Whether it was met more than once."""
        return self.issue.last_seen_at - self.issue.first_seen_at > timedelta(seconds=1)

    @property
    def can_retry(self) -> bool:
        """Whether reading the record again can help: not when a rate or a permission is missing."""
        issue = self.issue
        return issue.state == IssueState.OPEN and bool(issue.stripe_customer_id) and issue.code not in NOT_BY_RETRY

    @property
    def as_text(self) -> str:
        """The issue as plain text, to copy into a message."""
        issue = self.issue
        lines = [f"{issue.code}: {issue.object_type} {issue.object_id}", self.what, issue.answer]
        return "\n".join(line for line in lines if line)


@dataclass(slots=True)
class LogRow:
    """A run with its first issues."""

    row: RunRow
    open_issues: int = 0
    issues: list[IssueRow] = field(default_factory=list)

    @property
    def more(self) -> int:
        """Issues that only the run's own page lists."""
        return max(0, self.open_issues - len(self.issues))


@dataclass(frozen=True, slots=True)
class Log:
    """One page of the log, newest first."""

    rows: list[LogRow]
    attention: list[IssueRow]
    attention_total: int
    errors_only: bool
    kind: str
    neighbours: Neighbours


def present_log(request: HttpRequest, connection: StripeConnection) -> Log:
    """The log with a constant number of queries."""
    errors_only = bool(request.GET.get("errors"))
    kind = request.GET.get("kind", "")
    runs = SyncRun.objects.filter(connection=connection, created_at__gte=timezone.now() - KEPT)
    if kind in RunKind.values:
        runs = runs.filter(kind=kind)
    if errors_only:
        runs = runs.filter(state__in=[RunState.PARTIAL, RunState.FAILED])
    with_issues = runs.select_related("started_by").annotate(
        open_issues=Count("issues", filter=Q(issues__state=IssueState.OPEN))
    )
    shown = page(with_issues, NEWEST_FIRST, size=RUNS_SHOWN, **cursors(request))
    first_issues = _first_issues(connection, shown.rows)
    needing = open_issues(connection)
    rows = [
        LogRow(present(run), run.open_issues, first_issues[run.pk])  # type: ignore[attr-defined]  # annotated above
        for run in shown.rows
    ]
    return Log(
        rows=rows,
        attention=present_issues(connection, needing[:OPEN_ISSUES_SHOWN]),
        attention_total=needing.count(),
        errors_only=errors_only,
        kind=kind,
        neighbours=neighbours(request, shown),
    )


def open_issues(connection: StripeConnection) -> QuerySet[SyncIssue]:
    """What needs attention now, errors before warnings, newest first."""
    return SyncIssue.objects.filter(connection=connection, state=IssueState.OPEN).order_by(
        "severity", "-last_seen_at", "-id"
    )


def _first_issues(connection: StripeConnection, runs: Sequence[SyncRun]) -> dict[int, list[IssueRow]]:
    number = Window(RowNumber(), partition_by=F("run_id"), order_by=[F("severity").asc(), F("id").desc()])
    issues = (
        SyncIssue.objects.filter(connection=connection, run__in=runs, state=IssueState.OPEN)
        .annotate(number=number)
        .filter(number__lte=ISSUES_PER_RUN)
    )
    by_run: dict[int, list[IssueRow]] = defaultdict(list)
    for row in present_issues(connection, issues):
        by_run[row.issue.run_id or 0].append(row)
    return by_run


def present_issues(connection: StripeConnection, issues: Iterable[SyncIssue]) -> list[IssueRow]:
    """Issues in words, with the customer each concerns; one query for all of them beside their own."""
    found = list(issues)
    stripe_ids = {issue.stripe_customer_id for issue in found if issue.stripe_customer_id}
    attached = StripeCustomer.objects.filter(
        connection=connection, stripe_id__in=stripe_ids, customer__isnull=False
    ).select_related("customer")
    customers = {row.stripe_id: row.customer for row in attached} if stripe_ids else {}
    return [_issue(connection, issue, customers.get(issue.stripe_customer_id)) for issue in found]


def _issue(connection: StripeConnection, issue: SyncIssue, customer: Customer | None) -> IssueRow:
    text = ERRORS.get(issue.code)
    add_rate_url = ""
    if issue.code == "no_exchange_rate":
        add_rate_url = f"{reverse('admin:integrations_exchangerate_add')}?currency={issue.object_id[:3].lower()}"
    return IssueRow(
        issue=issue,
        what=_(text.what) if text else issue.code,
        next_step=_(text.next_step) if text else "",
        url=links.record_url(connection, issue.object_type, issue.object_id),
        customer=customer,
        add_rate_url=add_rate_url,
    )


@dataclass(frozen=True, slots=True)
class RunPage:
    """One run with all its issues, paged."""

    row: RunRow
    issues: list[IssueRow]
    neighbours: Neighbours


def present_run(request: HttpRequest, connection: StripeConnection, run: SyncRun) -> RunPage:
    """A run and the records it could not read, or read with a warning."""
    shown = page(SyncIssue.objects.filter(run=run), NEWEST_FIRST, size=ISSUES_SHOWN, **cursors(request))
    return RunPage(
        row=present(run),
        issues=present_issues(connection, shown.rows),
        neighbours=neighbours(request, shown),
    )


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call to Stripe."""

    call: ApiCall
    is_token: bool

    @property
    def failed(self) -> bool:
        """Whether it brought no usable answer."""
        return self.call.status == 0 or self.call.status >= 400


def last_calls(connection: StripeConnection) -> list[CallRow]:
    """The last calls, newest first."""
    calls = ApiCall.objects.filter(connection=connection).order_by("-at", "-id")[:LAST_CALLS]
    return [CallRow(call, is_token_exchange(call.method, call.path)) for call in calls]

"""Records that need attention, in words: on the log, on a run's own page, and ticked for another try."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from customers.keyset import Key, page
from customers.models import Customer
from integrations.errors import ERRORS
from integrations.models import IssueState, StripeConnection, StripeCustomer, SyncIssue, SyncRun
from integrations.stripe.pages import links
from integrations.stripe.pages.presenters.lists import Neighbours, cursors, neighbours
from integrations.stripe.pages.presenters.runs import RunRow, present
from integrations.stripe.sync.retries import NOT_BY_RETRY

ISSUES_PER_RUN = 5
ISSUES_SHOWN = 50
FIGURE = "figure"  # the type of a warning: the figure of some subscriptions leaves something out
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


def open_issues(connection: StripeConnection) -> QuerySet[SyncIssue]:
    """What needs attention now, errors before warnings, newest first."""
    return SyncIssue.objects.filter(connection=connection, state=IssueState.OPEN).order_by(
        "severity", "-last_seen_at", "-id"
    )


def first_issues(connection: StripeConnection, runs: Sequence[SyncRun]) -> dict[int, list[IssueRow]]:
    """The first open issues of each of these runs."""
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
    customers = customers_of(connection, (issue.stripe_customer_id for issue in found))
    return [_issue(connection, issue, customers.get(issue.stripe_customer_id)) for issue in found]


def customers_of(connection: StripeConnection, stripe_ids: Iterable[str]) -> dict[str, Customer | None]:
    """The Pivotal customers of these Stripe customers, in one query at most."""
    wanted = set(filter(None, stripe_ids))
    if not wanted:
        return {}
    attached = StripeCustomer.objects.filter(connection=connection, stripe_id__in=wanted, customer__isnull=False)
    return {row.stripe_id: row.customer for row in attached.select_related("customer")}


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

"""The **Drift** page: what each of the last nights found different, as a chart with its table, and night by night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers import presenters, wording
from integrations.models import DriftEntry, DriftKind, DriftReport, StripeConnection
from integrations.stripe.pages import links
from integrations.stripe.sync.drift import latest

KEPT = timedelta(days=30)
ENTRIES_SHOWN = 50
LABELS = {
    "plan": gettext_lazy("Plan"),
    "mrr": gettext_lazy("MRR"),
    "payment_status": gettext_lazy("Payment status"),
    "billing_started_at": gettext_lazy("Billed since"),
    "stripe_customer_id": gettext_lazy("Stripe customer"),
    "email": gettext_lazy("E-mail"),
    "name": gettext_lazy("Name"),
    "subscription": gettext_lazy("Subscription"),
}


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One difference: the field or the object, from what to what, and where to look at it."""

    entry: DriftEntry
    label: str
    old: str
    new: str
    url: str


@dataclass(frozen=True, slots=True)
class Night:
    """One night: its numbers, and its first differences."""

    report: DriftReport
    entries: list[EntryRow]
    entries_total: int

    @property
    def facts(self) -> str:
        """Its numbers: subscriptions by kind, customers by field."""
        report = self.report
        parts = [_("%(number)s missing here") % {"number": wording.number(report.missing)}] if report.missing else []
        if report.extra:
            parts.append(_("%(number)s no longer live") % {"number": wording.number(report.extra)})
        parts += [
            f"{LABELS.get(name, name)} {wording.number(number)}" for name, number in sorted(report.by_field.items())
        ]
        return ", ".join(parts)

    @property
    def status(self) -> str:
        """The tone of its badge."""
        if not self.report.total:
            return "paid"
        return "past_due" if self.report.has_events else "note"

    @property
    def word(self) -> str:
        """What its badge says."""
        return verdict(self.report)

    @property
    def more(self) -> int:
        """Differences that are not listed."""
        return self.entries_total - len(self.entries)


@dataclass(frozen=True, slots=True)
class Drift:
    """The nights, newest first, and the chart: a bar for each of the last 30 days, and what they say in a sentence."""

    nights: list[Night]
    bars: list[tuple[str, int | None]]
    sentence: str


def verdict(report: DriftReport) -> str:
    """A report in a few words; without events, changes cannot be told from drift."""
    number = {"number": wording.number(report.total)}
    if not report.has_events:
        return ngettext("%(number)s change found", "%(number)s changes found", report.total) % number
    if not report.total:
        return _("no drift")
    return ngettext("%(number)s difference", "%(number)s differences", report.total) % number


def last_verdict(connection: StripeConnection) -> str:
    """What the last night says, for the banner; empty before the first."""
    report = latest(connection)
    return verdict(report) if report is not None and report.created_at > timezone.now() - KEPT else ""


def present_drift(connection: StripeConnection) -> Drift:
    """Thirty nights in a constant number of queries."""
    reports = list(
        DriftReport.objects.filter(
            connection=connection, concluded_at__isnull=False, created_at__gte=timezone.now() - KEPT
        )
    )
    rows, totals = first_entries(connection, reports)
    nights = [
        Night(
            report=report,
            entries=rows[report.pk],
            entries_total=totals.get(report.pk, 0),
        )
        for report in reports
    ]
    quiet = sum(1 for report in reports if not report.total)
    return Drift(
        nights=nights,
        bars=bars_of(reports),
        sentence=ngettext(
            "%(quiet)s of %(nights)s night found no difference.",
            "%(quiet)s of %(nights)s nights found no difference.",
            len(reports),
        )
        % {"quiet": quiet, "nights": len(reports)},
    )


def bars_of(reports: Sequence[DriftReport]) -> list[tuple[str, int | None]]:
    """What each of the last days found, oldest first; None for a day without a report."""
    found = {timezone.localtime(report.created_at).date(): report.total for report in reports}
    today = timezone.localtime()
    days = [today - timedelta(days=ago) for ago in range(KEPT.days - 1, -1, -1)]
    return [(wording.day(day), found.get(day.date())) for day in days]


def first_entries(
    connection: StripeConnection, reports: Sequence[DriftReport]
) -> tuple[dict[int, list[EntryRow]], dict[int, int]]:
    """The first differences of each night, and how many there are; one query."""
    number = Window(RowNumber(), partition_by=F("report_id"), order_by=F("id").asc())
    last = Window(RowNumber(), partition_by=F("report_id"), order_by=F("id").desc())
    found = (
        DriftEntry.objects.filter(report__in=reports)
        .annotate(number=number, behind=last)
        .filter(number__lte=ENTRIES_SHOWN)
        .select_related("customer")
        .order_by("report_id", "id")
    )
    rows: dict[int, list[EntryRow]] = defaultdict(list)
    totals: dict[int, int] = {}
    for entry in found:
        rows[entry.report_id].append(present_entry(connection, entry))
        totals[entry.report_id] = entry.number + entry.behind - 1
    return rows, totals


def present_entry(connection: StripeConnection, entry: DriftEntry) -> EntryRow:
    """A difference in words."""
    if entry.kind == DriftKind.DIFFERENT and not entry.object_id:
        return EntryRow(
            entry=entry,
            label=str(LABELS.get(entry.field, entry.field)),
            old=presenters.value_text(entry.field, entry.old),
            new=presenters.value_text(entry.field, entry.new),
            url=links.customer_url(connection, entry.stripe_customer_id) if entry.stripe_customer_id else "",
        )
    if entry.kind == DriftKind.DIFFERENT:
        return EntryRow(
            entry=entry,
            label=_("Subscription"),
            old="",
            new=_("other %(what)s") % {"what": entry.new.replace("_", " ")},
            url=links.subscription_url(connection, entry.object_id),
        )
    return EntryRow(
        entry=entry,
        label=_("Subscription"),
        old=entry.old.replace("_", " "),
        new=entry.new.replace("_", " ") or _("gone"),
        url=links.subscription_url(connection, entry.object_id),
    )

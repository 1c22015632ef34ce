"""Decisions about very many Stripe customers: how far each is, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, IntegerField
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.models import DecisionJob, MatchDecision, StripeConnection, WorkerHeartbeat
from integrations.stripe.pages.presenters.runs import announcement
from integrations.stripe.sync import decision_jobs

SILENT_AFTER = timedelta(seconds=120)
TITLES = {
    decision_jobs.LINK: gettext_lazy("Linking to one customer"),
    decision_jobs.LINK_EACH: gettext_lazy("Linking as the file says"),
    decision_jobs.LINK_SUGGESTED: gettext_lazy("Linking to first suggestions"),
    decision_jobs.CREATE: gettext_lazy("Creating customers"),
    decision_jobs.IGNORE: gettext_lazy("Ignoring"),
    decision_jobs.UNDO: gettext_lazy("Undoing"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its page shows it; ``decided`` are those something was decided about."""

    row: DecisionJob
    title: str
    total: int
    decided: int
    is_undone: bool
    silent_since: object | None = None

    @property
    def percent(self) -> int:
        """How far it is."""
        return self.row.done * 100 // self.total if self.total else 100

    @property
    def left_alone(self) -> int:
        """Those behind it that were matched meanwhile, or had no suggestion."""
        return self.row.done - self.decided

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has taken it up yet."""
        return self.row.state == DecisionJob.State.QUEUED

    @property
    def heading(self) -> str:
        """How it stands."""
        if self.row.state == DecisionJob.State.FAILED:
            return _("It ended early")
        if self.row.state == DecisionJob.State.STOPPED:
            return _("Stopped")
        if self.row.state == DecisionJob.State.DONE:
            return _("Done")
        return _("Waiting for the worker") if self.is_waiting else _("Under way")

    @property
    def said(self) -> str:
        """What a screen reader is told."""
        return announcement(self.heading, self.percent if self.row.state == DecisionJob.State.RUNNING else None)

    @property
    def may_be_undone(self) -> bool:
        """Whether its decision is in force, and not about to grow."""
        return not self.is_undone and not self.row.is_active and self.decided > 0

    @property
    def bar_status(self) -> str:
        """The tone of the bar."""
        if self.row.state == DecisionJob.State.FAILED:
            return "failing"
        return "slow" if self.silent_since else ""


def present_job(job: DecisionJob) -> Job:
    """One job; three queries."""
    age = WorkerHeartbeat.objects.age() if job.is_active else None
    return Job(
        row=job,
        title=str(TITLES[job.action]),
        total=len(job.members),
        decided=job.done if job.action == decision_jobs.UNDO else job.decision.members.count(),
        is_undone=MatchDecision.objects.filter(undoes_id=job.decision_id).exists(),
        silent_since=timezone.now() - age if age is not None and age > SILENT_AFTER else None,
    )


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A job in the line above a list."""

    pk: int
    title: str
    percent: int


def under_way(connection: StripeConnection) -> list[UnderWay]:
    """The jobs with work left, in one query that does not fetch their members."""
    size = Coalesce(Cast(F("members__len"), IntegerField()), 0)
    rows = decision_jobs.active(connection).annotate(size=size).values_list("pk", "action", "done", "size")
    return [UnderWay(pk, str(TITLES[action]), done * 100 // total if total else 0) for pk, action, done, total in rows]

"""A decision about very many Stripe customers: how far it is, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_lazy

from integrations.models import DecisionJob

TITLES = {
    DecisionJob.Action.SUGGESTED.value: gettext_lazy("Linking to first suggestions"),
    DecisionJob.Action.CREATE.value: gettext_lazy("Creating customers"),
    DecisionJob.Action.IGNORE.value: gettext_lazy("Ignoring"),
    DecisionJob.Action.LISTED.value: gettext_lazy("Linking as listed in the file"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the page shows it; ``decided`` are those something was decided about, the rest was passed over."""

    row: DecisionJob
    title: str
    total: int
    decided: int
    percent: int
    undone: bool

    @property
    def passed_over(self) -> int:
        """Those that needed no decision any more, or had no suggestion."""
        return self.row.done - self.decided

    @property
    def bar_status(self) -> str:
        """The colour of the bar."""
        return "failing" if self.row.state == DecisionJob.State.FAILED else "none"


def present_job(row: DecisionJob | None) -> Job | None:
    """The job, or None for none; two queries."""
    if row is None:
        return None
    total = len(row.members)
    return Job(
        row=row,
        title=str(TITLES[row.action]),
        total=total,
        decided=row.decision.members.count(),
        percent=row.done * 100 // total if total else 100,
        undone=hasattr(row.decision, "undone_by"),
    )

"""What a decision about very many would do: the sum, and the ten with the most at stake as a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum
from django.utils.translation import gettext as _

from integrations.models import DecisionJob, StripeConnection, StripeCustomer, StripeSubscription
from integrations.stripe.pages.presenters.lists import by_stake
from integrations.stripe.pages.presenters.suggestions import in_words
from integrations.stripe.sync.decidable import customer_domain
from integrations.stripe.sync.scope_sql import Scope
from integrations.stripe.sync.suggestions import Found, first_to_link, suggest

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Line:
    """One of the sample: who, what is at stake, and what becomes of it."""

    name: str
    mrr: Decimal
    what: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """The MRR at stake in all of them, and a few lines."""

    mrr: Decimal
    lines: list[Line]
    note: str


def present_sample(connection: StripeConnection, stripe_ids: Sequence[str], action: str) -> Sample:
    """The sample of a job that was not started yet; the ids come with the most at stake first."""
    first = StripeCustomer.objects.filter(connection=connection, stripe_id__in=stripe_ids[:SHOWN])
    rows = list(by_stake(connection, first))
    found: Found = suggest(connection, rows) if action == DecisionJob.Action.SUGGESTED else {}
    return Sample(
        mrr=_stake(connection, stripe_ids),
        lines=[
            Line((row.name or row.email or row.stripe_id)[:80], row.mrr, *_outcome(row, action, found)) for row in rows
        ],
        note=_note(action),
    )


def _stake(connection: StripeConnection, stripe_ids: Sequence[str]) -> Decimal:
    scope = Scope.of(connection)
    rows = StripeSubscription.objects.filter(scope.condition, connection=connection, customer_id__in=list(stripe_ids))
    return rows.aggregate(mrr=Sum("mrr"))["mrr"] or Decimal(0)


def _outcome(row: StripeCustomer, action: str, found: Found) -> tuple[str, str]:
    if action == DecisionJob.Action.SUGGESTED:
        first = first_to_link(found.get(row.stripe_id, ()))
        return (first.name[:80], in_words(first)) if first else (_("No suggestion, stays as it is"), "")
    if action == DecisionJob.Action.CREATE:
        return (row.name.strip() or customer_domain(row) or row.stripe_id)[:80], customer_domain(row)
    return _("Skipped from now on"), ""


def _note(action: str) -> str:
    if action == DecisionJob.Action.SUGGESTED:
        return _("Those without a suggestion that can be linked as it is stay as they are.")
    if action == DecisionJob.Action.CREATE:
        return _("One customer per domain, named after the oldest Stripe customer on it; the others on it match it.")
    return _("They move to Skipped, and stay there whatever changes in Stripe.")

"""Badges of the customer list, for one page of it with a constant number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers import wording
from customers.models import BillingFlag, Customer, Environment
from customers.panels import ListBadges
from customers.stored_words import translated
from integrations.models import BillingSummary, Mode, StripeConnection, StripeSubscription
from integrations.stripe.pages.presenters.billing import moment_of, what_is_left_out
from integrations.stripe.sync.freshness import Freshness, failing_among, freshness
from integrations.stripe.sync.rollup import SOURCE

MODES = {Environment.PRODUCTION.value: Mode.LIVE.value, Environment.STAGING.value: Mode.TEST.value}


def badges_of(customers: Sequence[Customer], *, may_decide: bool) -> dict[int, ListBadges]:
    """Badges by customer id; four queries, whatever the number of customers."""
    connections = {connection.mode: connection for connection in StripeConnection.objects.all()}
    summaries = BillingSummary.objects.in_bulk([customer.pk for customer in customers])
    trials = _trials(summaries.values())
    failing = failing_among(customer.pk for customer in customers)
    return {
        customer.pk: _badges(
            customer,
            connections.get(MODES[customer.environment]),
            summaries.get(customer.pk),
            trials,
            may_decide=may_decide,
            failing=customer.pk in failing,
        )
        for customer in customers
    }


def _badges(
    customer: Customer,
    connection: StripeConnection | None,
    summary: BillingSummary | None,
    trials: dict[str, datetime],
    *,
    may_decide: bool,
    failing: bool,
) -> ListBadges:
    if customer.billing_source != SOURCE or connection is None:
        return ListBadges(attached=False)
    flags = customer.billing_flags
    found: Freshness = freshness(customer, connection, failing=failing)
    left_out = what_is_left_out(summary)
    trial = trials.get(summary.primary_subscription) if summary else None
    is_undecided = BillingFlag.UNDECIDED in flags
    return ListBadges(
        attached=True,
        undecided=_("Stripe customers added up, nobody has decided yet") if is_undecided else "",
        undecided_url=reverse("stripe:ambiguous_group", args=[connection.mode, customer.pk])
        if is_undecided and may_decide
        else "",
        incomplete=_("Leaves out %(what)s") % {"what": left_out} if left_out else "",
        older_open=_older_open(summary),
        stale=translated(found.reason) if found.stale else "",
        stale_since=found.as_of if found.stale else None,
        hint=_("Trial until %(day)s") % {"day": wording.day(trial)} if trial else "",
        plan_more=max(0, summary.live_subscriptions - 1) if summary else 0,
    )


def _older_open(summary: BillingSummary | None) -> str:
    found = summary.also_open if summary else None
    if not found:
        return ""
    number = int(found.get("count", 0))
    return ngettext("%(number)d older invoice is open", "%(number)d older invoices are open", number) % {
        "number": number
    }


def _trials(summaries: Iterable[BillingSummary]) -> dict[str, datetime]:
    """When the trial of a primary subscription ends, by its id."""
    ids = [summary.primary_subscription for summary in summaries if summary.primary_subscription]
    rows = StripeSubscription.objects.filter(stripe_id__in=ids, status="trialing").values_list(
        "stripe_id", "data__trial_end"
    )
    found = {stripe_id: moment_of(end) for stripe_id, end in rows if isinstance(end, int)}
    return {stripe_id: end for stripe_id, end in found.items() if end}

"""Badges of the customer list, for one page of it with a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db.models import BigIntegerField, Exists, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers import wording
from customers.models import BillingFlag, Customer, Environment
from customers.panels import ListBadges
from customers.stored_words import translated
from integrations.models import BillingSummary, Mode, StripeConnection, StripeCustomer, StripeSubscription
from integrations.stripe.pages.presenters.billing import moment_of, what_is_left_out
from integrations.stripe.sync.freshness import Freshness, freshness, is_failing
from integrations.stripe.sync.rollup import SOURCE

MODES = {Environment.PRODUCTION.value: Mode.LIVE.value, Environment.STAGING.value: Mode.TEST.value}


def badges_of(customers: Sequence[Customer], *, may_decide: bool) -> dict[int, ListBadges]:
    """Badges by customer id; two queries, whatever the number of customers."""
    connections = {connection.mode: connection for connection in StripeConnection.objects.all()}
    summaries = _summaries([customer.pk for customer in customers])
    return {
        customer.pk: _badges(
            customer,
            connections.get(MODES[customer.environment]),
            summaries.get(customer.pk),
            may_decide=may_decide,
        )
        for customer in customers
    }


def _badges(
    customer: Customer,
    connection: StripeConnection | None,
    summary: Any,
    *,
    may_decide: bool,
) -> ListBadges:
    if customer.billing_source != SOURCE or connection is None:
        return ListBadges(attached=False)
    flags = customer.billing_flags
    found: Freshness = freshness(customer, connection, failing=bool(summary and summary.fails))
    left_out = what_is_left_out(summary)
    trial = moment_of(summary.trial_end) if summary else None
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


def _summaries(customer_ids: Sequence[int]) -> dict[int, Any]:
    """The summaries by customer, each with ``fails`` and the ``trial_end`` of its primary subscription."""
    return {row.pk: row for row in _annotated_summaries().filter(customer__in=customer_ids)}


@cache  # put together once: that takes longer than to ask it
def _annotated_summaries() -> QuerySet[Any]:
    trialing = StripeSubscription.objects.filter(
        connection=OuterRef("connection"), stripe_id=OuterRef("primary_subscription"), status="trialing"
    )
    failing = StripeCustomer.objects.filter(is_failing(), customer=OuterRef("customer"))
    return BillingSummary.objects.only("incomplete", "also_open", "live_subscriptions").annotate(
        fails=Exists(failing),
        trial_end=Cast(Subquery(trialing.values(end=KT("data__trial_end"))[:1]), BigIntegerField()),
    )

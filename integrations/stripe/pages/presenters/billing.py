"""What Stripe says about one customer: everything the header, the billing card and the footer share.

Read once a request with a constant number of queries, however many Stripe customers are attached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from customers import wording
from customers.models import Customer
from integrations.models import (
    BillingSummary,
    MatchState,
    Standing,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
)
from integrations.stripe.api.objects import Subscription
from integrations.stripe.pages import links
from integrations.stripe.rules.payment_status import AlsoOpen, Reason
from integrations.stripe.rules.receipt import Receipt
from integrations.stripe.sync.explain import connection_of
from integrations.stripe.sync.freshness import Freshness, freshness, is_failing
from integrations.stripe.sync.match import WINNER_ENDED
from integrations.stripe.sync.rollup import SOURCE
from integrations.stripe.sync.scope_sql import in_saved_scope

ENDED_STATUSES = frozenset({"canceled", "incomplete_expired"})


@dataclass(slots=True)
class AttachedCustomer:
    """A Stripe customer behind the figures."""

    stripe: StripeCustomer
    url: str
    is_primary: bool

    @property
    def name(self) -> str:
        """What people call it."""
        return self.stripe.name or self.stripe.email or self.stripe.stripe_id


@dataclass(slots=True)
class BilledSubscription:
    """A subscription in scope, decoded, with its receipt."""

    row: StripeSubscription
    data: Subscription
    receipt: Receipt | None
    owner: AttachedCustomer
    url: str

    @property
    def is_ended(self) -> bool:
        """Whether it only counts for "billed since"."""
        return not self.row.live

    @property
    def label(self) -> str:
        """Its plan as people read it."""
        return self.row.plan_label or self.row.stripe_id


@dataclass(slots=True)
class Billing:
    """Everything about one customer; without ``attached`` there are no figures.

    ``waiting`` lost to a Stripe customer whose billing has ended since: out of the figures until somebody decides.
    """

    customer: Customer
    connection: StripeConnection
    freshness: Freshness
    attached: list[AttachedCustomer] = field(default_factory=list)
    waiting: list[AttachedCustomer] = field(default_factory=list)
    subscriptions: list[BilledSubscription] = field(default_factory=list)
    summary: BillingSummary | None = None
    reason: Reason | None = None
    also_open: AlsoOpen | None = None

    @property
    def has_figures(self) -> bool:
        """Whether the five fields come from Stripe."""
        return self.customer.billing_source == SOURCE

    @property
    def live(self) -> list[BilledSubscription]:
        """Subscriptions that run."""
        return [each for each in self.subscriptions if not each.is_ended]

    @property
    def ended(self) -> list[BilledSubscription]:
        """Subscriptions that are over."""
        return [each for each in self.subscriptions if each.is_ended]

    @property
    def is_merged(self) -> bool:
        """Whether several Stripe customers are added up."""
        return sum(1 for each in self.attached if each.stripe.standing == Standing.LIVE) > 1

    @property
    def speaking(self) -> list[AttachedCustomer]:
        """The Stripe customers whose invoices count: the live ones, or all when none is live."""
        live = [each for each in self.attached if each.stripe.standing == Standing.LIVE]
        return live or self.attached

    @property
    def primary_url(self) -> str:
        """The primary Stripe customer in Stripe; empty when nothing is attached."""
        primary = self.customer.stripe_customer_id
        return links.customer_url(self.connection, primary) if primary else ""

    @property
    def ended_at(self) -> datetime | None:
        """When billing ended, once nothing runs any more."""
        if self.live or not self.ended:
            return None
        ends = [moment_of(each.data.ended_at or each.data.canceled_at) for each in self.ended]
        known = [end for end in ends if end]
        return max(known, default=None)


def moment_of(seconds: int | None) -> datetime | None:
    """Stripe's seconds as a moment; None stays None."""
    return datetime.fromtimestamp(seconds, tz=timezone.get_current_timezone()) if seconds is not None else None


def billing_of(request: HttpRequest, customer: Customer) -> Billing:
    """The billing of a customer, read once a request."""
    kept: dict[int, Billing] = request.__dict__.setdefault("_stripe_billing", {})
    if customer.pk not in kept:
        kept[customer.pk] = read_billing(customer)
    return kept[customer.pk]


def read_billing(customer: Customer) -> Billing:
    """Read the rows behind the figures, the primary Stripe customer and the largest subscription first."""
    connection = connection_of(customer)
    if connection.pk is None:
        return Billing(customer, connection, freshness(customer, connection, failing=False))
    rows = StripeCustomer.objects.filter(connection=connection, customer=customer, match_state=MatchState.MATCHED)
    rows = rows.annotate(fails=is_failing())
    billing = Billing(customer, connection, freshness(customer, connection, failing=any(row.fails for row in rows)))
    found = sorted(
        (
            AttachedCustomer(
                row, links.customer_url(connection, row.stripe_id), row.stripe_id == customer.stripe_customer_id
            )
            for row in rows
        ),
        key=lambda each: (not each.is_primary, each.stripe.standing != Standing.LIVE, each.stripe.stripe_id),
    )
    billing.attached = [each for each in found if each.stripe.match_reason != WINNER_ENDED]
    billing.waiting = [each for each in found if each.stripe.match_reason == WINNER_ENDED]
    if billing.attached:
        billing.subscriptions = _subscriptions(connection, billing.attached)
        _add_summary(billing)
    return billing


def _subscriptions(connection: StripeConnection, attached: Sequence[AttachedCustomer]) -> list[BilledSubscription]:
    owners = {each.stripe.stripe_id: each for each in attached}
    rows = StripeSubscription.objects.filter(
        in_saved_scope(connection), connection=connection, customer_id__in=list(owners)
    ).order_by("-live", "-mrr", "start_date", "stripe_id")
    return [
        BilledSubscription(
            row=row,
            data=msgspec.convert(row.data, Subscription, strict=False),
            receipt=read_receipt(row.receipt),
            owner=owners[row.customer_id],
            url=links.subscription_url(connection, row.stripe_id),
        )
        for row in rows
    ]


def read_receipt(stored: Any) -> Receipt | None:
    """The receipt of a subscription; None before the first one was computed."""
    return msgspec.convert(stored, Receipt, strict=False) if stored else None


def _add_summary(billing: Billing) -> None:
    summary = getattr(billing.customer, "billing_summary", None)
    billing.summary = summary
    if summary is None:
        return
    if summary.payment_reason:
        billing.reason = msgspec.convert(summary.payment_reason, Reason, strict=False)
    if summary.also_open:
        billing.also_open = msgspec.convert(summary.also_open, AlsoOpen, strict=False)


def what_is_left_out(summary: BillingSummary | None) -> str:
    """What the MRR leaves out, in words: ``1 subscription in NGN: no exchange rate``; empty when it is complete."""
    entries = summary.incomplete if summary else []
    return "; ".join(_left_out(entry) for entry in entries[:3]) + ("…" if len(entries) > 3 else "")


def lacks_rate(summary: BillingSummary | None) -> bool:
    """Whether a missing exchange rate is among what the MRR leaves out."""
    return any(entry.get("code") == "no_exchange_rate" for entry in (summary.incomplete if summary else []))


def _left_out(entry: dict[str, Any]) -> str:
    number = int(entry.get("subscriptions", 0))
    many = _("1 subscription") if number == 1 else _("%(number)s subscriptions") % {"number": wording.number(number)}
    subject = str(entry.get("subject", ""))[:60]
    match entry.get("code"):
        case "no_exchange_rate":
            return _("%(many)s in %(currency)s: no exchange rate") % {"many": many, "currency": subject.upper()}
        case "permission_missing":
            return _("%(many)s with data we may not read (%(subject)s)") % {"many": many, "subject": subject}
        case "unknown_value":
            return _("%(many)s with a value we do not know (%(subject)s)") % {"many": many, "subject": subject}
    return _("%(many)s that could not be read completely (%(subject)s)") % {"many": many, "subject": subject}


def total(subscriptions: Sequence[BilledSubscription]) -> Decimal:
    """The exact sum of the contributions."""
    return sum((each.row.mrr for each in subscriptions), Decimal(0))

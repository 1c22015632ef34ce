"""How old a figure is, and whether that is too old (docs/rules.md section 6)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from customers.models import Customer
from integrations.models import (
    ConnectionState,
    IssueState,
    Severity,
    StripeConnection,
    StripeCustomer,
    StripeEvent,
    SyncIssue,
)
from integrations.stripe.sync.rollup import SOURCE

IN_HOURS = timedelta(minutes=30)
OUT_OF_HOURS = timedelta(hours=24)
FULL_SYNC_LATE = timedelta(hours=24)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = "|".join(DAYS)
HOURS = re.compile(rf"(?P<first>{_DAY})(?:-(?P<last>{_DAY}))? (?P<opens>\d{{1,2}})-(?P<closes>\d{{1,2}})")


@dataclass(frozen=True, slots=True)
class Freshness:
    """``as_of`` is the last look that covered the figure; ``reason`` says why it is stale; ``live`` means connected."""

    as_of: datetime | None
    stale: bool
    reason: str
    live: bool


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """Days of the week, Monday is 0, and full hours of the workspace's time zone."""

    first: int
    last: int
    opens: int
    closes: int

    @classmethod
    def parse(cls, text: str) -> BusinessHours:
        """Read ``Mon-Fri 9-18`` or ``Sat 10-14``; raises ValueError for anything else."""
        found = HOURS.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not like 'Mon-Fri 9-18'.")
        first, last = DAYS.index(found["first"]), DAYS.index(found["last"] or found["first"])
        hours = cls(first, last, int(found["opens"]), int(found["closes"]))
        if not 0 <= hours.opens < hours.closes <= 24:
            raise ValueError(f"{text!r} has no hours.")
        return hours

    def include(self, moment: datetime) -> bool:
        """Whether a moment lies in them."""
        local = timezone.localtime(moment)
        days = (self.last - self.first) % 7  # a week may begin on Sunday and end on Thursday
        return (local.weekday() - self.first) % 7 <= days and self.opens <= local.hour < self.closes


def in_business_hours(moment: datetime) -> bool:
    """Whether a moment lies in the workspace's business hours, as BUSINESS_HOURS ("Mon-Fri 9-18") says."""
    return BusinessHours.parse(settings.BUSINESS_HOURS).include(moment)


def allowed_age(now: datetime) -> timedelta:
    """How old a look may be at this hour."""
    return IN_HOURS if in_business_hours(now) else OUT_OF_HOURS


def freshness_of(connection: StripeConnection, *, looked_at: datetime | None = None) -> Freshness:
    """The freshness of everything a connection wrote, or of one figure that was looked at on its own later."""
    looks = [look for look in (connection.last_look_at, looked_at) if look is not None]
    as_of = max(looks, default=None)
    now = timezone.now()
    if connection.state == ConnectionState.DISCONNECTED:
        return Freshness(as_of, stale=True, reason="Stripe is disconnected", live=False)
    if connection.state == ConnectionState.REAUTHORIZE:
        return Freshness(as_of, stale=True, reason="Stripe asks to be connected again", live=False)
    if as_of is None:
        return Freshness(None, stale=True, reason="Stripe was never synced", live=True)
    if now - as_of > allowed_age(now):
        return Freshness(as_of, stale=True, reason="No look at Stripe since then succeeded", live=True)
    return Freshness(as_of, stale=False, reason="", live=True)


def freshness(customer: Customer, connection: StripeConnection, *, failing: bool | None = None) -> Freshness:
    """The freshness of one customer's billing fields; what cannot be read now is stale, however young the last look.

    ``failing`` spares the query where it is known.
    """
    found = freshness_of(connection, looked_at=customer.billing_as_of)
    if found.stale:
        return found
    if bool(failing_among([customer.pk])) if failing is None else failing:
        return replace(found, as_of=customer.billing_as_of, stale=True, reason="Reading it from Stripe keeps failing")
    return found


def stale_customers(connection: StripeConnection) -> Q | None:
    """Which customers have stale figures, as a condition on them; None when nobody has.

    Says of each what ``freshness`` says of it.
    """
    if connection.connected_at is None:
        return None
    mine = Q(billing_source=SOURCE)
    if not connection.is_connected:
        return mine
    failing = Q(pk__in=failing_of(connection))
    if not freshness_of(connection).stale:
        return mine & failing
    now = timezone.now()
    # A walk that changed nothing leaves the column empty: whoever was never looked at alone is as old as the walk.
    older = Q(billing_as_of__lt=now - allowed_age(now)) | Q(billing_as_of__isnull=True)
    return mine & (older | failing)


def failing_of(connection: StripeConnection) -> QuerySet[StripeCustomer, int | None]:
    """The customers for whom something changed in Stripe that could not be read, as a subquery.

    It begins with what fails, which are few, and not with the customers.
    """
    waiting = StripeEvent.objects.filter(connection=connection, state=StripeEvent.State.WAITING, attempts__gt=0)
    given_up = SyncIssue.objects.filter(connection=connection, state=IssueState.OPEN, severity=Severity.ERROR)
    ids = waiting.values("stripe_customer_id").union(given_up.values("stripe_customer_id"))
    return StripeCustomer.objects.filter(connection=connection, customer__isnull=False, stripe_id__in=ids).values_list(
        "customer_id", flat=True
    )


def failing_among(customer_ids: Iterable[int]) -> set[int]:
    """Those of these customers for whom something changed in Stripe that could not be read; one query."""
    mine = StripeCustomer.objects.filter(is_failing(), customer__in=list(customer_ids))
    return {customer_id for customer_id in mine.values_list("customer_id", flat=True) if customer_id is not None}


def is_failing() -> Q:
    """A condition on Stripe customers: something changed about one in Stripe that could not be read."""
    waiting = StripeEvent.objects.filter(
        connection=OuterRef("connection"),
        state=StripeEvent.State.WAITING,
        attempts__gt=0,
        stripe_customer_id=OuterRef("stripe_id"),
    )
    given_up = SyncIssue.objects.filter(
        connection=OuterRef("connection"),
        state=IssueState.OPEN,
        severity=Severity.ERROR,
        stripe_customer_id=OuterRef("stripe_id"),
    )
    return Q(Exists(waiting)) | Q(Exists(given_up))

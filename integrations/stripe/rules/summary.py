"""The five billing fields of a customer, from what is attached to it (docs/rules.md section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from integrations.stripe.rules.money import EXACT, ZERO, to_cents
from integrations.stripe.rules.payment_status import CustomerPaymentStatus, PaymentStatus
from integrations.stripe.rules.subscriptions import is_counting, is_live

_LAST = datetime.max.replace(tzinfo=UTC)


class AttachedCustomer(Struct, frozen=True):
    """A Stripe customer attached to the Pivotal customer.

    ``live``: it has a live subscription in scope. ``winner``: people decided that it is the one.
    """

    stripe_id: str
    created: datetime | None
    live: bool
    winner: bool = False


class AttachedSubscription(Struct, frozen=True):
    """A subscription in scope of an attached Stripe customer.

    ``mrr`` is its contribution in US dollars a month, ``incomplete`` when that leaves something out. ``ends_at`` is
    when it is set to end; None when it goes on.
    """

    stripe_id: str
    customer_id: str
    status: str
    start_date: datetime
    mrr: Decimal
    plan: str
    plan_label: str
    incomplete: bool = False
    ends_at: datetime | None = None


class Summary(Struct, frozen=True, kw_only=True):
    """The five fields, the label of the plan and what they rest on.

    ``plan_label`` is without the "+3" of further live subscriptions, so that lists group by it; ``live_subscriptions``
    gives their number. ``primary_subscription`` is a Stripe id or empty. ``mrr`` is in US dollars a month, to the cent.
    """

    plan: str
    plan_label: str
    live_subscriptions: int
    mrr: Decimal
    payment_status: CustomerPaymentStatus
    billing_started_at: datetime | None
    stripe_customer_id: str
    primary_subscription: str


def summarise(
    customers: Sequence[AttachedCustomer], subscriptions: Sequence[AttachedSubscription], *, payment: PaymentStatus
) -> Summary:
    """Roll up everything attached to one customer; neither sequence needs an order.

    ``subscriptions`` are those in scope, ended ones included, of exactly these Stripe customers. With nothing
    attached the fields are empty, zero and none.
    """
    primary = primary_subscription(subscriptions)
    return Summary(
        plan=primary.plan if primary else "",
        plan_label=primary.plan_label if primary else "",
        live_subscriptions=sum(is_live(subscription.status) for subscription in subscriptions),
        mrr=to_cents(_counting_mrr(subscriptions)),
        payment_status=payment.status if customers else "none",
        billing_started_at=min((subscription.start_date for subscription in subscriptions), default=None),
        stripe_customer_id=primary_customer(customers, subscriptions),
        primary_subscription=primary.stripe_id if primary else "",
    )


def primary_subscription(subscriptions: Iterable[AttachedSubscription]) -> AttachedSubscription | None:
    """Return the live subscription that names the plan.

    Counting before trialing before other live ones; then the highest MRR, the earliest start and the smallest id.
    """
    live = [subscription for subscription in subscriptions if is_live(subscription.status)]
    if len(live) == 1:
        return live[0]
    return min(
        live,
        key=lambda each: (_standing(each.status), _counted(each).copy_negate(), each.start_date, each.stripe_id),
        default=None,
    )


def primary_customer(customers: Sequence[AttachedCustomer], subscriptions: Sequence[AttachedSubscription]) -> str:
    """Return the id of the Stripe customer that is shown, or an empty string.

    The winner if people decided; else live before ended-only; then the highest MRR, the oldest and the smallest id.
    """
    if len(customers) == 1:
        return customers[0].stripe_id

    def rank(customer: AttachedCustomer) -> tuple[bool, bool, Decimal, datetime, str]:
        mrr = _counting_mrr(each for each in subscriptions if each.customer_id == customer.stripe_id)
        return not customer.winner, not customer.live, mrr.copy_negate(), customer.created or _LAST, customer.stripe_id

    first = min(customers, key=rank, default=None)
    return first.stripe_id if first else ""


def _standing(status: str) -> int:
    if is_counting(status):
        return 0
    return 1 if status == "trialing" else 2


def _counted(subscription: AttachedSubscription) -> Decimal:
    """Return what a subscription adds, whatever figure it came with: only counting ones add anything."""
    return subscription.mrr if is_counting(subscription.status) else ZERO


def _counting_mrr(subscriptions: Iterable[AttachedSubscription]) -> Decimal:
    total = ZERO
    for subscription in subscriptions:
        total = EXACT.add(total, _counted(subscription))
    return total

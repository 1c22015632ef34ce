"""MRR at risk within 30 days (docs/rules.md section 8)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from integrations.stripe.rules.payment_status import CustomerPaymentStatus, PaymentStatus, Reason
from integrations.stripe.rules.risk import Risk, at_risk
from integrations.stripe.rules.summary import AttachedSubscription

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
INVOICED = NOW - timedelta(days=3)


def paying(status: CustomerPaymentStatus = "paid", *, created: datetime | None = INVOICED) -> PaymentStatus:
    return PaymentStatus(status=status, reason=Reason(why="", message="", created=created))


def a_sub(
    mrr: str = "10", *, ends_in: timedelta | None = None, status: str = "active", incomplete: bool = False
) -> AttachedSubscription:
    ends_at = NOW + ends_in if ends_in is not None else None
    stripe_id = f"sub_{mrr}_{status}_{ends_in}"
    return AttachedSubscription(
        stripe_id, "cus_1", status, NOW, Decimal(mrr), "", "", incomplete=incomplete, ends_at=ends_at
    )


def days(number: int) -> timedelta:
    return timedelta(days=number)


SECOND = timedelta(seconds=1)
NOTHING = Risk()


@dataclass
class Case:
    """A customer, and what of it is at risk."""

    name: str
    risk: Risk
    subscriptions: list[AttachedSubscription] = field(default_factory=list)
    payment: PaymentStatus = field(default_factory=paying)


def failing(mrr: str, *, at: datetime | None = INVOICED) -> Risk:
    return Risk(mrr=Decimal(mrr), reason="failing", at=at)


def ending(mrr: str, at: timedelta, later: timedelta | None = None) -> Risk:
    next_change_at = NOW + later - days(30) if later is not None else None
    return Risk(mrr=Decimal(mrr), reason="ending", at=NOW + at, next_change_at=next_change_at)


CASES = [
    Case("nothing attached", NOTHING),
    Case("nothing attached and failing", NOTHING, payment=paying("failing")),
    Case("going on and paid", NOTHING, [a_sub()]),
    Case("past due is not failing", NOTHING, [a_sub()], paying("past_due")),
    Case("a failing payment risks all", failing("30.00"), [a_sub("10"), a_sub("20")], paying("failing")),
    Case(
        "what ends and fails counts once", failing("30.00"), [a_sub("10"), a_sub("20", ends_in=days(5))],
        paying("failing"),
    ),
    Case("failing without an invoice", failing("10.00", at=None), [a_sub()], paying("failing", created=None)),
    Case("failing, and nothing counts", NOTHING, [a_sub(status="unpaid")], paying("failing")),
    Case("ends within 30 days", ending("10.00", days(5)), [a_sub("10", ends_in=days(5)), a_sub("20")]),
    Case("ends in 30 days to the second", ending("10.00", days(30)), [a_sub(ends_in=days(30))]),
    Case(
        "a second later it is not at risk yet", Risk(next_change_at=NOW + SECOND), [a_sub(ends_in=days(30) + SECOND)]
    ),
    Case("an end that has passed while it still counts", ending("10.00", days(-1)), [a_sub(ends_in=days(-1))]),
    Case(
        "one soon, one later", ending("10.00", days(5), later=days(40)),
        [a_sub("10", ends_in=days(5)), a_sub("20", ends_in=days(40))],
    ),
    Case(
        "the first end is shown", ending("30.00", days(5)),
        [a_sub("10", ends_in=days(9)), a_sub("20", ends_in=days(5))],
    ),
    Case("a trial that ends counts nothing", NOTHING, [a_sub("0", status="trialing", ends_in=days(5))]),
    Case("free of charge", NOTHING, [a_sub("0", ends_in=days(5))]),
    Case("incomplete, so it may be more", ending("0.00", days(5)), [a_sub("0", ends_in=days(5), incomplete=True)]),
    Case("ended", NOTHING, [a_sub(status="canceled", ends_in=days(5))]),
    Case(
        "thirds are rounded once", ending("25.00", days(1)),
        [a_sub("8.333333333333", ends_in=days(number)) for number in (1, 2, 3)],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_at_risk(case: Case) -> None:
    for order in permutations(case.subscriptions):
        assert at_risk(order, payment=case.payment, now=NOW) == case.risk

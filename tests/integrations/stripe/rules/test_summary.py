"""The five fields of a customer (docs/rules.md section 3)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations

import pytest

from integrations.stripe.rules.payment_status import PaymentStatus, Reason
from integrations.stripe.rules.summary import AttachedCustomer, AttachedSubscription, Summary, summarise

PAID = PaymentStatus(status="paid", reason=Reason(why="paid", message=""))


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def a_sub(
    stripe_id: str = "sub_1", *, status: str = "active", mrr: str = "10", start: int = 1, cus: str = "cus_1"
) -> AttachedSubscription:
    return AttachedSubscription(stripe_id, cus, status, day(start), Decimal(mrr), f"{stripe_id}_monthly", stripe_id)


def a_customer(
    stripe_id: str = "cus_1", *, created: int | None = 1, live: bool = True, winner: bool = False
) -> AttachedCustomer:
    return AttachedCustomer(stripe_id, day(created) if created else None, live, winner)


def summary(customers: list[AttachedCustomer], *subscriptions: AttachedSubscription) -> Summary:
    return summarise(customers, subscriptions, payment=PAID)


@dataclass
class Tie:
    """Two subscriptions of which the first must be primary."""

    name: str
    first: AttachedSubscription
    second: AttachedSubscription


@pytest.mark.parametrize(
    "tie",
    [
        Tie("counting before trialing", a_sub("sub_b", mrr="0"), a_sub("sub_a", status="trialing", mrr="99")),
        Tie("past due counts", a_sub("sub_b", status="past_due"), a_sub("sub_a", status="trialing")),
        Tie("trialing before other live", a_sub("sub_b", status="trialing"), a_sub("sub_a", status="paused")),
        Tie("an unknown status is live", a_sub("sub_b", status="hibernating"), a_sub("sub_a", status="canceled")),
        Tie("highest MRR", a_sub("sub_b", mrr="11", start=2), a_sub("sub_a", mrr="10", start=1)),
        Tie("earliest start", a_sub("sub_b", start=1), a_sub("sub_a", start=2)),
        Tie("smallest id", a_sub("sub_a"), a_sub("sub_b")),
        Tie("ids by code point", a_sub("sub_B"), a_sub("sub_a")),
    ],
    ids=lambda tie: tie.name,
)
def test_the_primary_subscription_names_the_plan(tie: Tie) -> None:
    for order in permutations((tie.first, tie.second)):
        found = summary([a_customer()], *order)
        assert (found.plan, found.plan_label, found.primary_subscription) == (
            tie.first.plan,
            tie.first.plan_label,
            tie.first.stripe_id,
        )


@pytest.mark.parametrize(
    ("first", "second", "subscriptions"),
    [
        (a_customer("cus_b", live=False, winner=True), a_customer("cus_a"), [a_sub(cus="cus_a")]),
        (a_customer("cus_b"), a_customer("cus_a", live=False), []),
        (a_customer("cus_b", created=2), a_customer("cus_a"), [a_sub(cus="cus_b")]),
        (a_customer("cus_b", created=1), a_customer("cus_a", created=2), []),
        (a_customer("cus_b", created=2), a_customer("cus_a", created=None), []),
        (a_customer("cus_a"), a_customer("cus_b"), []),
        (a_customer("cus_B"), a_customer("cus_a"), []),
    ],
    ids=["winner", "live", "highest MRR", "oldest", "unknown age last", "smallest id", "by code point"],
)
def test_the_primary_stripe_customer_is_shown(
    first: AttachedCustomer, second: AttachedCustomer, subscriptions: list[AttachedSubscription]
) -> None:
    for order in permutations((first, second)):
        assert summary(list(order), *subscriptions).stripe_customer_id == first.stripe_id


def test_nobody_has_won_unless_people_decided() -> None:
    assert AttachedCustomer("cus_1", None, live=True).winner is False


def test_mrr_adds_up_counting_subscriptions_of_all_customers_and_is_rounded_once() -> None:
    third = "8.333333333333"
    found = summary(
        [a_customer(), a_customer("cus_2")],
        a_sub("a", mrr=third),
        a_sub("b", mrr=third),
        a_sub("c", mrr=third, cus="cus_2"),
    )
    assert str(found.mrr) == "25.00"


def test_only_counting_subscriptions_add_to_mrr_whatever_figure_they_carry() -> None:
    found = summary(
        [a_customer()],
        a_sub("a", mrr="7"),
        a_sub("b", status="trialing", mrr="5"),
        a_sub("c", status="canceled", mrr="3"),
    )
    assert found.mrr == Decimal("7.00")


def test_live_subscriptions_are_counted_and_ended_ones_are_not() -> None:
    found = summary([a_customer()], a_sub("a"), a_sub("b", status="paused"), a_sub("c", status="canceled"))
    assert found.live_subscriptions == 2


def test_billing_started_with_the_earliest_subscription_ended_ones_included() -> None:
    assert summary(
        [a_customer()], a_sub("a", start=5), a_sub("b", status="canceled", start=3)
    ).billing_started_at == day(3)


def test_with_only_ended_subscriptions_plan_and_mrr_are_empty_and_the_rest_stays() -> None:
    assert summary([a_customer(live=False)], a_sub(status="canceled")) == Summary(
        plan="",
        plan_label="",
        live_subscriptions=0,
        mrr=Decimal("0.00"),
        payment_status="paid",
        billing_started_at=day(1),
        stripe_customer_id="cus_1",
        primary_subscription="",
    )


def test_with_nothing_attached_every_field_is_empty() -> None:
    found = summary([])
    assert (found.plan, str(found.mrr), found.payment_status, found.billing_started_at, found.stripe_customer_id) == (
        "",
        "0.00",
        "none",
        None,
        "",
    )

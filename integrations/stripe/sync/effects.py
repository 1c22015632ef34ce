"""What a decision would do to the headers: the real thing inside a savepoint, rolled back.

Preview and effect can never differ, since they are the same code on the same rows. Whatever the decision would announce
after its commit is dropped with the savepoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from customers.models import Customer, Status
from integrations.models import BillingSummary, MatchState, StripeConnection, StripeCustomer
from integrations.stripe.sync import derive
from integrations.stripe.sync.counts import Counts, count
from integrations.stripe.sync.decision_rows import Decided
from integrations.stripe.sync.match import ATTACHED


@dataclass(frozen=True, slots=True)
class HeaderState:
    """A customer with its five fields and flags, the summary behind them, and how many Stripe customers it has."""

    customer: Customer
    summary: BillingSummary | None
    stripe_customers: int

    @property
    def archived(self) -> bool:
        """Whether it is out of matching."""
        return self.customer.status == Status.ARCHIVED


@dataclass(frozen=True, slots=True)
class Effect:
    """One header before and after; ``before`` is None for a customer that the decision creates."""

    before: HeaderState | None
    after: HeaderState


@dataclass(frozen=True, slots=True)
class Effects:
    """Every header a decision touches, in the order of their ids, and the counts of the page."""

    headers: Sequence[Effect]
    before: Counts
    after: Counts


class _RolledBack(Exception):  # noqa: N818 (no error: it carries the outcome out of the savepoint)
    def __init__(self, headers: dict[int, HeaderState], after: Counts) -> None:
        self.headers = headers
        self.after = after
        super().__init__()


def effects(connection: StripeConnection, act: Callable[[], Iterable[Decided]]) -> Effects:
    """Let ``act`` decide, look at the headers, and take it all back. Raises what ``act`` raises."""
    with derive.lock(connection):
        before = count(connection)
        try:
            with transaction.atomic():
                touched = {number for decided in act() for number in decided.customer_ids}
                raise _RolledBack(headers(touched), count(connection))
        except _RolledBack as outcome:
            now = headers(outcome.headers)
            return Effects(
                headers=[Effect(now.get(number), after) for number, after in sorted(outcome.headers.items())],
                before=before,
                after=outcome.after,
            )


def headers(customer_ids: Iterable[int]) -> dict[int, HeaderState]:
    """The headers of these customers as they are now."""
    numbers = list(customer_ids)
    summaries = BillingSummary.objects.in_bulk(numbers)
    attached: dict[int, int] = dict.fromkeys(numbers, 0)
    rows = StripeCustomer.objects.filter(ATTACHED, customer_id__in=numbers, match_state=MatchState.MATCHED)
    for number in rows.values_list("customer_id", flat=True):
        if number is not None:
            attached[number] += 1
    return {
        customer.pk: HeaderState(customer, summaries.get(customer.pk), attached[customer.pk])
        for customer in Customer.objects.filter(pk__in=numbers)
    }

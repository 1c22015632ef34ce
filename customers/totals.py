"""The totals of a customer list: of everybody from the sums that are kept, of fewer by adding them up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import BooleanField, Count, ExpressionWrapper, Q, QuerySet, Sum

from customers import selectors
from customers.models import BillingFlag, CustomerTally, PaymentStatus
from customers.models.customer import CustomerQuerySet

KEPT_BY = {"status", "pay", "incomplete", "risk"}  # the filters that CustomerTally can tell apart


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over everything the filters find. ``at_least`` when a figure in it is incomplete.

    ``risk_unknown`` counts those of whom nobody has worked out yet what is at risk.
    """

    customers: int
    mrr: Decimal
    late_mrr: Decimal
    paid: int
    past_due: int
    failing: int
    without: int
    incomplete: int
    risk_mrr: Decimal
    at_risk: int
    risk_incomplete: int
    risk_unknown: int

    @property
    def at_least(self) -> bool:
        """Whether some customer's MRR leaves something out."""
        return self.incomplete > 0

    @property
    def risk_at_least(self) -> bool:
        """Whether more may be at risk than what is added up."""
        return self.risk_incomplete + self.risk_unknown > 0


class Kind(NamedTuple):
    """Customers that are alike in what the totals tell apart: how many, and how much of what."""

    payment_status: str
    incomplete: bool
    at_risk: bool
    risk_unknown: bool
    number: int
    mrr: Decimal
    risk_mrr: Decimal | None


def totals(parts: Sequence[CustomerQuerySet]) -> Totals:
    """Add up what a filter finds, in one query; its parts have nobody in common."""
    told_apart = {
        "is_incomplete": _is(Q(billing_flags__contains=[BillingFlag.INCOMPLETE])),
        "is_at_risk": _is(~Q(at_risk_reason="")),
        "is_unknown": _is(selectors.NOT_WORKED_OUT),
    }
    sums: dict[str, Any] = {"number": Count("pk"), "mrr_sum": Sum("mrr"), "risk_sum": Sum("mrr_at_risk")}
    first, *others = (
        part.order_by()
        .values("payment_status", **told_apart)
        .annotate(**sums)
        .values_list("payment_status", *told_apart, *sums)
        for part in parts
    )
    return _added(first.union(*others, all=True) if others else first)


def of_list(parts: Sequence[CustomerQuerySet], environment: str, chosen: dict[str, Any]) -> Totals:
    """The same for what these filters alone find in an environment: from the sums that are kept where they suffice.

    Those are as exact (:class:`CustomerTally`).
    """
    if not KEPT_BY.issuperset(chosen):
        return totals(parts)
    kept = CustomerTally.objects.filter(environment=environment, status__in=selectors.statuses_of(chosen))
    if pay := chosen.get("pay"):
        kept = kept.filter(payment_status__in=selectors.payment_statuses(pay))
    if chosen.get("incomplete"):
        kept = kept.filter(incomplete=True)
    if chosen.get("risk"):
        kept = kept.filter(at_risk=True)
    return _kept(kept)


def risk_totals(environment: str) -> Totals:
    """What is at risk in an environment, over the customers its list shows."""
    listed = CustomerTally.objects.filter(environment=environment, status__in=selectors.statuses_of({}))
    return _kept(listed.filter(Q(at_risk=True) | Q(risk_unknown=True)))


def _kept(found: QuerySet[CustomerTally]) -> Totals:
    kinds: Any = found.values("payment_status", "incomplete", "at_risk", "risk_unknown")
    return _added(kinds.values_list(*Kind._fields[:4], Sum("customers"), Sum("mrr"), Sum("risk_mrr")))


def _is(condition: Q) -> ExpressionWrapper:
    return ExpressionWrapper(condition, output_field=BooleanField())


def _added(rows: Iterable[tuple[Any, ...]]) -> Totals:
    """Add up the kinds of customers."""
    kinds = [kind for row in rows if (kind := Kind(*row)).number]

    def number(matches: Any) -> int:
        return sum(kind.number for kind in kinds if matches(kind))

    def paying(status: PaymentStatus) -> int:
        return number(lambda kind: kind.payment_status == status)

    late = (kind.mrr for kind in kinds if kind.payment_status in selectors.LATE)
    risk = (kind.risk_mrr or Decimal(0) for kind in kinds if kind.at_risk)
    return Totals(
        customers=number(lambda kind: True),
        mrr=sum((kind.mrr for kind in kinds), Decimal(0)),
        late_mrr=sum(late, Decimal(0)),
        paid=paying(PaymentStatus.PAID),
        past_due=paying(PaymentStatus.PAST_DUE),
        failing=paying(PaymentStatus.FAILING),
        without=paying(PaymentStatus.NONE),
        incomplete=number(lambda kind: kind.incomplete),
        risk_mrr=sum(risk, Decimal(0)),
        at_risk=number(lambda kind: kind.at_risk),
        risk_incomplete=number(lambda kind: kind.at_risk and kind.incomplete),
        risk_unknown=number(lambda kind: kind.risk_unknown),
    )

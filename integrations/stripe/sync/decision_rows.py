"""Writes decisions: the header with its set, a row per Stripe customer, the audit entries, and what follows from it.

Callers hold the connection's derive lock, so that decision, audit, match and roll-up are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import User

from customers.models import Activity, Customer, CustomerDomain
from integrations import audit as audit_log
from integrations.errors import IntegrationError
from integrations.models import (
    AuditAction,
    DecisionKind,
    MatchDecision,
    MatchDecisionMember,
    MemberEffect,
    StripeConnection,
    StripeCustomer,
)
from integrations.stripe.sync import derive

ORIGIN = "Decision"
"""The origin of every activity entry a decision causes; edits by people have another one, or none."""

REASON_LENGTH = 500
AUDITED_IDS = 50  # the decision itself names them all


@dataclass(frozen=True, slots=True)
class Member:
    """What is decided about one Stripe customer."""

    stripe_id: str
    effect: MemberEffect
    customer_id: int | None = None
    created: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was taken; ``customer_ids`` are the Pivotal customers it touched, ``changed`` their fields."""

    decision: MatchDecision
    customer_ids: frozenset[int]
    changed: dict[int, list[str]] = field(default_factory=dict)


def reason_of(text: str) -> str:
    """The reason as it is kept: trimmed, not empty, not endless. Raises IntegrationError."""
    reason = " ".join(text.replace("\x00", "").split())
    if not reason:
        raise IntegrationError("decision_refused", "A decision needs a reason.")
    if len(reason) > REASON_LENGTH:
        raise IntegrationError("decision_refused", f"A reason has at most {REASON_LENGTH} characters.")
    return reason


def write(
    connection: StripeConnection,
    *,
    kind: DecisionKind,
    stripe_ids: Iterable[str],
    customer_ids: Iterable[int],
    reason: str,
    actor: User | None,
    undoes: MatchDecision | None = None,
) -> MatchDecision:
    """Write the header: the set of Stripe and Pivotal customers it is taken on, who, and why."""
    decision = MatchDecision.objects.create(
        connection=connection,
        kind=kind,
        reason=reason_of(reason),
        actor=actor,
        stripe_customer_ids=sorted(set(stripe_ids)),
        customer_ids=sorted(set(customer_ids)),
        undoes=undoes,
    )
    details = {
        "decision": decision.pk,
        "reason": decision.reason,
        "stripe_customers": decision.stripe_customer_ids[:AUDITED_IDS],
        "number": len(decision.stripe_customer_ids),
    }
    if undoes is not None:
        details["undoes"] = undoes.pk
    audit_log.record(
        AuditAction.DECISION,
        actor=actor,
        connection=connection,
        subject=str(decision.get_kind_display()),
        details=details,
    )
    return decision


def add_members(decision: MatchDecision, members: Sequence[Member]) -> None:
    """Write a row per Stripe customer; a job adds its own in chunks."""
    MatchDecisionMember.objects.bulk_create(
        MatchDecisionMember(
            decision=decision,
            stripe_customer_id=member.stripe_id,
            effect=member.effect,
            customer_id=member.customer_id,
            created_customer=member.created,
        )
        for member in members
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What matching and roll-up did: the Pivotal customers touched, and the fields that changed by customer."""

    touched: frozenset[int]
    changed: dict[int, list[str]]


def settle(connection: StripeConnection, *, stripe_ids: Iterable[str], customer_ids: Iterable[int] = ()) -> Outcome:
    """Match and roll up what was decided about these Stripe customers.

    ``customer_ids`` are customers that were pinned to, made, archived or restored: their domains are matched again too.
    """
    named, targets = frozenset(stripe_ids), frozenset(customer_ids)
    before = on_customers(connection, named)
    changed = derive.rematch(
        connection,
        domains=domains_of(targets),
        customer_ids=targets,
        stripe_ids=named,
        decided=True,
        origin=ORIGIN,
    )
    return Outcome(frozenset({*targets, *before, *on_customers(connection, named), *changed}), changed)


def settled(
    decision: MatchDecision, *, stripe_ids: Iterable[str], customer_ids: Iterable[int] = (), actor: User | None
) -> Decided:
    """Settle one decision, and leave an entry on every Pivotal customer it touched."""
    outcome = settle(decision.connection, stripe_ids=stripe_ids, customer_ids=customer_ids)
    touched = outcome.touched | frozenset(decision.customer_ids)
    audit(decision, touched, actor=actor)
    return Decided(decision, touched, outcome.changed)


def audit(decision: MatchDecision, customer_ids: Iterable[int], *, actor: User | None) -> None:
    """One entry per customer: who decided what about how many Stripe customers, and why."""
    Activity.objects.bulk_create(
        Activity(
            customer=customer,
            actor=actor,
            actor_type=Activity.ActorType.USER,
            event_type=f"match.{decision.kind}",
            new=decision.reason,
            origin=ORIGIN,
        )
        for customer in Customer.objects.filter(pk__in=list(customer_ids)).order_by("pk")
    )


def on_customers(connection: StripeConnection, stripe_ids: Iterable[str]) -> set[int]:
    """The Pivotal customers these Stripe customers are on now."""
    rows = StripeCustomer.objects.filter(connection=connection, stripe_id__in=list(stripe_ids), customer__isnull=False)
    return {number for number in rows.values_list("customer_id", flat=True) if number is not None}


def domains_of(customer_ids: Iterable[int]) -> frozenset[str]:
    """Every domain of these customers."""
    numbers = list(customer_ids)
    own = Customer.objects.filter(pk__in=numbers).exclude(domain="").values_list("domain", flat=True)
    extra = CustomerDomain.objects.filter(customer_id__in=numbers).values_list("domain", flat=True)
    return frozenset({*own, *extra})

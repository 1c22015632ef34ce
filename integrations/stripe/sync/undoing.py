"""Undo: a decision that names the one it undoes; what that one created or restored goes as it came.

An undo may itself be undone, which puts the first decision in force again. A customer that a decision created, or
restored from the archive, is archived once no decision in force pins anything to it and nobody has edited it since:
then nothing but decisions made it. Stripe customers that joined it by its domain do not keep it, since they were
elsewhere before it came. Undoing the undo restores it.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db.models import Q

from customers import services
from customers.models import Activity, Customer, Status
from integrations.errors import IntegrationError
from integrations.models import DecisionKind, MatchDecision, MatchDecisionMember, MemberEffect, StripeConnection
from integrations.stripe.sync.decision_rows import ORIGIN, Decided, settled, write
from integrations.stripe.sync.in_force import in_force

STATUS_CHANGED = "customer.status_changed"


def undo(connection: StripeConnection, decision_id: int, *, reason: str, actor: User | None) -> Decided:
    """Undo a decision of the connection that is not undone yet. Raises IntegrationError. The caller holds the lock."""
    decision = MatchDecision.objects.filter(connection=connection, pk=decision_id).first()
    if decision is None:
        raise IntegrationError("decision_refused", "That decision does not belong to this connection.")
    if MatchDecision.objects.filter(undoes=decision).exists():
        raise IntegrationError("decision_refused", "That decision is undone already.")
    root = root_of(decision)
    written = write(
        connection,
        kind=DecisionKind.UNDO,
        stripe_ids=root.stripe_customer_ids,
        customer_ids=root.customer_ids,
        reason=reason,
        actor=actor,
        undoes=decision,
    )
    targets = set(root.members.filter(customer__isnull=False).values_list("customer_id", flat=True))
    follow(connection, root, {number for number in targets if number}, actor=actor)
    return settled(
        written,
        stripe_ids=root.members.values_list("stripe_customer_id", flat=True),
        customer_ids={number for number in targets if number},
        actor=actor,
    )


def root_of(decision: MatchDecision) -> MatchDecision:
    """The decision at the start of a chain of undos."""
    while decision.undoes is not None:
        decision = decision.undoes
    return decision


def follow(connection: StripeConnection, root: MatchDecision, targets: set[int], *, actor: User | None) -> None:
    """Archive or restore the customers a decision pinned to, now that it is no longer, or again, in force."""
    current = in_force(connection)
    customers = Customer.objects.filter(pk__in=targets, environment=connection.environment).order_by("pk")
    for customer in customers:
        if root.pk in current:
            if customer.status == Status.ARCHIVED and archived_by_decision(customer):
                services.update_customer(customer, actor=actor, origin=ORIGIN, status=Status.ACTIVE)
        elif customer.status != Status.ARCHIVED and owed_to_decisions(customer, current):
            services.update_customer(customer, actor=actor, origin=ORIGIN, status=Status.ARCHIVED)


def owed_to_decisions(customer: Customer, current: Iterable[int]) -> bool:
    """Whether only decisions made this customer what it is, and none of those in force pins to it."""
    if MatchDecisionMember.objects.filter(
        customer=customer, effect=MemberEffect.PINNED, decision_id__in=list(current)
    ).exists():
        return False
    entries = Activity.objects.filter(customer=customer)
    made = entries.filter(origin=ORIGIN).filter(
        Q(event_type="customer.created") | Q(event_type=STATUS_CHANGED, old=Status.ARCHIVED)
    )
    came = made.order_by("-pk").first()
    if came is None:
        return False
    by_people = entries.filter(pk__gt=came.pk, actor_type=Activity.ActorType.USER).exclude(origin=ORIGIN)
    return not by_people.exists()


def archived_by_decision(customer: Customer) -> bool:
    """Whether an undo put it into the archive, rather than a person."""
    changes = Activity.objects.filter(customer=customer, event_type=STATUS_CHANGED).order_by("-pk")
    newest = changes.first()
    return newest is not None and newest.origin == ORIGIN

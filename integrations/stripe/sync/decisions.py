"""What people decide about Stripe customers: kept merged, won, attached, linked, split, ignored, created, undone.

Each function is one transaction under the connection's derive lock: the scene is compared with what was seen, the
decision and its audit entries are written, and what it touches is matched and rolled up, so that the headers are right
at once (docs/rules.md section 2 "Decisions"). Ids of another connection or environment are refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.contrib.auth.models import User

from customers.models import Customer
from integrations.errors import IntegrationError
from integrations.models import (
    ConnectionState,
    DecisionKind,
    MatchDecision,
    MemberEffect,
    StripeConnection,
    StripeCustomer,
)
from integrations.stripe.sync import derive, undoing
from integrations.stripe.sync.decidable import (
    create_here,
    created_members,
    customer_here,
    customers_of,
    group_on,
    require,
    rows_here,
    target_of,
    waiting_on,
)
from integrations.stripe.sync.decision_rows import Decided, Member, add_members, audit, settle, settled, write
from integrations.stripe.sync.match import SEVERAL_CUSTOMERS, WINNER_ENDED
from integrations.stripe.sync.scene import Scene, compare, look


@contextmanager
def deciding(
    connection: StripeConnection,
    seen: Scene | None,
    *,
    stripe_ids: Iterable[str] = (),
    customer_ids: Iterable[int] = (),
) -> Iterator[None]:
    """The transaction of a decision: alone, connected, and on the scene that was ``seen`` (None: nobody looked).

    Raises ChangedError, and IntegrationError when the connection is disconnected.
    """
    with derive.lock(connection):
        if not StripeConnection.objects.filter(pk=connection.pk).exclude(state=ConnectionState.DISCONNECTED).exists():
            raise IntegrationError("decision_refused", "Stripe is disconnected, so nothing is matched.")
        if seen is not None:
            compare(connection, seen, look(connection, stripe_ids=stripe_ids, customer_ids=customer_ids))
        yield


def keep_merged(
    *, connection: StripeConnection, customer_ids: Collection[int], reason: str, actor: User | None, seen: Scene | None
) -> list[Decided]:
    """Acknowledge what meets on each of these customers, one decision per group."""
    with deciding(connection, seen, customer_ids=customer_ids):
        groups = [waiting_on(connection, customer_here(connection, number)) for number in sorted(set(customer_ids))]
        written = [_keep(connection, group, reason=reason, actor=actor) for group in groups]
        stripe_ids = [row.stripe_id for group in groups for row in group]
        outcome = settle(connection, stripe_ids=stripe_ids)
        for decision in written:
            audit(decision, decision.customer_ids, actor=actor)
        return [Decided(each, frozenset(each.customer_ids), outcome.changed) for each in written]


def _keep(
    connection: StripeConnection, group: Sequence[StripeCustomer], *, reason: str, actor: User | None
) -> MatchDecision:
    """Write one group; where its domain is on several customers, the set it is taken on holds all of them."""
    contested = any(row.ambiguous_kind == SEVERAL_CUSTOMERS for row in group)
    numbers = customers_of(group)
    decision = write(
        connection,
        kind=DecisionKind.KEEP_MERGED,
        stripe_ids=[row.stripe_id for row in group],
        customer_ids=look(connection, customer_ids=numbers).customers if contested else numbers,
        reason=reason,
        actor=actor,
    )
    add_members(decision, [Member(row.stripe_id, MemberEffect.ACKNOWLEDGED) for row in group])
    return decision


def winner(
    *,
    connection: StripeConnection,
    customer_id: int,
    stripe_id: str,
    reason: str,
    actor: User | None,
    seen: Scene | None,
) -> Decided:
    """Let one Stripe customer of the group win: the others are skipped while it is in the live set."""
    with deciding(connection, seen, customer_ids=[customer_id]):
        customer = customer_here(connection, customer_id)
        group = group_on(connection, customer)
        require({stripe_id}, group)
        if len(group) < 2 and group[0].match_reason != WINNER_ENDED:
            raise IntegrationError("decision_refused", "There is nobody to win over.")
        members = [
            Member(row.stripe_id, MemberEffect.WINS if row.stripe_id == stripe_id else MemberEffect.LOSES)
            for row in group
        ]
        return _decide(connection, DecisionKind.WINNER, members, customer_ids=[customer.pk], reason=reason, actor=actor)


def attach(
    *, connection: StripeConnection, customer_id: int, to_id: int, reason: str, actor: User | None, seen: Scene | None
) -> Decided:
    """Of several customers with one domain, attach the Stripe customers that wait on ``customer_id`` to ``to_id``."""
    with deciding(connection, seen, customer_ids=[customer_id]):
        customer = customer_here(connection, customer_id)
        target = target_of(connection, to_id, actor=actor, restore=False)
        group = [row for row in group_on(connection, customer) if row.ambiguous_kind == SEVERAL_CUSTOMERS]
        if not group:
            raise IntegrationError("decision_refused", "Its domain is no longer on several customers.")
        return _pin_all(
            connection, DecisionKind.ATTACH, group, target, others=[customer.pk], reason=reason, actor=actor
        )


def pin(
    *,
    connection: StripeConnection,
    stripe_ids: Collection[str],
    customer_id: int,
    reason: str,
    actor: User | None,
    seen: Scene | None,
    restore: bool = False,
) -> Decided:
    """Link Stripe customers to a Pivotal customer; an archived one only with ``restore``."""
    with deciding(connection, seen, stripe_ids=stripe_ids, customer_ids=[customer_id]):
        target = target_of(connection, customer_id, actor=actor, restore=restore)
        rows = rows_here(connection, stripe_ids)
        return _pin_all(connection, DecisionKind.PIN, rows, target, others=[], reason=reason, actor=actor)


def link_each(
    *,
    connection: StripeConnection,
    targets: Mapping[str, int],
    reason: str,
    actor: User | None,
    seen: Scene | None,
) -> Decided:
    """Link each Stripe customer to the Pivotal customer named for it, as one decision; archived ones are refused."""
    with deciding(connection, seen, stripe_ids=targets, customer_ids=targets.values()):
        rows = rows_here(connection, targets)
        found = {
            number: target_of(connection, number, actor=actor, restore=False)
            for number in sorted(set(targets.values()))
        }
        members = [Member(row.stripe_id, MemberEffect.PINNED, targets[row.stripe_id]) for row in rows]
        numbers = [*customers_of(rows), *found]
        return _decide(connection, DecisionKind.PIN, members, customer_ids=numbers, reason=reason, actor=actor)


def split(
    *,
    connection: StripeConnection,
    customer_id: int,
    stripe_ids: Collection[str],
    name: str,
    domain: str,
    reason: str,
    actor: User | None,
    seen: Scene | None,
) -> Decided:
    """Give the chosen Stripe customers a new Pivotal customer; every member is pinned, the rest to the old one.

    Raises ValidationError when the name or the domain of the new customer cannot be.
    """
    with deciding(connection, seen, customer_ids=[customer_id]):
        customer = customer_here(connection, customer_id)
        group = group_on(connection, customer)
        require(stripe_ids, group)
        chosen = set(stripe_ids)
        if not chosen or len(chosen) == len(group):
            raise IntegrationError("decision_refused", "Choose some of the Stripe customers, not none and not all.")
        created = create_here(connection, name=name, domain=domain, actor=actor)
        members = [
            Member(row.stripe_id, MemberEffect.PINNED, created.pk, created=True)
            if row.stripe_id in chosen
            else Member(row.stripe_id, MemberEffect.PINNED, customer.pk)
            for row in group
        ]
        numbers = [customer.pk, created.pk]
        return _decide(connection, DecisionKind.SPLIT, members, customer_ids=numbers, reason=reason, actor=actor)


def ignore(
    *, connection: StripeConnection, stripe_ids: Collection[str], reason: str, actor: User | None, seen: Scene | None
) -> Decided:
    """Skip these Stripe customers from now on."""
    with deciding(connection, seen, stripe_ids=stripe_ids):
        rows = rows_here(connection, stripe_ids)
        members = [Member(row.stripe_id, MemberEffect.IGNORED) for row in rows]
        return _decide(
            connection, DecisionKind.IGNORE, members, customer_ids=customers_of(rows), reason=reason, actor=actor
        )


def create_customers(
    *, connection: StripeConnection, stripe_ids: Collection[str], reason: str, actor: User | None, seen: Scene | None
) -> Decided:
    """Create Pivotal customers from Stripe customers, one per company domain, and link these to them.

    Named after the oldest Stripe customer on the domain; a personal address and a Stripe customer without a usable
    e-mail get one each. Raises ValidationError when one of them cannot be.
    """
    with deciding(connection, seen, stripe_ids=stripe_ids):
        rows = rows_here(connection, stripe_ids)
        members = created_members(connection, rows, actor=actor)
        numbers = [*customers_of(rows), *(member.customer_id for member in members if member.customer_id)]
        return _decide(connection, DecisionKind.PIN, members, customer_ids=numbers, reason=reason, actor=actor)


def undo(
    *,
    connection: StripeConnection,
    decision_id: int,
    reason: str,
    actor: User | None,
    seen: Scene | None,
) -> Decided:
    """Undo a decision, or an undo, by a new decision; what it created or restored goes as it came."""
    named = MatchDecision.objects.filter(connection=connection, pk=decision_id).first()
    stripe_ids = named.stripe_customer_ids if named else []
    with deciding(connection, seen, stripe_ids=stripe_ids):
        return undoing.undo(connection, decision_id, reason=reason, actor=actor)


# --- what they share ---------------------------------------------------------------------------------------------


def _decide(
    connection: StripeConnection,
    kind: DecisionKind,
    members: Sequence[Member],
    *,
    customer_ids: Iterable[int],
    reason: str,
    actor: User | None,
) -> Decided:
    stripe_ids = [member.stripe_id for member in members]
    decision = write(
        connection, kind=kind, stripe_ids=stripe_ids, customer_ids=customer_ids, reason=reason, actor=actor
    )
    add_members(decision, members)
    targets = {member.customer_id for member in members if member.customer_id is not None}
    return settled(decision, stripe_ids=stripe_ids, customer_ids=targets, actor=actor)


def _pin_all(
    connection: StripeConnection,
    kind: DecisionKind,
    rows: Sequence[StripeCustomer],
    target: Customer,
    *,
    others: Sequence[int],
    reason: str,
    actor: User | None,
) -> Decided:
    members = [Member(row.stripe_id, MemberEffect.PINNED, target.pk) for row in rows]
    numbers = [*others, *customers_of(rows), target.pk]
    return _decide(connection, kind, members, customer_ids=numbers, reason=reason, actor=actor)

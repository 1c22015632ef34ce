"""What a change to the list of personal domains would move: the real matcher in a savepoint, rolled back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from django.db import transaction

from customers.models import Customer, CustomerDomain
from customers.personal_domains import addresses_on
from integrations.models import MatchState, Standing, StripeCustomer
from integrations.stripe.sync import derive, match
from integrations.stripe.sync.announcements import connected
from integrations.stripe.sync.match import Subset


@dataclass(frozen=True, slots=True)
class Move:
    """So many Stripe customers of a mode go from one state to another."""

    mode: str
    before: str
    after: str
    number: int


@dataclass(frozen=True, slots=True)
class Moves:
    """Everything a change would do. ``addresses`` are customers whose whole address on the domain gets shorter."""

    moves: list[Move]
    stripe_customers: int
    addresses: int

    @property
    def moved(self) -> int:
        """How many Stripe customers change their state."""
        return sum(move.number for move in self.moves)


class _RolledBack(Exception):  # noqa: N818 (no error: it carries the outcome out of the savepoint)
    def __init__(self, moves: Moves) -> None:
        self.moves = moves
        super().__init__()


def preview(domain: str, change: Callable[[], None]) -> Moves:
    """Let ``change`` edit the list, match the domain again, and take everything back. Raises what ``change`` raises."""
    try:
        with ExitStack() as locks:
            connections = list(connected())
            for connection in connections:
                locks.enter_context(derive.lock(connection))
            with transaction.atomic():
                concerned = addresses(domain)
                before = {connection.pk: states(connection.pk, domain) for connection in connections}
                change()
                for connection in connections:
                    match.rematch(connection, Subset(domains=frozenset({domain})))
                moves = [
                    Move(connection.mode, old, new, number)
                    for connection in connections
                    for (old, new), number in moved(before[connection.pk], states(connection.pk, domain)).items()
                ]
                raise _RolledBack(
                    Moves(
                        moves=sorted(moves, key=lambda move: (move.mode, -move.number)),
                        stripe_customers=sum(len(each) for each in before.values()),
                        addresses=len(concerned - addresses(domain)),
                    )
                )
    except _RolledBack as outcome:
        return outcome.moves


def addresses(domain: str) -> set[tuple[type, int]]:
    """What is a whole address on the domain: customers and extra domains."""
    customers, aliases = addresses_on([domain])
    return {(Customer, number) for number in customers.values_list("pk", flat=True)} | {
        (CustomerDomain, number) for number in aliases.values_list("pk", flat=True)
    }


def states(connection_id: int, domain: str) -> dict[int, tuple[str, str]]:
    """State and reason of the live Stripe customers on the domain."""
    rows = StripeCustomer.objects.filter(
        connection=connection_id, email_domain=domain, standing=Standing.LIVE
    ).values_list("pk", "match_state", "match_reason")
    return {number: (state, reason) for number, state, reason in rows}


def moved(before: dict[int, tuple[str, str]], after: dict[int, tuple[str, str]]) -> Counter[tuple[str, str]]:
    """How many went from which state to which."""
    changes: Counter[tuple[str, str]] = Counter()
    for number, (state, _reason) in after.items():
        old = before[number][0]
        if old != state:
            changes[(str(MatchState(old).label), str(MatchState(state).label))] += 1
    return changes

"""Ambiguous groups: a Pivotal customer and the flagged Stripe customers on it, with what is at stake and what is new.

The page and Django admin list the same groups; a group is known by its Pivotal customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, DecimalField, Exists, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from integrations.models import (
    AmbiguousGroup,
    LastVisit,
    MatchDecision,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
)
from integrations.stripe.sync.in_force import effective
from integrations.stripe.sync.match import WINNER_ENDED
from integrations.stripe.sync.scope_sql import in_saved_scope

SITTING = timedelta(minutes=30)
"""Looks that are closer together than this are one visit."""


def flagged(connection: StripeConnection) -> QuerySet[StripeCustomer]:
    """The Stripe customers that wait for a decision."""
    return StripeCustomer.objects.filter(connection=connection, customer__isnull=False).exclude(ambiguous_kind="")


def groups(connection: StripeConnection) -> QuerySet[AmbiguousGroup]:
    """The groups, each with ``stake`` (exact MRR of its members), ``members``, ``since`` and ``newest``.

    ``since`` is when the oldest flag was raised, ``newest`` the last one.
    """
    mine = flagged(connection).filter(customer_id=OuterRef("pk")).order_by().values("customer_id")
    return AmbiguousGroup.objects.filter(Exists(flagged(connection).filter(customer_id=OuterRef("pk")))).annotate(
        stake=_stake(connection),
        members=Subquery(mine.annotate(count=Count("pk")).values("count")),
        since=Subquery(mine.annotate(at=Min("ambiguous_since")).values("at")),
        newest=Subquery(mine.annotate(at=Max("ambiguous_since")).values("at")),
    )


def _stake(connection: StripeConnection) -> Coalesce:
    members = flagged(connection).filter(customer_id=OuterRef(OuterRef("pk"))).values("stripe_id")
    of_group = StripeSubscription.objects.filter(
        in_saved_scope(connection), connection=connection, customer_id__in=members
    )
    total = of_group.order_by().values("connection").annotate(total=Sum("mrr")).values("total")
    money = DecimalField[Decimal, Decimal](max_digits=30, decimal_places=12)
    return Coalesce(Subquery(total, output_field=money), Value(Decimal(0), output_field=money))


def next_group(connection: StripeConnection, *, after: tuple[Decimal, int] | None = None) -> AmbiguousGroup | None:
    """The group to decide on next: the one behind ``after`` (stake and id) in the list, else the first of all."""
    waiting: Any = groups(connection)
    waiting = waiting.order_by("-stake", "pk")
    found: list[AmbiguousGroup] = []
    if after is not None:
        stake, number = after
        found += waiting.filter(Q(stake__lt=stake) | Q(stake=stake, pk__gt=number))[:1]
    found += waiting[:1]
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class News:
    """What is new in a group since the decision that was in force for it; ``decision`` is None when nobody decided.

    ``newcomers`` are Stripe customers outside the set it was taken on; ``winner_ended`` says that its winner left.
    """

    decision: MatchDecision | None
    newcomers: Sequence[StripeCustomer] = ()
    winner_ended: bool = False


def news(connection: StripeConnection, members: Mapping[int, Sequence[StripeCustomer]]) -> dict[int, News]:
    """What is new in each group, by its customer; two queries however many there are."""
    held = effective(connection, [row.stripe_id for rows in members.values() for row in rows])
    known = MatchDecision.objects.select_related("actor").in_bulk(list(set(held.values())))
    return {
        number: _news(rows, [known[held[row.stripe_id]] for row in rows if row.stripe_id in held])
        for number, rows in members.items()
    }


def _news(rows: Sequence[StripeCustomer], decisions: Sequence[MatchDecision]) -> News:
    newest = max(decisions, key=lambda decision: decision.pk, default=None)
    if newest is None:
        return News(None)
    known = set(newest.stripe_customer_ids)
    return News(
        newest,
        newcomers=[row for row in rows if row.stripe_id not in known],
        winner_ended=any(row.match_reason == WINNER_ENDED for row in rows),
    )


def decided_before(connection: StripeConnection) -> set[int]:
    """The groups that somebody decided on before and that changed since, by their customer."""
    rows = dict(flagged(connection).values_list("stripe_id", "customer_id"))
    return {number for stripe_id in effective(connection, rows) if (number := rows[stripe_id]) is not None}


def members_of(connection: StripeConnection, customer_ids: Iterable[int]) -> dict[int, list[StripeCustomer]]:
    """The flagged members of these groups, the oldest first."""
    found: dict[int, list[StripeCustomer]] = {}
    for row in flagged(connection).filter(customer_id__in=list(customer_ids)).order_by("created", "stripe_id"):
        if row.customer_id is not None:
            found.setdefault(row.customer_id, []).append(row)
    return found


def visit(user: User) -> datetime | None:
    """Note that somebody looks at the groups now; returns when the visit before this one ended, None for the first."""
    now = timezone.now()
    last, first_ever = LastVisit.objects.get_or_create(user=user, defaults={"at": now})
    if first_ever:
        return None
    if now - last.at > SITTING:
        last.previous_at = last.at
    last.at = now
    last.save(update_fields=["at", "previous_at"])
    return last.previous_at

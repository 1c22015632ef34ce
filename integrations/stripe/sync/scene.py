"""What a decision is about, as somebody saw it: looked at again in the transaction that decides.

A page carries the token of its scene through its forms. When members, their states, the Pivotal customers or the
decisions in force are no longer the same, nothing is decided, and the page says what changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import Max, Q

from customers.models import Customer
from integrations.errors import IntegrationError
from integrations.models import MatchDecision, Standing, StripeConnection, StripeCustomer
from integrations.stripe.sync.in_force import effective

SALT = "integrations.stripe.scene"


@dataclass(frozen=True, slots=True)
class Scene:
    """Stripe customers and Pivotal customers by id, each with what a decision about it depends on.

    ``newest`` is the newest decision that names one of the Stripe customers; 0 for none.
    """

    members: Mapping[str, str]
    customers: Mapping[int, str]
    newest: int

    @property
    def token(self) -> str:
        """The scene as a form carries it."""
        pairs = [list(self.members.items()), list(self.customers.items()), self.newest]
        return signing.dumps(pairs, salt=SALT, compress=True)

    @classmethod
    def parse(cls, token: str) -> Scene:
        """The scene a form brought back. Raises ChangedError for anything that is not a token of ours."""
        try:
            members, customers, newest = signing.loads(token, salt=SALT)
        except signing.BadSignature as error:
            raise ChangedError(Difference()) from error
        return cls(dict(members), dict(customers), newest)


@dataclass(frozen=True, slots=True)
class Difference:
    """What is no longer as it was seen: ids of Stripe customers, of Pivotal customers, and of newer decisions."""

    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    customers: tuple[int, ...] = ()
    decisions: tuple[int, ...] = ()


class ChangedError(IntegrationError):
    """Somebody or something was faster: the scene is no longer the one that was seen."""

    def __init__(self, difference: Difference) -> None:
        self.difference = difference
        super().__init__("group_changed")


def look(connection: StripeConnection, *, stripe_ids: Iterable[str] = (), customer_ids: Iterable[int] = ()) -> Scene:
    """The scene around these Stripe customers and around everything live on these Pivotal customers.

    Other customers that claim one of the domains belong to it. A constant number of queries.
    """
    named, asked = list(stripe_ids), set(customer_ids)
    rows = StripeCustomer.objects.filter(connection=connection).filter(
        Q(stripe_id__in=named) | Q(customer_id__in=asked, standing=Standing.LIVE)
    )
    found = {row["stripe_id"]: row for row in rows.values(*COLUMNS)}
    held = effective(connection, found)
    asked |= {row["customer_id"] for row in found.values() if row["customer_id"]}
    overlapping = MatchDecision.objects.filter(connection=connection, stripe_customer_ids__overlap=list(found))
    return Scene(
        members={stripe_id: _member(row, held.get(stripe_id, 0)) for stripe_id, row in sorted(found.items())},
        customers=_customers(connection, asked, _domains(found.values())),
        newest=overlapping.aggregate(newest=Max("pk"))["newest"] or 0 if found else 0,
    )


COLUMNS = (
    "stripe_id",
    "standing",
    "match_state",
    "match_reason",
    "customer_id",
    "winner",
    "ambiguous_kind",
    "email_domain",
    "email_address",
    "personal",
)


def _member(row: Mapping[str, Any], decision_id: int) -> str:
    """Everything about a Stripe customer that a decision depends on, as one text."""
    return "|".join(str(row[name]) for name in COLUMNS[1:]) + f"|{decision_id}"


def _domains(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    domains = {row["email_domain"] for row in rows} | {row["email_address"] for row in rows if row["personal"]}
    return domains - {""}


def _customers(connection: StripeConnection, asked: set[int], domains: set[str]) -> dict[int, str]:
    claiming = Q(environment=connection.environment) & (Q(domain__in=domains) | Q(domains__domain__in=domains))
    rows = Customer.objects.filter(Q(pk__in=asked) | claiming).distinct().order_by("pk")
    return {
        number: f"{domain}|{status}|{environment}"
        for number, domain, status, environment in rows.values_list("pk", "domain", "status", "environment")
    }


def compare(connection: StripeConnection, seen: Scene, now: Scene) -> None:
    """Let pass what is as it was seen. Raises ChangedError that says what is not."""
    if seen == now:
        return
    newer = MatchDecision.objects.filter(connection=connection, pk__gt=seen.newest)
    concerned = {*seen.members, *now.members}
    shared = {number for number in seen.customers if number in now.customers}
    raise ChangedError(
        Difference(
            joined=tuple(sorted(now.members.keys() - seen.members.keys())),
            left=tuple(sorted(seen.members.keys() - now.members.keys())),
            changed=tuple(
                sorted(each for each, state in now.members.items() if seen.members.get(each, state) != state)
            ),
            customers=tuple(
                sorted(
                    {number for number in shared if seen.customers[number] != now.customers[number]}
                    | (seen.customers.keys() ^ now.customers.keys())
                )
            ),
            decisions=tuple(
                newer.filter(stripe_customer_ids__overlap=list(concerned)).order_by("pk").values_list("pk", flat=True)
            ),
        )
    )

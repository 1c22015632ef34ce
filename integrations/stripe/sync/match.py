"""The only matcher: which Pivotal customer each Stripe customer belongs to, and why (docs/rules.md section 2).

Everything is decided by one query over the mirror, the customers' domains, the decisions in force, the scope and the
options, so any two workers give the same answer. The same query serves a preview: with other scope and options, and
without writing. Callers hold the connection's derive lock (``sync.derive``), which makes every write here single-file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Q

from customers.domains import PERSONAL_DOMAINS, is_personal
from customers.models import PersonalDomain
from integrations.models import MatchState, StripeConnection, StripeCustomer
from integrations.stripe.sync import match_sql, stakes
from integrations.stripe.sync.scope_sql import Scope

WINNER_ENDED = "winner_ended"
"""Reason and flag of a Stripe customer that lost to one whose billing has ended since: matched, but not attached."""

SEVERAL_CUSTOMERS = "several_customers"
"""Flag of a Stripe customer whose domain belongs to several Pivotal customers."""

ATTACHED = Q(match_state=MatchState.MATCHED) & ~Q(match_reason=WINNER_ENDED)
"""Stripe customers whose figures are their Pivotal customer's (docs/rules.md section 3)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What matching depends on beside the rows."""

    scope: Scope
    match_personal_emails: bool

    @classmethod
    def of(cls, connection: StripeConnection) -> Options:
        """The saved ones of a connection, read afresh: a run holds its connection for as long as a slice."""
        match_personal_emails = StripeConnection.objects.values_list("match_personal_emails", flat=True).get(
            pk=connection.pk
        )
        return cls(scope=Scope.of(connection), match_personal_emails=match_personal_emails)


@dataclass(frozen=True, slots=True)
class Subset:
    """Which Stripe customers to look at again; empty everywhere means none.

    ``domains`` holds whole personal addresses too.
    """

    domains: frozenset[str] = frozenset()
    customer_ids: frozenset[int] = frozenset()
    stripe_ids: frozenset[str] = frozenset()

    @property
    def parameters(self) -> dict[str, list[str] | list[int]]:
        """What ``CONCERNED`` refers to."""
        return {
            "stripe_ids": list(self.stripe_ids),
            "domains": list(self.domains),
            "address_domains": list({domain.rpartition("@")[2] for domain in self.domains if "@" in domain}),
            "customer_ids": list(self.customer_ids),
        }


def verdicts_sql(options: Options, *, everybody: bool = True) -> str:
    """The expressions up to ``verdicts``; for those of ``ids`` alone unless ``everybody``."""
    body = match_sql.VERDICTS.format(
        scope=options.scope.sql,
        subscriber="TRUE" if everybody else SUBSCRIBERS,
        candidate="TRUE" if everybody else "sc.id = ANY(%(ids)s::bigint[])",
    )
    return f"{owners_sql(everybody=everybody)}, {body}"


# A loser's verdict needs the standing of its winner, wherever that one is.
SUBSCRIBERS = """(
    s.customer_id = ANY(ARRAY(
        SELECT sc.stripe_id FROM integrations_stripecustomer sc WHERE sc.id = ANY(%(ids)s::bigint[])
    ))
    OR s.customer_id = ANY(ARRAY(SELECT w.stripe_id FROM winners w))
)"""


def owners_sql(*, everybody: bool) -> str:
    """The expressions for owners of domains and decisions in force."""
    owners = match_sql.OWNERS.format(
        owned_domain="TRUE" if everybody else f"c.domain{match_sql.ASKED_FOR}",
        owned_alias="TRUE" if everybody else f"d.domain{match_sql.ASKED_FOR}",
    )
    return f"WITH RECURSIVE {owners}, {match_sql.DECISIONS}"


def proposed_sql(options: Options) -> str:
    """The expressions up to ``proposed``: what the match columns of everybody would be with these options."""
    return (
        f"{verdicts_sql(options)}, placed AS (SELECT * FROM verdicts), {match_sql.FLAGS}"  # noqa: S608 - text of ours
        ", proposed AS (SELECT v.*, f.kind AS ambiguous_kind FROM verdicts v JOIN flagged f ON f.id = v.id)"
    )


def parameters(connection: StripeConnection, options: Options) -> dict[str, Any]:
    """What the statements refer to."""
    return {
        "connection": connection.pk,
        "environment": connection.environment,
        "match_personal_emails": options.match_personal_emails,
        **options.scope.parameters,
    }


@contextmanager
def set_wise() -> Iterator[None]:
    """A block of statements about everybody, planned without nested loops.

    The planner knows nothing about what a common table expression holds, and its statistics of the match columns are
    those from before the first match. Once it takes an input of thousands for one row, a nested loop is quadratic.
    """
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SELECT current_setting('enable_nestloop'), set_config('enable_nestloop', 'off', TRUE)")
        before = cursor.fetchone()[0]
        yield
        cursor.execute("SELECT set_config('enable_nestloop', %s, TRUE)", [before])


def rematch_all(connection: StripeConnection) -> None:
    """Match everybody again. Nobody is told whom that moved: all of them would not fit into memory."""
    classify(connection)
    options = Options.of(connection)
    values = parameters(connection, options)
    with set_wise(), database.cursor() as cursor:
        cursor.execute(verdicts_sql(options) + match_sql.APPLY, values)
        cursor.execute(flags_sql(), values)
        stakes.of_everybody(connection, options.scope)


def rematch(connection: StripeConnection, subset: Subset) -> set[int]:
    """Match a subset again; returns the Pivotal customers that something left, joined, or was flagged on.

    Whole groups get their flags anew, also the members outside the subset.
    """
    classify(connection, subset.domains)
    options = Options.of(connection)
    values = parameters(connection, options)
    touched: set[int] = set()
    with database.cursor() as cursor:
        cursor.execute(match_sql.CONCERNED, {**values, **subset.parameters})
        values["ids"] = [row_id for (row_id,) in cursor.fetchall()]
        if not values["ids"]:
            return touched
        cursor.execute(verdicts_sql(options, everybody=False) + match_sql.APPLY + match_sql.APPLIED, values)
        for pair in cursor.fetchall():
            touched |= {customer_id for customer_id in pair if customer_id is not None}
        stakes.of_rows(connection, options.scope, values["ids"])
        cursor.execute(match_sql.GROUPS_OF, {**values, "touched": sorted(touched)})
        values["ids"] = [row_id for (row_id,) in cursor.fetchall()]
        cursor.execute(flags_sql(everybody=False) + match_sql.FLAGGED, values)
        touched |= {customer_id for (customer_id,) in cursor.fetchall() if customer_id is not None}
    return touched


def flags_sql(*, everybody: bool = True) -> str:
    """The statement that writes the flags anew; of those of ``ids`` alone unless ``everybody``."""
    placed = match_sql.PLACED.format(candidate="TRUE" if everybody else "sc.id = ANY(%(ids)s::bigint[])")
    return f"{owners_sql(everybody=everybody)}, {placed}, {match_sql.FLAGS}{match_sql.APPLY_FLAGS}"


def classify(connection: StripeConnection, domains: Iterable[str] | None = None) -> None:
    """Bring ``personal`` in line with today's list, for these e-mail domains or for all."""
    overrides = PersonalDomain.objects.overrides()
    asked = PERSONAL_DOMAINS | overrides["added"] if domains is None else domains
    personal = {domain for domain in asked if is_personal(domain, **overrides)}
    known = StripeCustomer.objects.filter(connection=connection).exclude(email_domain="")
    if domains is not None:
        known = known.filter(email_domain__in=list(domains))
    known.filter(personal=False, email_domain__any=personal).update(personal=True)
    until_now = set(known.filter(personal=True).values_list("email_domain", flat=True).distinct())
    known.filter(personal=True, email_domain__any=until_now - personal).update(personal=False)


def attached_customers(connection: StripeConnection, stripe_ids: Iterable[str]) -> set[int]:
    """The Pivotal customers that these Stripe customers are on now."""
    rows = StripeCustomer.objects.filter(connection=connection, stripe_id__in=list(stripe_ids), customer__isnull=False)
    return {customer_id for customer_id in rows.values_list("customer_id", flat=True) if customer_id is not None}

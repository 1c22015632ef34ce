"""Which Pivotal customer a Stripe customer may belong to, with the evidence; never applied by itself.

Worked out for the rows a page shows or a job works on, in a number of queries that grows with neither them nor the
customers: domains and their parents by index, then whoever is on the same address or domain already, then names that
share a word. Sub-domains and names never match by themselves (docs/rules.md section 2.4 and 2.8).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.db import connection as database
from django.db.models import Q

from customers.domains import is_personal
from customers.models import PersonalDomain, Status
from customers.models.domain import Overrides
from integrations.models import StripeConnection, StripeCustomer
from integrations.stripe.rules import names
from integrations.stripe.sync import match_sql, similar_names

SHOWN = 3
NEIGHBOURS = 500
SUB_DOMAINS = 5
ABOUT = ("name", "domain", "status")


class Evidence(IntEnum):
    """What speaks for a suggestion, the strongest first."""

    LINKED_BEFORE = 1  # a decision links it to this customer, which cannot have it as it is now
    SAME_DOMAIN = 2  # the customer has the very domain or address: archived, or the row is skipped
    SAME_ADDRESS = 3  # another Stripe customer with the same e-mail address is on it
    SAME_COMPANY = 4  # another Stripe customer on the same company domain is on it
    PARENT_DOMAIN = 5  # eu.acme.com, and the customer has acme.com
    SUB_DOMAIN = 6  # acme.com, and the customer has eu.acme.com
    NAME = 7


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A customer, and why; ``detail`` is the domain, the address or the other Stripe customer it is about.

    ``score`` says how alike the names are, of 100. An archived customer can only be restored and linked.
    """

    customer_id: int
    name: str
    domain: str
    status: str
    evidence: Evidence
    detail: str = ""
    is_extra: bool = False
    score: int = 0

    @property
    def archived(self) -> bool:
        """Whether linking means restoring it first."""
        return self.status == Status.ARCHIVED


Found = dict[str, list[Suggestion]]

DOMAINS = """
WITH {first} asked AS (
    SELECT * FROM unnest(%(stripe_ids)s::text[], %(domains)s::text[], %(kinds)s::int[]) AS a(stripe_id, domain, kind)
), longer AS (
    SELECT * FROM unnest(%(companies)s::text[], %(first)s::text[], %(last)s::text[]) AS b(stripe_id, first, last)
), found AS (
    SELECT a.stripe_id, a.kind, c.id, a.domain AS detail, FALSE AS is_extra
    FROM asked a JOIN customers_customer c ON c.environment = %(environment)s AND c.domain = a.domain
    UNION ALL
    SELECT a.stripe_id, a.kind, d.customer_id, a.domain, TRUE
    FROM asked a JOIN customers_customerdomain d ON d.environment = %(environment)s AND d.domain = a.domain
    UNION ALL
    SELECT b.stripe_id, %(sub_domain)s, c.id, c.domain, FALSE
    FROM longer b CROSS JOIN LATERAL (
        SELECT id, domain FROM customers_customer
        WHERE environment = %(environment)s AND reverse(domain) >= b.first AND reverse(domain) < b.last
        ORDER BY reverse(domain) LIMIT %(sub_domains)s
    ) c
    UNION ALL
    SELECT b.stripe_id, %(sub_domain)s, d.customer_id, d.domain, TRUE
    FROM longer b CROSS JOIN LATERAL (
        SELECT customer_id, domain FROM customers_customerdomain
        WHERE environment = %(environment)s AND reverse(domain) >= b.first AND reverse(domain) < b.last
        ORDER BY reverse(domain) LIMIT %(sub_domains)s
    ) d
    {further}
)
SELECT f.stripe_id, f.id, c.name, c.domain, c.status, f.kind, f.detail, f.is_extra
FROM found f JOIN customers_customer c ON c.id = f.id AND c.environment = %(environment)s
ORDER BY f.stripe_id, f.kind, length(f.detail) DESC, f.id
"""

# The customers that decisions link rows to, where those cannot have them.
DECISIONS = f"RECURSIVE {match_sql.DECISIONS},"
SUSPENDED = """UNION ALL
    SELECT d.stripe_id, %(linked_before)s, d.pinned_id, '', FALSE FROM decided d
    WHERE d.stripe_id = ANY(%(suspended)s) AND d.pinned_id IS NOT NULL"""


def suggest(connection: StripeConnection, rows: Sequence[StripeCustomer]) -> Found:
    """Suggestions by Stripe id, the strongest first, at most three each; four queries."""
    found: dict[str, dict[int, Suggestion]] = defaultdict(dict)
    if not rows:
        return {}
    overrides = PersonalDomain.objects.overrides()
    sources = (
        by_domain(connection, rows, overrides),
        by_neighbour(connection, rows),
        by_name(connection, rows),
    )
    for source in sources:
        for stripe_id, suggestion in source:
            known = found[stripe_id].get(suggestion.customer_id)
            if known is None or order(suggestion) < order(known):
                found[stripe_id][suggestion.customer_id] = suggestion
    return {stripe_id: sorted(each.values(), key=order)[:SHOWN] for stripe_id, each in found.items()}


def order(suggestion: Suggestion) -> tuple[int, int, int, bool, int]:
    """Strongest first: the nearest parent, the most alike name; then those that are not archived, then the oldest."""
    nearness = len(suggestion.detail) if suggestion.evidence == Evidence.PARENT_DOMAIN else 0
    return (suggestion.evidence, -suggestion.score, -nearness, suggestion.archived, suggestion.customer_id)


def first_to_link(suggestions: Iterable[Suggestion]) -> Suggestion | None:
    """The strongest one that can be linked as it is."""
    return next((each for each in suggestions if not each.archived), None)


def by_domain(
    connection: StripeConnection, rows: Sequence[StripeCustomer], overrides: Overrides
) -> list[tuple[str, Suggestion]]:
    """Customers that a decision names, or with the very domain, a parent of it, or a sub-domain of it."""
    suspended = [row.stripe_id for row in rows if row.match_reason == "pin_suspended"]
    asked: list[tuple[str, str, int]] = []
    companies: list[tuple[str, str]] = []
    for row in rows:
        if row.personal:
            asked.append((row.stripe_id, row.email_address, Evidence.SAME_DOMAIN))
        elif row.email_domain:
            asked.append((row.stripe_id, row.email_domain, Evidence.SAME_DOMAIN))
            asked += [
                (row.stripe_id, parent, Evidence.PARENT_DOMAIN)
                for parent in parents(row.email_domain)
                if not is_personal(parent, **overrides)
            ]
            companies.append((row.stripe_id, row.email_domain[::-1]))
    values: dict[str, Any] = {
        "environment": connection.environment,
        "stripe_ids": [stripe_id for stripe_id, _domain, _kind in asked],
        "domains": [domain for _stripe_id, domain, _kind in asked],
        "kinds": [int(kind) for _stripe_id, _domain, kind in asked],
        "companies": [stripe_id for stripe_id, _backwards in companies],
        "first": [f"{backwards}." for _stripe_id, backwards in companies],
        "last": [f"{backwards}/" for _stripe_id, backwards in companies],  # the character behind the dot
        "sub_domain": int(Evidence.SUB_DOMAIN),
        "sub_domains": SUB_DOMAINS,
        "connection": connection.pk,
        "suspended": suspended,
        "linked_before": int(Evidence.LINKED_BEFORE),
    }
    # Only rows that need them make it read the decisions.
    sql = DOMAINS.format(first=DECISIONS if suspended else "", further=SUSPENDED if suspended else "")
    with database.cursor() as cursor:
        cursor.execute(sql, values)
        return [
            (stripe_id, Suggestion(number, name, domain, status, Evidence(kind), detail, is_extra))
            for stripe_id, number, name, domain, status, kind, detail, is_extra in cursor.fetchall()
        ]


def parents(domain: str) -> list[str]:
    """The domains above one that have a dot themselves, the nearest first.

    Without the list of public suffixes ``acme.co.uk`` has the parent ``co.uk``; that is harmless, since only domains
    which customers really have are looked up, and nobody's is a suffix.
    """
    labels = domain.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels) - 1)]


def by_neighbour(connection: StripeConnection, rows: Sequence[StripeCustomer]) -> list[tuple[str, Suggestion]]:
    """Customers that another Stripe customer with the same address, or on the same company domain, is on."""
    by_address: dict[str, list[str]] = defaultdict(list)
    by_company: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.email_address:
            by_address[row.email_address].append(row.stripe_id)
        if row.email_domain and not row.personal:
            by_company[row.email_domain].append(row.stripe_id)
    neighbours = (
        StripeCustomer.objects.filter(
            Q(email_address__in=list(by_address)) | Q(email_domain__in=list(by_company)),
            connection=connection,
            customer__environment=connection.environment,
            email_domain__in={row.email_domain for row in rows if row.email_domain},
        )
        .order_by("email_domain", "customer_id", "stripe_id")
        .select_related("customer")
        .only(
            "email_address", "email_domain", "name", "email", "customer__name", "customer__domain", "customer__status"
        )
    )
    found: list[tuple[str, Suggestion]] = []
    for neighbour in neighbours[:NEIGHBOURS]:
        customer = neighbour.customer
        if customer is None:
            continue
        about = (customer.pk, customer.name, customer.domain, customer.status)
        for stripe_id in by_address.get(neighbour.email_address, ()):
            found.append((stripe_id, Suggestion(*about, Evidence.SAME_ADDRESS, neighbour.email_address)))
        for stripe_id in by_company.get(neighbour.email_domain, ()):
            label = neighbour.name or neighbour.email
            found.append((stripe_id, Suggestion(*about, Evidence.SAME_COMPANY, label)))
    return found


def by_name(connection: StripeConnection, rows: Sequence[StripeCustomer]) -> list[tuple[str, Suggestion]]:
    """Customers with a similar name: those that share a word, or two that stand together, are scored."""
    asked = {row.stripe_id: similar_names.queries_of(row.name) for row in rows}
    candidates = similar_names.find(connection.environment, {query for each in asked.values() for query in each})
    plain = {each: names.plain(each.name) for found in candidates.values() for each in found}
    suggestions: list[tuple[str, Suggestion]] = []
    for row in rows:
        own = names.plain(row.name)
        for each in {each for query in asked[row.stripe_id] for each in candidates.get(query, ())}:
            score = names.score(own, plain[each])
            if score >= names.ALIKE:
                suggestions.append((row.stripe_id, Suggestion(*each, Evidence.NAME, score=score)))
    return suggestions

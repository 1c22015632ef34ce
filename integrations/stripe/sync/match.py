"""The only matcher: which Pivotal customer each Stripe customer belongs to, and why (docs/rules.md section 2).

Everything is decided by one query over the mirror, the customers' domains, the decisions in force, the scope and the
options, so any two workers give the same answer. The same query serves a preview: with other scope and options, and
without writing. Callers hold the connection's derive lock (``sync.derive``), which makes every write here single-file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection as database

from integrations.models import StripeConnection
from integrations.stripe.sync.scope_sql import Scope


@dataclass(frozen=True, slots=True)
class Options:
    """What matching depends on beside the rows."""

    scope: Scope
    match_personal_emails: bool

    @classmethod
    def of(cls, connection: StripeConnection) -> Options:
        """The saved ones of a connection."""
        return cls(scope=Scope.of(connection), match_personal_emails=connection.match_personal_emails)


@dataclass(frozen=True, slots=True)
class Subset:
    """Which Stripe customers to look at again; empty everywhere means none."""

    domains: frozenset[str] = frozenset()
    customer_ids: frozenset[int] = frozenset()
    stripe_ids: frozenset[str] = frozenset()

    @property
    def sql(self) -> str:
        """A condition on a Stripe customer row called ``sc``."""
        return """(
            sc.stripe_id = ANY(%(stripe_ids)s) OR sc.email_domain = ANY(%(domains)s)
            OR (sc.personal AND sc.email_address = ANY(%(domains)s)) OR sc.customer_id = ANY(%(customer_ids)s)
            OR sc.stripe_id IN (
                SELECT m.stripe_customer_id FROM integrations_matchdecisionmember m
                WHERE m.customer_id = ANY(%(customer_ids)s)
            )
        )"""

    @property
    def parameters(self) -> dict[str, list[str] | list[int]]:
        """What :attr:`sql` refers to."""
        return {
            "stripe_ids": list(self.stripe_ids),
            "domains": list(self.domains),
            "customer_ids": list(self.customer_ids),
        }


# Domains and aliases of the environment; archived customers own none. Of several owners of a domain the smallest id
# that is not churned gets the Stripe customer, all churned: the smallest id.
OWNERS = """
keys AS (
    SELECT c.id AS customer_id, c.domain, c.status
    FROM customers_customer c
    WHERE c.environment = %(environment)s AND c.status <> 'archived' AND c.domain <> ''
    UNION
    SELECT d.customer_id, d.domain, c.status
    FROM customers_customerdomain d JOIN customers_customer c ON c.id = d.customer_id
    WHERE c.environment = %(environment)s AND c.status <> 'archived'
), owners AS (
    SELECT domain, (array_agg(customer_id ORDER BY (status = 'churned'), customer_id))[1] AS customer_id,
           array_agg(DISTINCT customer_id) AS customer_ids
    FROM keys GROUP BY domain
)"""

DECIDED = """
in_force AS (
    SELECT d.id, d.kind, d.stripe_customer_ids, d.customer_ids
    FROM integrations_matchdecision d
    WHERE d.connection_id = %(connection)s AND d.kind <> 'undo'
      AND NOT EXISTS (SELECT 1 FROM integrations_matchdecision u WHERE u.undoes_id = d.id)
), decided AS (
    SELECT DISTINCT ON (m.stripe_customer_id) m.stripe_customer_id, m.effect, m.customer_id,
           (c.id IS NOT NULL AND c.status <> 'archived' AND c.environment = %(environment)s) AS reachable
    FROM integrations_matchdecisionmember m
    JOIN in_force d ON d.id = m.decision_id
    LEFT JOIN customers_customer c ON c.id = m.customer_id
    ORDER BY m.stripe_customer_id, d.id DESC
)"""

VERDICTS = """
standing AS (
    SELECT s.customer_id AS stripe_id, CASE WHEN bool_or(s.live) THEN 'live' ELSE 'ended' END AS standing
    FROM integrations_stripesubscription s
    WHERE s.connection_id = %(connection)s AND {scope} {of_subset}
    GROUP BY s.customer_id
), candidates AS (
    SELECT sc.id, sc.stripe_id, coalesce(st.standing, '') AS standing, sc.deleted, sc.personal, sc.email_domain,
           de.effect, de.customer_id AS pinned_id, coalesce(de.reachable, FALSE) AS reachable,
           CASE WHEN sc.personal AND by_address.customer_id IS NOT NULL THEN by_address.customer_id
                WHEN NOT sc.personal OR %(match_personal_emails)s THEN by_domain.customer_id END AS joined_id
    FROM integrations_stripecustomer sc
    LEFT JOIN standing st ON st.stripe_id = sc.stripe_id
    LEFT JOIN decided de ON de.stripe_customer_id = sc.stripe_id
    LEFT JOIN owners by_domain ON by_domain.domain = sc.email_domain AND sc.email_domain <> ''
    LEFT JOIN owners by_address
      ON by_address.domain = sc.email_address AND sc.personal AND %(match_personal_emails)s
    WHERE sc.connection_id = %(connection)s AND {subset}
), verdicts AS (
    SELECT id, stripe_id, standing, coalesce(effect = 'wins', FALSE) AS winner,
        CASE
            WHEN standing = '' THEN ''
            WHEN effect = 'pinned' AND reachable THEN 'matched'
            WHEN effect = 'pinned' THEN 'unmatched'
            WHEN effect IN ('ignored', 'loses') OR deleted OR email_domain = '' THEN 'skipped'
            WHEN personal AND NOT %(match_personal_emails)s THEN 'skipped'
            WHEN joined_id IS NULL THEN 'unmatched'
            ELSE 'matched'
        END AS match_state,
        CASE
            WHEN standing = '' THEN ''
            WHEN effect = 'pinned' AND reachable THEN 'pinned'
            WHEN effect = 'pinned' THEN 'pin_suspended'
            WHEN effect IN ('ignored', 'loses') THEN 'ignored'
            WHEN deleted THEN 'deleted'
            WHEN email_domain = '' THEN 'no_email'
            WHEN personal AND NOT %(match_personal_emails)s THEN 'personal_email'
            WHEN joined_id IS NULL AND personal THEN 'personal_no_customer'
            WHEN joined_id IS NULL THEN 'no_customer'
            ELSE 'domain'
        END AS match_reason,
        CASE
            WHEN standing = '' THEN NULL
            WHEN effect = 'pinned' THEN CASE WHEN reachable THEN pinned_id END
            WHEN effect IN ('ignored', 'loses') OR deleted OR email_domain = ''
                 OR (personal AND NOT %(match_personal_emails)s) THEN NULL
            ELSE joined_id
        END AS customer_id
    FROM candidates
)"""

APPLY = """
, changed AS (
    SELECT v.*, sc.customer_id AS old_customer_id
    FROM verdicts v JOIN integrations_stripecustomer sc ON sc.id = v.id
    WHERE (sc.standing, sc.match_state, sc.match_reason, sc.customer_id, sc.winner)
          IS DISTINCT FROM (v.standing, v.match_state, v.match_reason, v.customer_id, v.winner)
)
UPDATE integrations_stripecustomer AS sc
SET standing = changed.standing, match_state = changed.match_state, match_reason = changed.match_reason,
    customer_id = changed.customer_id, winner = changed.winner
FROM changed WHERE sc.id = changed.id
RETURNING changed.old_customer_id, changed.customer_id
"""

# Kind several_customers: one domain on two or more Pivotal customers, whoever got it. Kind shared_domain: two or more
# Stripe customers of the live set on one Pivotal customer. A decision in force clears the flag for the set it was taken
# on and every smaller one; a group whose members are all pinned is not flagged. When a winner's billing has ended while a
# loser is still live, the flag returns on the loser.
FLAGS = """
, members AS (
    SELECT customer_id, array_agg(stripe_id) AS stripe_ids, count(*) AS number,
           bool_and(match_reason = 'pinned') AS all_pinned
    FROM integrations_stripecustomer
    WHERE connection_id = %(connection)s AND standing = 'live' AND match_state = 'matched'
    GROUP BY customer_id
), merged AS (
    SELECT g.customer_id FROM members g
    WHERE g.number > 1 AND NOT g.all_pinned AND NOT EXISTS (
        SELECT 1 FROM in_force d
        WHERE d.kind IN ('keep_merged', 'winner', 'split') AND g.customer_id = ANY(d.customer_ids)
          AND g.stripe_ids::text[] <@ d.stripe_customer_ids::text[]
    )
), abandoned AS (
    SELECT DISTINCT loser.stripe_customer_id
    FROM decided loser
    JOIN integrations_matchdecisionmember lost
      ON lost.stripe_customer_id = loser.stripe_customer_id AND lost.effect = 'loses'
    JOIN in_force d ON d.id = lost.decision_id
    JOIN integrations_matchdecisionmember won ON won.decision_id = d.id AND won.effect = 'wins'
    LEFT JOIN integrations_stripecustomer winner
      ON winner.connection_id = %(connection)s AND winner.stripe_id = won.stripe_customer_id
         AND winner.standing = 'live'
    WHERE loser.effect = 'loses' AND winner.id IS NULL
), wanted AS (
    SELECT sc.id, sc.customer_id,
        CASE
            WHEN sc.standing <> 'live' THEN ''
            WHEN sc.match_reason = 'domain' AND cardinality(ow.customer_ids) > 1 AND NOT EXISTS (
                SELECT 1 FROM in_force d
                WHERE d.kind = 'keep_merged' AND sc.stripe_id = ANY(d.stripe_customer_ids)
                  AND ow.customer_ids <@ d.customer_ids
            ) THEN 'several_customers'
            WHEN sc.match_state = 'matched' AND merged.customer_id IS NOT NULL THEN 'shared_domain'
            WHEN abandoned.stripe_customer_id IS NOT NULL THEN 'winner_ended'
            ELSE ''
        END AS kind
    FROM integrations_stripecustomer sc
    LEFT JOIN owners ow ON ow.domain = sc.email_domain AND sc.email_domain <> ''
    LEFT JOIN merged ON merged.customer_id = sc.customer_id
    LEFT JOIN abandoned ON abandoned.stripe_customer_id = sc.stripe_id
    WHERE sc.connection_id = %(connection)s AND {concerned}
)
UPDATE integrations_stripecustomer AS sc
SET ambiguous_kind = wanted.kind,
    ambiguous_since = CASE WHEN wanted.kind = '' THEN NULL
                           WHEN sc.ambiguous_kind = '' THEN clock_timestamp() ELSE sc.ambiguous_since END
FROM wanted WHERE sc.id = wanted.id AND sc.ambiguous_kind <> wanted.kind
RETURNING wanted.customer_id
"""


def verdicts_sql(options: Options, subset: Subset | None) -> str:
    """The CTEs up to ``verdicts``; scope and subset are conditions of ours, values go in as parameters."""
    of_subset = ""
    if subset is not None:
        of_subset = (
            "AND s.customer_id IN (SELECT sc.stripe_id FROM integrations_stripecustomer sc"
            f" WHERE sc.connection_id = %(connection)s AND {subset.sql})"
        )
    body = VERDICTS.format(scope=options.scope.sql, of_subset=of_subset, subset=subset.sql if subset else "TRUE")
    return f"WITH {OWNERS}, {DECIDED}, {body}"


def parameters(connection: StripeConnection, options: Options, subset: Subset | None) -> dict[str, object]:
    """What the statements refer to."""
    return {
        "connection": connection.pk,
        "environment": connection.environment,
        "match_personal_emails": options.match_personal_emails,
        **options.scope.parameters,
        **(subset.parameters if subset else {}),
    }


def rematch(connection: StripeConnection, subset: Subset | None = None) -> set[int]:
    """Match again, all or a subset; returns the Pivotal customers that something left, joined, or was flagged on.

    Whole groups get their flags anew, also the members outside the subset.
    """
    options = Options.of(connection)
    values = parameters(connection, options, subset)
    touched: set[int] = set()
    with database.cursor() as cursor:
        cursor.execute(verdicts_sql(options, subset) + APPLY, values)
        for old, new in cursor.fetchall():
            touched |= {customer_id for customer_id in (old, new) if customer_id is not None}
        concerned = "TRUE"
        if subset is not None:
            values["touched"] = sorted(touched | set(subset.customer_ids))
            concerned = f"(sc.customer_id = ANY(%(touched)s) OR {subset.sql})"
        cursor.execute(f"WITH {OWNERS}, {DECIDED}" + FLAGS.format(concerned=concerned), values)
        touched |= {customer_id for (customer_id,) in cursor.fetchall() if customer_id is not None}
    return touched


def attached_customers(connection: StripeConnection, stripe_ids: Iterable[str]) -> set[int]:
    """The Pivotal customers that these Stripe customers are attached to now."""
    from integrations.models import StripeCustomer

    rows = StripeCustomer.objects.filter(connection=connection, stripe_id__in=list(stripe_ids), customer__isnull=False)
    return {customer_id for customer_id in rows.values_list("customer_id", flat=True) if customer_id is not None}

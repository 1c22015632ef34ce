"""Matched, unmatched, skipped and ambiguous, over the live set of today's mirror (docs/rules.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection as database

from integrations.models import StripeConnection
from integrations.stripe.sync import match
from integrations.stripe.sync.match import Options
from integrations.stripe.sync.scope_sql import Scope

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Counts:
    """matched + unmatched + skipped + failed = stripe_customers; ambiguous is a part of matched.

    ``failed`` are Stripe customers with an open error, counted nowhere else. ``customers`` are the Pivotal customers that
    matched ones are on, ``subscriptions`` the live ones in scope. Sums are USD a month.
    """

    stripe_customers: int = 0
    matched: int = 0
    unmatched: int = 0
    skipped: int = 0
    ambiguous: int = 0
    failed: int = 0
    skipped_by_reason: dict[str, int] = field(default_factory=dict)
    unmatched_by_reason: dict[str, int] = field(default_factory=dict)
    ambiguous_groups: int = 0
    customers: int = 0
    subscriptions: int = 0
    matched_mrr: Decimal = ZERO
    unmatched_mrr: Decimal = ZERO
    skipped_mrr: Decimal = ZERO
    ambiguous_mrr: Decimal = ZERO


SAVED = """
WITH verdicts AS (
    SELECT stripe_id, standing, match_state, match_reason, customer_id, ambiguous_kind, email_domain
    FROM integrations_stripecustomer WHERE connection_id = %(connection)s AND standing = 'live'
)
"""

# A customer with an open error counts as failed, also when nothing of it is in the live set.
COUNT = """
, broken AS (
    SELECT DISTINCT coalesce(nullif(stripe_customer_id, ''), object_id) AS stripe_id
    FROM integrations_syncissue
    WHERE connection_id = %(connection)s AND state = 'open' AND severity = 'error'
), figures AS (
    SELECT s.customer_id AS stripe_id, sum(s.mrr) AS mrr, count(*) FILTER (WHERE s.live) AS live
    FROM integrations_stripesubscription s
    WHERE s.connection_id = %(connection)s AND {scope}
    GROUP BY s.customer_id
), judged AS (
    SELECT v.*, (b.stripe_id IS NOT NULL) AS failed, coalesce(f.mrr, 0) AS mrr, coalesce(f.live, 0) AS live
    FROM verdicts v
    LEFT JOIN broken b ON b.stripe_id = v.stripe_id
    LEFT JOIN figures f ON f.stripe_id = v.stripe_id
    WHERE v.standing = 'live'
)
SELECT CASE WHEN failed THEN 'failed' ELSE match_state END, match_reason, count(*), sum(mrr), sum(live),
       count(*) FILTER (WHERE ambiguous_kind <> '' AND NOT failed),
       coalesce(sum(mrr) FILTER (WHERE ambiguous_kind <> '' AND NOT failed), 0)
FROM judged GROUP BY 1, 2
"""

TOTALS = """
SELECT (SELECT count(DISTINCT customer_id) FROM judged WHERE match_state = 'matched' AND NOT failed),
       (SELECT count(DISTINCT CASE WHEN ambiguous_kind = 'several_customers' THEN email_domain
                                   ELSE customer_id::text END)
        FROM judged WHERE ambiguous_kind <> '' AND NOT failed),
       (SELECT count(*) FROM broken b WHERE NOT EXISTS (SELECT 1 FROM judged j WHERE j.stripe_id = b.stripe_id))
"""


def count(connection: StripeConnection) -> Counts:
    """The counts of the saved scope and options, from the match columns; two queries."""
    scope = Scope.of(connection)
    return counted(SAVED, scope, {"connection": connection.pk, **scope.parameters})


def preview_counts(connection: StripeConnection, options: Options) -> Counts:
    """The counts as another scope or other options would make them; nothing is written.

    Groups are counted as sets that share a customer or a domain, before any decision about them.
    """
    sql = match.verdicts_sql(options, None) + HYPOTHETICAL
    return counted(sql, options.scope, match.parameters(connection, options, None))


HYPOTHETICAL = """
, grouped AS (
    SELECT customer_id FROM verdicts WHERE standing = 'live' AND match_state = 'matched'
    GROUP BY customer_id HAVING count(*) > 1 AND NOT bool_and(match_reason = 'pinned')
), proposed AS (
    SELECT v.stripe_id, v.standing, v.match_state, v.match_reason, v.customer_id, sc.email_domain,
           CASE WHEN v.match_state <> 'matched' THEN ''
                WHEN v.match_reason = 'domain' AND cardinality(ow.customer_ids) > 1 THEN 'several_customers'
                WHEN g.customer_id IS NOT NULL AND sc.ambiguous_kind = '' AND sc.customer_id = v.customer_id
                     AND sc.standing = 'live' THEN ''
                WHEN g.customer_id IS NOT NULL THEN 'shared_domain' ELSE '' END AS ambiguous_kind
    FROM verdicts v
    JOIN integrations_stripecustomer sc ON sc.id = v.id
    LEFT JOIN owners ow ON ow.domain = sc.email_domain AND sc.email_domain <> ''
    LEFT JOIN grouped g ON g.customer_id = v.customer_id
)
"""


def counted(ctes: str, scope: Scope, values: dict[str, Any]) -> Counts:
    """Run the count over ``verdicts`` (or ``proposed``, of a preview)."""
    source = "proposed" if ctes is not SAVED else "verdicts"
    body = ctes + COUNT.format(scope=scope.sql).replace("FROM verdicts v", f"FROM {source} v")
    with database.cursor() as cursor:
        cursor.execute(body, values)
        rows = cursor.fetchall()
        cursor.execute(body[: body.rindex("SELECT CASE WHEN failed")] + TOTALS, values)
        customers, groups, strays = cursor.fetchone()
    number: dict[str, int] = {}
    mrr: dict[str, Decimal] = {}
    reasons: dict[str, dict[str, int]] = {"skipped": {}, "unmatched": {}}
    subscriptions = ambiguous = 0
    ambiguous_mrr = ZERO
    for state, reason, how_many, sum_mrr, live, flagged, flagged_mrr in rows:
        number[state] = number.get(state, 0) + how_many
        mrr[state] = mrr.get(state, ZERO) + sum_mrr
        subscriptions += int(live)
        ambiguous += flagged
        ambiguous_mrr += flagged_mrr
        if state in reasons:
            reasons[state][reason] = how_many
    return Counts(
        stripe_customers=sum(number.values()) + strays,
        matched=number.get("matched", 0),
        unmatched=number.get("unmatched", 0),
        skipped=number.get("skipped", 0),
        ambiguous=ambiguous,
        failed=number.get("failed", 0) + strays,
        skipped_by_reason=reasons["skipped"],
        unmatched_by_reason=reasons["unmatched"],
        ambiguous_groups=groups,
        customers=customers,
        subscriptions=subscriptions,
        matched_mrr=mrr.get("matched", ZERO),
        unmatched_mrr=mrr.get("unmatched", ZERO),
        skipped_mrr=mrr.get("skipped", ZERO),
        ambiguous_mrr=ambiguous_mrr,
    )

"""Matched, unmatched, skipped and ambiguous, over the live set of today's mirror (docs/rules.md section 2)."""

from __future__ import annotations

from collections import defaultdict
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

    ``failed`` are Stripe customers with an open error, counted nowhere else. ``customers`` are the Pivotal customers
    that matched ones are on, ``subscriptions`` the live ones in scope. An ambiguous group is what meets on one Pivotal
    customer. Sums are USD a month.
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
WITH proposed AS (
    SELECT stripe_id, standing, match_state, match_reason, customer_id, ambiguous_kind
    FROM integrations_stripecustomer WHERE connection_id = %(connection)s AND standing = 'live'
)"""

JUDGED = """
, broken AS (
    SELECT coalesce(nullif(stripe_customer_id, ''), object_id) AS stripe_id,
           bool_or(object_type = 'subscription') AS subscribed
    FROM integrations_syncissue
    WHERE connection_id = %(connection)s AND state = 'open' AND severity = 'error'
      AND (stripe_customer_id <> '' OR object_type IN ('customer', 'subscription'))
    GROUP BY 1
), figures AS (
    SELECT s.customer_id AS stripe_id, sum(s.mrr) AS mrr, count(*) FILTER (WHERE s.live) AS live
    FROM integrations_stripesubscription s
    WHERE s.connection_id = %(connection)s AND {scope}
    GROUP BY s.customer_id
), judged AS (
    SELECT p.*, (b.stripe_id IS NOT NULL) AS failed, coalesce(f.mrr, 0) AS mrr,
           (b.stripe_id IS NULL AND p.ambiguous_kind <> '') AS ambiguous
    FROM proposed p
    LEFT JOIN broken b ON b.stripe_id = p.stripe_id
    LEFT JOIN figures f ON f.stripe_id = p.stripe_id
    WHERE p.standing = 'live'
)
"""

BY_STATE = """
SELECT CASE WHEN failed THEN 'failed' ELSE match_state END, match_reason, count(*), sum(mrr),
       count(*) FILTER (WHERE ambiguous), coalesce(sum(mrr) FILTER (WHERE ambiguous), 0)
FROM judged GROUP BY 1, 2
"""

# The last figure: customers that failed without being in the live set, because the subscription itself could not be
# read, or because a customer with a live one could not.
TOTALS = """
SELECT (SELECT count(DISTINCT customer_id) FROM judged WHERE match_state = 'matched' AND NOT failed),
       (SELECT count(DISTINCT customer_id) FROM judged WHERE ambiguous),
       (SELECT coalesce(sum(live), 0) FROM figures),
       (SELECT count(*) FROM broken b LEFT JOIN figures f ON f.stripe_id = b.stripe_id
        WHERE (b.subscribed OR f.live > 0) AND NOT EXISTS (SELECT 1 FROM judged j WHERE j.stripe_id = b.stripe_id))
"""


def count(connection: StripeConnection) -> Counts:
    """The counts of the saved scope and options, from the match columns; two queries."""
    scope = Scope.of(connection)
    return counted(SAVED, scope, {"connection": connection.pk, **scope.parameters})


def preview_counts(connection: StripeConnection, options: Options) -> Counts:
    """The counts as another scope or other options would make them; nothing is written."""
    return counted(match.proposed_sql(options), options.scope, match.parameters(connection, options))


def counted(proposed: str, scope: Scope, values: dict[str, Any]) -> Counts:
    """Count over a relation ``proposed`` of match columns, saved or of a preview."""
    judged = proposed + JUDGED.format(scope=scope.sql)
    with database.cursor() as cursor:
        cursor.execute(judged + BY_STATE, values)
        rows = cursor.fetchall()
        cursor.execute(judged + TOTALS, values)
        customers, groups, subscriptions, strays = cursor.fetchone()
    number: dict[str, int] = defaultdict(int)
    mrr: dict[str, Decimal] = defaultdict(Decimal)
    reasons: dict[str, dict[str, int]] = defaultdict(dict)
    ambiguous, ambiguous_mrr = 0, ZERO
    for state, reason, how_many, sum_mrr, flagged, flagged_mrr in rows:
        number[state] += how_many
        mrr[state] += sum_mrr
        reasons[state][reason] = how_many
        ambiguous += flagged
        ambiguous_mrr += flagged_mrr
    return Counts(
        stripe_customers=sum(number.values()) + strays,
        matched=number["matched"],
        unmatched=number["unmatched"],
        skipped=number["skipped"],
        ambiguous=ambiguous,
        failed=number["failed"] + strays,
        skipped_by_reason=reasons["skipped"],
        unmatched_by_reason=reasons["unmatched"],
        ambiguous_groups=groups,
        customers=customers,
        subscriptions=int(subscriptions),
        matched_mrr=mrr["matched"],
        unmatched_mrr=mrr["unmatched"],
        skipped_mrr=mrr["skipped"],
        ambiguous_mrr=ambiguous_mrr,
    )

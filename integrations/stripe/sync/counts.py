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
from integrations.stripe.sync.scope_sql import SAVED_SCOPE

ZERO = Decimal(0)
KEPT_AS = "counts"


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

# Everything known by a Stripe customer's id is pooled and grouped by it: unlike a join, that costs the same whatever
# the planner believes about a mirror that was filled a minute ago.
JUDGED = """
, pooled AS (
    SELECT stripe_id, match_state, match_reason, customer_id, ambiguous_kind, TRUE AS counted, 0::numeric AS mrr,
           0 AS live, FALSE AS failed, FALSE AS unread
    FROM proposed WHERE standing = 'live'
    UNION ALL
    SELECT s.customer_id, NULL, NULL, NULL, NULL, FALSE, s.mrr, s.live::int, FALSE, FALSE
    FROM integrations_stripesubscription s
    WHERE s.connection_id = %(connection)s AND {scope}
    UNION ALL
    SELECT coalesce(nullif(i.stripe_customer_id, ''), i.object_id), NULL, NULL, NULL, NULL, FALSE, 0, 0, TRUE,
           i.object_type = 'subscription'
    FROM integrations_syncissue i
    WHERE i.connection_id = %(connection)s AND i.state = 'open' AND i.severity = 'error'
), judged AS (
    SELECT stripe_id, max(match_state) AS match_state, max(match_reason) AS match_reason,
           max(customer_id) AS customer_id, max(ambiguous_kind) AS ambiguous_kind, bool_or(counted) AS counted,
           sum(mrr) AS mrr, sum(live) AS live, bool_or(failed) AS failed, bool_or(unread) AS unread
    FROM pooled GROUP BY stripe_id
)
"""

# A customer that failed without being in the live set belongs to it when a subscription itself could not be read, or
# when one with a live subscription could not.
BY_STATE = """
SELECT CASE WHEN failed THEN 'failed' ELSE match_state END, CASE WHEN failed THEN '' ELSE match_reason END,
       count(*), sum(mrr),
       count(*) FILTER (WHERE ambiguous_kind <> '' AND NOT failed),
       coalesce(sum(mrr) FILTER (WHERE ambiguous_kind <> '' AND NOT failed), 0)
FROM judged WHERE counted OR failed AND (unread OR live > 0) GROUP BY 1, 2
"""

# In the columns of the rows above: Pivotal customers, live subscriptions in scope, ambiguous groups.
TOTALS = """
UNION ALL
SELECT 'totals', '', (SELECT count(*) FROM (SELECT DISTINCT customer_id FROM judged
                                            WHERE match_state = 'matched' AND NOT failed) AS matched),
       coalesce(sum(live), 0),
       count(DISTINCT customer_id) FILTER (WHERE ambiguous_kind <> '' AND NOT failed), 0
FROM judged
"""


def count(connection: StripeConnection) -> Counts:
    """The counts of the saved scope and options, from the match columns; one query."""
    return counted(SAVED, SAVED_SCOPE, {"connection": connection.pk})


def preview_counts(connection: StripeConnection, options: Options) -> Counts:
    """The counts as another scope or other options would make them; nothing is written."""
    with match.set_wise():
        return counted(match.proposed_sql(options), options.scope.sql, match.parameters(connection, options))


def counted(proposed: str, scope: str, values: dict[str, Any]) -> Counts:
    """Count over a relation ``proposed`` of match columns, saved or of a preview; ``scope`` is a condition on ``s``."""
    judged = proposed + JUDGED.format(scope=scope)
    with database.cursor() as cursor:
        cursor.execute(judged + BY_STATE + TOTALS, values)
        found = cursor.fetchall()
    rows = [row for row in found if row[0] != "totals"]
    customers, subscriptions, groups = next(row[2:5] for row in found if row[0] == "totals")
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
        stripe_customers=sum(number.values()),
        matched=number["matched"],
        unmatched=number["unmatched"],
        skipped=number["skipped"],
        ambiguous=ambiguous,
        failed=number["failed"],
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

"""Stripe customers that no paid invoice of the mirror settles (docs/architecture.md section 4)."""

from __future__ import annotations

from typing import Any

from django.db import connection as database

from integrations.stripe.sync import examined
from integrations.stripe.sync.work import Work

# Customers with a subscription whose newest invoice that says something is not a paid one. One look into an index for
# each customer, whatever PostgreSQL knows of the tables: this is asked while they fill, before it has any statistics.
UNSETTLED = """
FROM (SELECT customer_id, min(created) AS began FROM integrations_stripesubscription
      WHERE connection_id = %(connection)s GROUP BY customer_id) AS s
LEFT JOIN LATERAL (
    SELECT i.status FROM integrations_stripeinvoice i
    WHERE i.connection_id = %(connection)s AND i.customer_id = s.customer_id AND i.status NOT IN ('draft', 'void')
    ORDER BY i.created DESC, i.stripe_id DESC LIMIT 1
) AS newest ON true
WHERE s.customer_id > %(after)s AND newest.status IS DISTINCT FROM 'paid'
"""

# Those of them that the run has to examine itself (``sync.examined``).
TO_EXAMINE = f"{UNSETTLED} AND (s.began >= %(examined_at)s OR s.customer_id = ANY(%(left_out)s))"


def unsettled(work: Work, among: list[str]) -> list[str]:
    """Which of these Stripe customers no paid invoice in the mirror settles."""
    values: dict[str, Any] = {"connection": work.connection.pk, "after": "", "among": among}
    with database.cursor() as cursor:
        cursor.execute(f"SELECT s.customer_id {UNSETTLED} AND s.customer_id = ANY(%(among)s)", values)
        return [customer_id for (customer_id,) in cursor.fetchall()]


def to_examine(work: Work, *, after: str, limit: int) -> list[str]:
    """The next ones the run has to examine, in the order of their ids."""
    values = {**values_of(work), "after": after, "limit": limit}
    with database.cursor() as cursor:
        cursor.execute(f"SELECT s.customer_id {TO_EXAMINE} ORDER BY 1 LIMIT %(limit)s", values)
        return [customer_id for (customer_id,) in cursor.fetchall()]


def number_unsettled(work: Work) -> int:
    """How many no paid invoice in the mirror settles."""
    with database.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {UNSETTLED}", {"connection": work.connection.pk, "after": ""})
        return int(cursor.fetchone()[0])


def number_to_examine(work: Work) -> int:
    """How many of those the run has to examine."""
    with database.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {TO_EXAMINE}", values_of(work))
        return int(cursor.fetchone()[0])


def values_of(work: Work) -> dict[str, Any]:
    """What ``TO_EXAMINE`` asks for, of all customers."""
    return {"connection": work.connection.pk, "after": "", **examined.of_examined(work)}

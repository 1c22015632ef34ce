"""Stripe customers that no paid invoice of the mirror settles (docs/architecture.md section 4)."""

from __future__ import annotations

from typing import Any

from django.db import connection as database

from integrations.stripe.sync.work import Work

# Customers with a subscription that no paid invoice settles: none is newer than their open and uncollectible ones.
UNSETTLED = """
FROM (SELECT DISTINCT customer_id FROM integrations_stripesubscription WHERE connection_id = %(connection)s) AS s
WHERE s.customer_id > %(after)s AND NOT EXISTS (
    SELECT 1 FROM integrations_stripeinvoice p
    WHERE p.connection_id = %(connection)s AND p.customer_id = s.customer_id AND p.status = 'paid'
      AND NOT EXISTS (
        SELECT 1 FROM integrations_stripeinvoice o
        WHERE o.connection_id = %(connection)s AND o.customer_id = s.customer_id
          AND o.status NOT IN ('paid', 'draft', 'void')
          AND (o.created, o.stripe_id) > (p.created, p.stripe_id))
)
"""


def unsettled(work: Work, *, after: str = "", among: list[str] | None = None, limit: int | None = None) -> list[str]:
    """Stripe customers no paid invoice in the mirror settles, in the order of their ids."""
    sql = f"SELECT s.customer_id {UNSETTLED}"
    values: dict[str, Any] = {"connection": work.connection.pk, "after": after}
    if among is not None:
        sql += " AND s.customer_id = ANY(%(among)s)"
        values["among"] = among
    sql += " ORDER BY 1"
    if limit is not None:
        sql += " LIMIT %(limit)s"
        values["limit"] = limit
    with database.cursor() as cursor:
        cursor.execute(sql, values)
        return [customer_id for (customer_id,) in cursor.fetchall()]


def number_unsettled(work: Work) -> int:
    """How many there are."""
    with database.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {UNSETTLED}", {"connection": work.connection.pk, "after": ""})
        return int(cursor.fetchone()[0])

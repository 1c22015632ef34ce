"""Stripe customers that no paid invoice of the mirror settles (docs/architecture.md section 4)."""

from __future__ import annotations

from typing import Any

from django.db import connection as database

from integrations.stripe.sync.work import Work

# Customers with a subscription whose newest invoice that says something is not a paid one. One look into an index for
# each customer, whatever PostgreSQL knows of the tables: this is asked while they fill, before it has any statistics.
UNSETTLED = """
FROM (SELECT DISTINCT customer_id FROM integrations_stripesubscription WHERE connection_id = %(connection)s) AS s
LEFT JOIN LATERAL (
    SELECT i.status FROM integrations_stripeinvoice i
    WHERE i.connection_id = %(connection)s AND i.customer_id = s.customer_id AND i.status NOT IN ('draft', 'void')
    ORDER BY i.created DESC, i.stripe_id DESC LIMIT 1
) AS newest ON true
WHERE s.customer_id > %(after)s AND newest.status IS DISTINCT FROM 'paid'
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

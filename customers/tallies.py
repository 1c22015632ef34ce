"""Keeps the sums over all customers few: what was added since is folded into one row for each kind of customer."""

from __future__ import annotations

from django.db import connection, transaction

from customers.models import CustomerTally

MANY = 500  # rows that a page does not notice
LOCK = 0x74616C6C  # any number of our own

_KINDS = "environment, status, payment_status, incomplete, at_risk, risk_unknown"
_FOLD = f"""
WITH folded AS (DELETE FROM customers_customertally RETURNING *)
INSERT INTO customers_customertally ({_KINDS}, customers, mrr, risk_mrr)
SELECT {_KINDS}, sum(customers), sum(mrr), sum(risk_mrr) FROM folded
GROUP BY {_KINDS} HAVING sum(customers) <> 0 OR sum(mrr) <> 0 OR sum(risk_mrr) <> 0
"""  # noqa: S608 (constants of this module)
_RECOUNT = f"""
WITH gone AS (DELETE FROM customers_customertally)
INSERT INTO customers_customertally ({_KINDS}, customers, mrr, risk_mrr)
SELECT environment, status, payment_status, incomplete, at_risk, risk_unknown, count(*), sum(mrr), sum(risk)
FROM (
    SELECT environment, status, payment_status, billing_flags @> ARRAY['incomplete']::varchar[] AS incomplete,
        at_risk_reason <> '' AS at_risk, mrr_at_risk IS NULL AND billing_source <> '' AS risk_unknown, mrr,
        coalesce(mrr_at_risk, 0) AS risk
    FROM customers_customer
) AS counted
GROUP BY {_KINDS}
"""  # noqa: S608 (constants of this module)


def fold() -> None:
    """Fold the sums where they have become many. Writers are not waited for: what they add meanwhile stays beside."""
    if CustomerTally.objects.count() > MANY:
        _replace(_FOLD)


def recount() -> None:
    """Take the sums anew from the customers, which puts right what was written past the triggers.

    Both come from one snapshot, so what others write meanwhile is counted once.
    """
    _replace(_RECOUNT)


def _replace(statement: str) -> None:
    """One after the other, each with a snapshot that knows what the one before it left."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(statement)

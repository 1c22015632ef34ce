"""Which decisions are in force: not undone, or their undo was undone (docs/rules.md section 2 "Decisions")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection as database

from integrations.models import StripeConnection
from integrations.stripe.sync import match_sql

NEWEST = f"""
WITH RECURSIVE {match_sql.DECISIONS}
SELECT stripe_id, decision_id FROM decided WHERE stripe_id = ANY(%(stripe_ids)s)
"""  # noqa: S608 - text of ours

CHAINED = f"""
WITH RECURSIVE {match_sql.DECISIONS}
SELECT id FROM chained WHERE in_force
"""  # noqa: S608 - text of ours


def in_force(connection: StripeConnection) -> set[int]:
    """The decisions in force, undos among them."""
    with database.cursor() as cursor:
        cursor.execute(CHAINED, _parameters(connection))
        return {decision_id for (decision_id,) in cursor.fetchall()}


def effective(connection: StripeConnection, stripe_ids: Iterable[str]) -> dict[str, int]:
    """The decision that holds for each of these Stripe customers: the newest one naming it that is in force."""
    with database.cursor() as cursor:
        cursor.execute(NEWEST, {**_parameters(connection), "stripe_ids": list(stripe_ids)})
        return dict(cursor.fetchall())


def _parameters(connection: StripeConnection) -> dict[str, Any]:
    return {"connection": connection.pk, "environment": connection.environment}

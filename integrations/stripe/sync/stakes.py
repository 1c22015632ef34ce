"""What is at stake on Stripe customers without a customer of ours, in a column that their lists are paged by.

Whoever writes what it follows from brings it up to date in the same transaction: the matcher for whom it looked at
(a scope or an option comes that way too), the contributions for whose MRR moved. Nobody reads it of other ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection as database

from integrations.models import StripeConnection
from integrations.stripe.sync.scope_sql import Scope

UPDATE = """
WITH summed AS (
    SELECT sc.id, coalesce(sum(s.mrr), 0) AS stake
    FROM integrations_stripecustomer sc
    LEFT JOIN integrations_stripesubscription s
           ON s.connection_id = sc.connection_id AND s.customer_id = sc.stripe_id AND {scope}
    WHERE sc.connection_id = %(connection)s AND sc.standing = 'live' AND sc.match_state IN ('unmatched', 'skipped')
      AND {concerned}
    GROUP BY sc.id
)
UPDATE integrations_stripecustomer AS sc SET stake = summed.stake
FROM summed WHERE sc.id = summed.id AND sc.stake <> summed.stake
"""


def of_everybody(connection: StripeConnection, scope: Scope) -> None:
    """Bring it up to date for all who wait; writes only what differs."""
    _write(connection, scope, "TRUE", {})


def of_rows(connection: StripeConnection, scope: Scope, ids: Iterable[int]) -> None:
    """The same for these rows of the mirror."""
    _write(connection, scope, "sc.id = ANY(%(ids)s::bigint[])", {"ids": list(ids)})


def of_stripe_ids(connection: StripeConnection, stripe_ids: Iterable[str]) -> None:
    """The same for these Stripe customers, in the scope that is saved."""
    asked = {"stripe_ids": list(stripe_ids)}
    _write(connection, Scope.of(connection), "sc.stripe_id = ANY(%(stripe_ids)s::varchar[])", asked)


def _write(connection: StripeConnection, scope: Scope, concerned: str, values: dict[str, Any]) -> None:
    statement = UPDATE.format(scope=scope.sql, concerned=concerned)
    with database.cursor() as cursor:
        cursor.execute(statement, {"connection": connection.pk, **scope.parameters, **values})

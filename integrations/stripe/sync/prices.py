"""Carries a price's newer facts into the subscriptions that hold a copy of it.

Stripe shows a price whole inside every subscription on it, so a new lookup key changes all of them at once, and plan
and scope with them. One statement does what reading each of them again would (docs/architecture.md section 4
"Incremental").
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connection as database

from integrations.models import StripeConnection

# The copies that are older than the price itself. Tiers and currency options are left out of a copy, as Stripe does.
CARRY = """
UPDATE integrations_stripesubscription AS s
SET data = jsonb_set(s.data, '{{items,data}}', copies.items), lookup_keys = copies.lookup_keys
FROM (
    SELECT one.id, jsonb_agg(one.item ORDER BY one.place) AS items,
           ARRAY(SELECT key FROM unnest(array_agg(one.item->'price'->>'lookup_key' ORDER BY one.place))
                 WITH ORDINALITY AS named(key, place)
                 WHERE key <> '' GROUP BY key ORDER BY min(place)) AS lookup_keys
    FROM (
        SELECT held.id, item.place,
               CASE WHEN p.stripe_id IS NULL THEN item.value
                    ELSE jsonb_set(item.value, '{{price}}', p.data - 'tiers' - 'currency_options') END AS item
        FROM integrations_stripesubscription held
        CROSS JOIN LATERAL jsonb_array_elements(held.data->'items'->'data') WITH ORDINALITY AS item(value, place)
        LEFT JOIN integrations_stripeprice p
          ON p.connection_id = held.connection_id AND p.stripe_id = item.value->'price'->>'id'
         AND p.observed_at > held.observed_at
        WHERE held.connection_id = %(connection)s AND {which}
    ) AS one
    GROUP BY one.id
) AS copies
WHERE s.id = copies.id AND s.data->'items'->'data' IS DISTINCT FROM copies.items
RETURNING s.customer_id
"""

OF_CUSTOMERS = "held.customer_id = ANY(%(customers)s)"
OF_PRICES = "held.price_ids && %(prices)s::varchar[]"
SINCE = """EXISTS (SELECT 1 FROM integrations_stripeprice fresh
        WHERE fresh.connection_id = held.connection_id AND fresh.observed_at >= %(since)s
          AND fresh.observed_at > held.observed_at AND fresh.stripe_id = ANY(held.price_ids))"""


def carry(
    connection: StripeConnection,
    *,
    customer_ids: Collection[str] | None = None,
    price_ids: Collection[str] | None = None,
    since: datetime | None = None,
) -> set[str]:
    """Bring older copies up to date; returns the Stripe customers whose subscriptions changed.

    Looks at the subscriptions of ``customer_ids``, at those on ``price_ids``, or at those on any price that was
    observed ``since`` then.
    """
    values: dict[str, Any] = {"connection": connection.pk}
    if customer_ids is not None:
        which, values["customers"] = OF_CUSTOMERS, list(customer_ids)
    elif price_ids is not None:
        which, values["prices"] = OF_PRICES, list(price_ids)
    else:
        which, values["since"] = SINCE, since
    with database.cursor() as cursor:
        cursor.execute(CARRY.format(which=which), values)
        return {customer_id for (customer_id,) in cursor.fetchall()}

"""What a nightly walk finds different on Stripe customers that no customer of ours stands for.

Their figures are nobody's, so no history tells of them; but lists, counts and "How MRR adds up" rest on them. So they
are compared as they arrive: e-mail, name, and what their live subscriptions say. What it was and is now is not kept:
that would be one more place with names and addresses. One statement looks for them in a batch, and mostly finds none.
"""

from __future__ import annotations

from typing import Any

import msgspec
from django.db import connection as database

from integrations.models import DriftReport, Standing, StripeCustomer
from integrations.stripe.sync.rows import Batch

SUBSCRIPTION = "subscription"
FIELDS = ("email", "name", SUBSCRIPTION)

CUSTOMERS = """
INSERT INTO integrations_driftentry (report_id, kind, stripe_customer_id, object_id, field, old, new)
SELECT %(report)s, 'different', c.stripe_id, '', f.field, '', ''
FROM json_to_recordset(%(rows)s::json) AS n(stripe_id text, email text, name text, observed_at timestamptz)
JOIN integrations_stripecustomer c ON c.connection_id = %(connection)s AND c.stripe_id = n.stripe_id
CROSS JOIN LATERAL (VALUES ('email', c.email, n.email), ('name', c.name, n.name)) AS f(field, old, new)
WHERE c.observed_at < n.observed_at AND f.old IS DISTINCT FROM f.new
"""

# One that is new or has ended is noted as missing or extra; here are those that were live and are.
SUBSCRIPTIONS = """
INSERT INTO integrations_driftentry (report_id, kind, stripe_customer_id, object_id, field, old, new)
SELECT %(report)s, 'different', s.customer_id, s.stripe_id, 'subscription', '', changed.keys
FROM json_to_recordset(%(rows)s::json) AS n(stripe_id text, live boolean, data jsonb, observed_at timestamptz)
JOIN integrations_stripesubscription s ON s.connection_id = %(connection)s AND s.stripe_id = n.stripe_id
CROSS JOIN LATERAL (
    SELECT string_agg(coalesce(was.key, is_now.key), ', ' ORDER BY coalesce(was.key, is_now.key)) AS keys
    FROM jsonb_each(s.data) AS was FULL JOIN jsonb_each(n.data) AS is_now USING (key)
    WHERE was.value IS DISTINCT FROM is_now.value
) AS changed
WHERE s.live AND n.live AND s.observed_at < n.observed_at AND changed.keys IS NOT NULL
"""


def note(report: DriftReport, batch: Batch) -> None:
    """Note how a batch differs from the mirror on unmatched Stripe customers of the live set, before it is stored."""
    customers = batch.tables.get("customer", {})
    subscriptions = batch.tables.get("subscription", {})
    owners = {*customers, *(row["customer_id"] for row in subscriptions.values())}
    unmatched = set(
        StripeCustomer.objects.filter(
            connection=report.connection_id, stripe_id__in=owners, customer__isnull=True, standing=Standing.LIVE
        ).values_list("stripe_id", flat=True)
    )
    if not unmatched:
        return
    told = [
        (CUSTOMERS, [row for stripe_id, row in customers.items() if stripe_id in unmatched]),
        (SUBSCRIPTIONS, [row for row in subscriptions.values() if row["customer_id"] in unmatched]),
    ]
    with database.cursor() as cursor:
        for statement, rows in told:
            values: dict[str, Any] = {
                "report": report.pk,
                "connection": report.connection_id,
                "rows": msgspec.json.encode(rows).decode(),
            }
            if rows:
                cursor.execute(statement, values)

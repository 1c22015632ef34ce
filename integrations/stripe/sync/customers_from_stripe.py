"""**Billing signal only** off: one customer per unmatched company domain (docs/rules.md section 2.9)."""

from __future__ import annotations

from django.db import connection as database

from integrations.models import StripeConnection

# Named after the oldest Stripe customer on the domain; personal domains never make a customer.
CREATE = """
INSERT INTO customers_customer
    (environment, name, domain, status, created_by_source, created_at, updated_at, plan, plan_label, mrr, payment_status,
     stripe_customer_id, billing_source, billing_flags)
SELECT %(environment)s, left(coalesce(nullif(btrim((array_agg(sc.name ORDER BY sc.created, sc.stripe_id))[1]), ''),
                                      sc.email_domain), 255),
       sc.email_domain, 'active', 'stripe', clock_timestamp(), clock_timestamp(), '', '', 0, 'none', '', '', '{}'
FROM integrations_stripecustomer sc
WHERE sc.connection_id = %(connection)s AND sc.standing = 'live' AND sc.match_state = 'unmatched'
  AND sc.match_reason = 'no_customer' AND NOT sc.personal
GROUP BY sc.email_domain
ORDER BY sc.email_domain
"""


def create(connection: StripeConnection) -> int:
    """Create the missing customers; returns how many. The caller holds the derive lock and matches again after."""
    with database.cursor() as cursor:
        cursor.execute(CREATE, {"connection": connection.pk, "environment": connection.environment})
        return int(cursor.rowcount)

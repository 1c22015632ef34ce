"""**Billing signal only** off: one customer per unmatched company domain (docs/rules.md section 2.9)."""

from __future__ import annotations

from django.db import connection as database

from customers.models import Activity
from integrations.models import StripeConnection

# Named after the oldest Stripe customer on the domain; personal domains never make a customer. The option is read here
# again: a run may have begun before somebody switched it.
CREATE = """
INSERT INTO customers_customer
    (environment, name, domain, status, created_by_source, created_at, updated_at, plan, plan_label, mrr,
     payment_status, stripe_customer_id, billing_source, billing_flags)
SELECT %(environment)s, left(coalesce(nullif(btrim((array_agg(sc.name ORDER BY sc.created, sc.stripe_id))[1]), ''),
                                      sc.email_domain), 255),
       sc.email_domain, 'active', 'stripe', clock_timestamp(), clock_timestamp(), '', '', 0, 'none', '', '', '{}'
FROM integrations_stripecustomer sc
JOIN integrations_stripeconnection sn ON sn.id = sc.connection_id AND NOT sn.billing_signal_only
WHERE sc.connection_id = %(connection)s AND sc.standing = 'live' AND sc.match_state = 'unmatched'
  AND sc.match_reason = 'no_customer' AND NOT sc.personal
GROUP BY sc.email_domain
ORDER BY sc.email_domain
RETURNING id, name
"""


def create(connection: StripeConnection) -> int:
    """Create the missing customers; returns how many. The caller holds the derive lock and matches again after."""
    with database.cursor() as cursor:
        cursor.execute(CREATE, {"connection": connection.pk, "environment": connection.environment})
        created = cursor.fetchall()
    Activity.objects.bulk_create(
        [
            Activity(
                customer_id=customer_id,
                actor_type=Activity.ActorType.INTEGRATION,
                event_type="customer.created",
                new=name,
                origin="Stripe",
            )
            for customer_id, name in created
        ],
        batch_size=1000,
    )
    return len(created)

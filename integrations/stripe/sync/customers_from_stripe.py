"""**Billing signal only** off: one customer per unmatched company domain (docs/rules.md section 2.9).

The same statement says beforehand how many there would be and under which names, for the scope and options that are
saved or for others. A domain of an archived customer makes none: that customer can be restored and linked instead, and
a run does not bring back what somebody put away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection as database

from customers.models import Activity
from integrations.models import StripeConnection
from integrations.stripe.sync import match
from integrations.stripe.sync.match import Options

SAMPLE_NAMES = 10

SAVED = """
WITH proposed AS (
    SELECT id, standing, match_state, match_reason, email_domain, personal
    FROM integrations_stripecustomer WHERE connection_id = %(connection)s
)"""

# Named after the oldest Stripe customer on the domain; personal domains never make a customer.
MISSING = """
, missing AS (
    SELECT sc.email_domain AS domain,
           left(coalesce(nullif(btrim((array_agg(sc.name ORDER BY sc.created, sc.stripe_id))[1]), ''),
                         sc.email_domain), 255) AS name
    FROM proposed p JOIN integrations_stripecustomer sc ON sc.id = p.id
    WHERE p.standing = 'live' AND p.match_state = 'unmatched' AND p.match_reason = 'no_customer' AND NOT sc.personal
      AND NOT EXISTS (
          SELECT 1 FROM customers_customer c WHERE c.environment = %(environment)s AND c.domain = sc.email_domain
      )
      AND NOT EXISTS (
          SELECT 1 FROM customers_customerdomain d WHERE d.environment = %(environment)s AND d.domain = sc.email_domain
      )
    GROUP BY sc.email_domain
)
"""

# The option is read here again: a run may have begun before somebody switched it.
CREATE = """
INSERT INTO customers_customer
    (environment, name, domain, status, created_by_source, created_at, updated_at, plan, plan_label, mrr,
     payment_status, stripe_customer_id, billing_source, billing_flags)
SELECT %(environment)s, m.name, m.domain, 'active', 'stripe', clock_timestamp(), clock_timestamp(), '', '', 0, 'none',
       '', '', '{}'
FROM missing m
JOIN integrations_stripeconnection sn ON sn.id = %(connection)s AND NOT sn.billing_signal_only
ORDER BY m.domain
RETURNING id, name
"""

SAMPLE = (
    "SELECT (SELECT count(*) FROM missing), array(SELECT name FROM missing ORDER BY lower(name), domain LIMIT %(few)s)"
)

# A decision names whom it is about, and gives those without a company domain a customer each.
CHOSEN = """
WITH chosen AS (
    SELECT DISTINCT ON (domain) domain, coalesce(nullif(btrim(name), ''), nullif(domain, stripe_id), stripe_id) AS name
    FROM (
        SELECT stripe_id, name, created,
               CASE WHEN personal THEN email_address ELSE coalesce(nullif(email_domain, ''), stripe_id) END AS domain
        FROM integrations_stripecustomer
        WHERE connection_id = %(connection)s AND stripe_id = ANY(%(stripe_ids)s)
    ) each
    ORDER BY domain, created, stripe_id
)
SELECT (SELECT count(*) FROM chosen), array(SELECT left(name, 255) FROM chosen ORDER BY lower(name) LIMIT %(few)s)
"""


@dataclass(frozen=True, slots=True)
class WouldBe:
    """How many customers would be created, and some of the names they would have."""

    number: int
    names: list[str]

    @property
    def more(self) -> int:
        """How many names are not listed."""
        return self.number - len(self.names)


def create(connection: StripeConnection) -> int:
    """Create the missing customers; returns how many. The caller holds the derive lock and matches again after."""
    with database.cursor() as cursor:
        cursor.execute(SAVED + MISSING + CREATE, {"connection": connection.pk, "environment": connection.environment})
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


def missing(connection: StripeConnection, options: Options | None = None) -> WouldBe:
    """What a complete run would create, with the options saved or with others; nothing is written."""
    values: dict[str, Any] = {"connection": connection.pk, "environment": connection.environment}
    proposed = SAVED
    if options is not None:
        proposed, values = match.proposed_sql(options), match.parameters(connection, options)
    with match.set_wise(), database.cursor() as cursor:
        cursor.execute(proposed + MISSING + SAMPLE, {**values, "few": SAMPLE_NAMES})
        number, names = cursor.fetchone()
    return WouldBe(number, names)


def would_be_created(connection: StripeConnection, stripe_ids: Sequence[str]) -> WouldBe:
    """What a decision to create customers from these Stripe customers would create."""
    values: dict[str, Any] = {"connection": connection.pk, "stripe_ids": list(stripe_ids), "few": SAMPLE_NAMES}
    with database.cursor() as cursor:
        cursor.execute(CHOSEN, values)
        number, names = cursor.fetchone()
    return WouldBe(number, names)

"""A large workspace without a sync: 100,000 customers and 120,000 Stripe customers, written by a few statements."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import connection as database

from bench.measure import measured
from integrations.models import AuthKind, ConnectionState, Mode, StripeConnection
from integrations.stripe.api.permissions import PERMISSIONS
from integrations.stripe.sync import kept, page_figures

CUSTOMERS = 100_000
STRIPE_CUSTOMERS = 120_000

# Of every 60 Stripe customers 45 are matched alone, 2 share a customer, 10 have none, 3 are skipped.
STATEMENTS = (
    """
    INSERT INTO customers_customer (environment, name, domain, status, owner_id, created_by_source, created_at,
        updated_at, plan, plan_label, mrr, payment_status, billing_started_at, stripe_customer_id, billing_source,
        billing_flags, mrr_at_risk, at_risk_reason)
    SELECT 'production', 'Company ' || n || ' ' || (ARRAY['Foods','Labs','Systems','Partners'])[1 + n % 4],
        'company' || n || '.example', CASE WHEN n % 50 = 0 THEN 'churned' ELSE 'active' END,
        CASE WHEN n % 3 = 0 THEN %(owner)s END, '', now(), now(),
        CASE WHEN billed THEN plan || '_monthly' ELSE '' END, CASE WHEN billed THEN initcap(plan) ELSE '' END,
        CASE WHEN billed THEN 20 + (n * 7919 %% 100000) / 10.0 ELSE 0 END,
        CASE WHEN NOT billed THEN 'none' WHEN n % 33 = 0 THEN 'failing' WHEN n % 47 = 0 THEN 'past_due' ELSE 'paid' END,
        CASE WHEN billed THEN now() - n * interval '20 minutes' END,
        CASE WHEN billed THEN 'cus_' || lpad(n::text, 10, '0') ELSE '' END, CASE WHEN billed THEN 'stripe' ELSE '' END,
        CASE WHEN n % 200 = 0 THEN ARRAY['incomplete'] WHEN billed AND n % 50 = 1 THEN ARRAY['undecided']
             ELSE ARRAY[]::varchar[] END,
        CASE WHEN billed AND n % 33 = 0 THEN 20 + (n * 7919 %% 100000) / 10.0 WHEN billed THEN 0 END,
        CASE WHEN billed AND n % 33 = 0 THEN 'failing' ELSE '' END
    FROM (SELECT n, n % 10 <> 9 AS billed, (ARRAY['starter','growth','scale','legacy','partner'])[1 + n % 5] AS plan
          FROM generate_series(1, %(customers)s) n) AS numbered
    """,
    """
    INSERT INTO integrations_stripecustomer (connection_id, stripe_id, data, observed_at, email, email_address,
        email_domain, personal, name, created, deleted, standing, match_state, match_reason, customer_id, winner,
        ambiguous_kind, ambiguous_since)
    SELECT %(connection)s, 'cus_' || lpad(n::text, 10, '0'), jsonb_build_object('id', 'cus_' || lpad(n::text, 10, '0')),
        now(), 'billing@company' || owner || '.example', 'billing@company' || owner || '.example',
        'company' || owner || '.example', state = 'skipped', 'Company ' || owner, now() - n * interval '20 minutes',
        FALSE, 'live', state,
        CASE state WHEN 'matched' THEN 'domain' WHEN 'unmatched' THEN 'no_customer' ELSE 'personal_email' END,
        CASE WHEN state = 'matched' THEN owner END, FALSE,
        CASE WHEN shared THEN 'shared_domain' ELSE '' END, CASE WHEN shared THEN now() END
    FROM (SELECT n, state, CASE WHEN n <= %(customers)s THEN n WHEN state = 'matched' THEN (n - %(customers)s) * 50 + 1
                                ELSE n END AS owner,
                 state = 'matched' AND (n > %(customers)s OR n % 50 = 1 AND n <= 50 * 2000 + 1) AS shared
          FROM (SELECT n, CASE WHEN n <= %(customers)s AND n % 10 <> 9 OR n BETWEEN %(customers)s + 1 AND
                               %(customers)s + 1900 THEN 'matched' WHEN n % 7 = 0 THEN 'skipped' ELSE 'unmatched' END
                       AS state FROM generate_series(1, %(stripe)s) n) AS stated) AS placed
    """,
    """
    INSERT INTO integrations_stripesubscription (connection_id, stripe_id, data, observed_at, customer_id, status, live,
        created, start_date, currency, price_ids, product_ids, lookup_keys, latest_invoice_id, mrr, receipt, problems,
        plan, plan_label)
    SELECT %(connection)s, 'sub_' || lpad(n::text, 10, '0'),
        jsonb_build_object('id', 'sub_' || lpad(n::text, 10, '0'), 'status', 'active', 'customer', stripe, 'currency',
            'usd', 'created', 1700000000, 'start_date', 1700000000, 'collection_method', 'charge_automatically',
            'items', jsonb_build_object('data', jsonb_build_array(jsonb_build_object('id', 'si_' || n, 'quantity', 3,
                'price', jsonb_build_object('id', 'price_' || n % 5, 'product', 'prod_' || n % 5, 'currency', 'usd',
                    'lookup_key', 'growth_monthly', 'unit_amount', 1000, 'unit_amount_decimal', '1000',
                    'billing_scheme', 'per_unit', 'recurring', jsonb_build_object('interval', 'month')))))),
        now(), stripe, 'active', TRUE, now() - n * interval '20 minutes', now() - n * interval '20 minutes', 'usd',
        ARRAY['price_' || n % 5], ARRAY['prod_' || n % 5], ARRAY['growth_monthly'], 'in_' || lpad(n::text, 10, '0'),
        20 + (n * 7919 %% 100000) / 10.0,
        jsonb_build_object('subscription', 'sub_' || lpad(n::text, 10, '0'), 'counts', TRUE, 'status', 'active',
            'currency', 'usd', 'why_zero', '', 'contribution', '30.000000000000', 'lines', '[]'::jsonb),
        ARRAY[]::varchar[], 'growth_monthly', 'Growth'
    FROM (SELECT n, 'cus_' || lpad(n::text, 10, '0') AS stripe FROM generate_series(1, %(stripe)s) n) AS numbered
    """,
    """
    INSERT INTO integrations_stripeinvoice (connection_id, stripe_id, data, observed_at, customer_id, status, created,
        number)
    SELECT %(connection)s, 'in_' || lpad(n::text, 10, '0'),
        jsonb_build_object('id', 'in_' || lpad(n::text, 10, '0'), 'status', status, 'created', 1700000000, 'currency',
            'usd', 'customer', 'cus_' || lpad(n::text, 10, '0'), 'total', 3000, 'amount_due', 3000, 'amount_paid', 3000,
            'attempt_count', 1, 'number', 'A-' || n, 'collection_method', 'charge_automatically'),
        now(), 'cus_' || lpad(n::text, 10, '0'), status, now() - n % 30 * interval '1 day', 'A-' || n
    FROM (SELECT n, CASE WHEN n % 33 = 0 THEN 'open' ELSE 'paid' END AS status
          FROM generate_series(1, %(stripe)s) n) AS numbered
    """,
    """
    INSERT INTO integrations_billingsummary (customer_id, connection_id, payment_reason, incomplete, problems,
        mrr_exact, primary_subscription, live_subscriptions, computed_at)
    SELECT id, %(connection)s, '{}', '[]', ARRAY[]::varchar[], mrr, 'sub_' || lpad(id::text, 10, '0'), 1, now()
    FROM customers_customer WHERE billing_source = 'stripe'
    """,
    """
    INSERT INTO customers_mrrpoint (customer_id, at, mrr, cause)
    SELECT id, now() - k * interval '30 days', mrr - k, CASE WHEN k = 3 THEN 'first_sync' ELSE 'seats' END
    FROM customers_customer, generate_series(0, 3) k WHERE billing_source = 'stripe' AND mrr > 3
    """,
    """
    INSERT INTO customers_activity (customer_id, at, actor_type, event_type, field, old, new, origin)
    SELECT id, now() - (id % 90) * interval '1 day' - k * interval '90 days', 'integration', 'customer.field_changed',
        'mrr', '10.00', '20.00', 'Stripe'
    FROM customers_customer, generate_series(0, 3) k
    """,
    """
    UPDATE integrations_stripecustomer sc SET stake = s.mrr FROM integrations_stripesubscription s
    WHERE s.customer_id = sc.stripe_id AND sc.match_state IN ('unmatched', 'skipped')
    """,
    """
    INSERT INTO integrations_syncrun (connection_id, kind, state, started_at, finished_at, cancel_requested, phase,
        checkpoint, claims, read, expected, api_requests, own_reads, subscriptions, stripe_customers, matched,
        unmatched, skipped, ambiguous, failed, warnings, rows_written, error_code, error_detail)
    SELECT %(connection)s, 'full', 'succeeded', now(), now(), FALSE, 'figures', '{}', 0, 120000, 120000, 1200, 0,
        120000, 120000, 91900, 24000, 4100, 3800, 0, 0, 0, '', '' FROM generate_series(1, 30)
    """,
)


def fill() -> dict[str, Any]:
    """Fill the empty database of ``prepare``."""
    User.objects.filter(username__in=["csm", "owner"]).delete()  # people stay when ``prepare`` empties the rest
    owner = User.objects.create_user("csm", is_staff=False)
    User.objects.create_superuser("owner")
    connection = StripeConnection.objects.create(
        mode=Mode.LIVE,
        state=ConnectionState.CONNECTED,
        auth_kind=AuthKind.RESTRICTED_KEY,
        account_id="acct_bench",
        account_name="Bench",
        permissions=[permission.slug for permission in PERMISSIONS],
    )
    values = {
        "owner": owner.pk,
        "connection": connection.pk,
        "customers": CUSTOMERS,
        "stripe": STRIPE_CUSTOMERS,
    }
    with measured() as cost, database.cursor() as cursor:
        for statement in STATEMENTS:
            cursor.execute(statement.replace(" % ", " %% "), values)
        cursor.execute("UPDATE integrations_stripeconnection SET last_full_sync_at = now(), last_look_at = now()")
        cursor.execute("VACUUM ANALYZE")
    page_figures.renew_after(connection, kept.WORTH_KEEPING_SECONDS)  # as the run would have that had read all this
    return {"wall": cost.wall}

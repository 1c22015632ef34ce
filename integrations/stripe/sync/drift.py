"""Drift: what a nightly walk finds different although nobody told us (docs/architecture.md section 4 "Incremental").

While a nightly run walks, what its batches add and end is noted in the transaction that stores it, and how they differ
on Stripe customers that are nobody's (``drift_unmatched``). What moved in the customers' fields needs no note: the
roll-up wrote it to their history, at the one ``now`` of the run. Once the run has ended, ``conclude`` puts it together
and drops what an event explains. Other runs know nothing of this.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import CharField, Count
from django.db.models.functions import Cast, Coalesce, Now

from integrations.models import DriftEntry, DriftKind, DriftReport, RunKind, StripeConnection, SyncRun
from integrations.stripe.sync import drift_unmatched
from integrations.stripe.sync.rows import Batch

COMPARING_KINDS = (RunKind.NIGHTLY, RunKind.FULL)

# A live subscription the mirror did not have, or one it had as live that is not. What was created after the report was
# opened is new, not missing; what the mirror knows better by now is no difference.
NOTE = """
INSERT INTO integrations_driftentry (report_id, kind, stripe_customer_id, object_id, field, old, new)
SELECT %(report)s, CASE WHEN n.live THEN 'missing' ELSE 'extra' END, coalesce(n.customer_id, s.customer_id),
       n.stripe_id, '', coalesce(s.status, ''), n.status
FROM unnest(%(ids)s::text[], %(customers)s::text[], %(statuses)s::text[], %(live)s::boolean[],
            %(created)s::timestamptz[], %(observed)s::timestamptz[])
     AS n(stripe_id, customer_id, status, live, created, observed_at)
LEFT JOIN integrations_stripesubscription s ON s.connection_id = %(connection)s AND s.stripe_id = n.stripe_id
WHERE (s.stripe_id IS NULL OR s.observed_at < n.observed_at)
  AND CASE WHEN n.live THEN s.live IS NOT TRUE AND n.created < %(opened)s ELSE s.live IS TRUE END
"""

# The run's own entries of history are those written at its one moment by an integration; a rate alone writes none, and
# the clock writes its own. A customer the run has made itself was not different before.
DIFFERENT = """
INSERT INTO integrations_driftentry (report_id, kind, customer_id, stripe_customer_id, object_id, field, old, new)
SELECT %(report)s, 'different', c.id, coalesce(nullif(c.stripe_customer_id, ''), a.old), '',
       coalesce(nullif(a.field, ''), 'stripe_customer_id'), a.old, a.new
FROM customers_activity a JOIN customers_customer c ON c.id = a.customer_id
WHERE a.at = %(began)s AND a.actor_type = 'integration' AND c.environment = %(environment)s
  AND a.event_type IN ('customer.field_changed', 'billing.attached', 'billing.detached')
  AND NOT (c.created_by_source = 'stripe' AND c.created_at >= %(began)s)
ORDER BY c.id, a.id
"""

OWNERS = """
UPDATE integrations_driftentry e SET customer_id = sc.customer_id
FROM integrations_stripecustomer sc
WHERE e.report_id = %(report)s AND e.customer_id IS NULL
  AND sc.connection_id = %(connection)s AND sc.stripe_id = e.stripe_customer_id
"""

# Told by an event: received or followed since the report was opened, or still waiting. One about a product, a price or
# a coupon tells of everybody who has it.
TOLD = """
WITH events AS (
    SELECT object_id, stripe_customer_id FROM integrations_stripeevent
    WHERE connection_id = %(connection)s
      AND (received_at >= %(opened)s OR done_at >= %(opened)s OR state = 'waiting')
), catalog AS (
    SELECT array_agg(object_id)::text[] AS ids FROM events WHERE stripe_customer_id = '' AND object_id <> ''
), told AS (
    SELECT stripe_customer_id AS id FROM events WHERE stripe_customer_id <> ''
    UNION
    SELECT s.customer_id FROM integrations_stripesubscription s, catalog
    WHERE s.connection_id = %(connection)s
      AND (s.price_ids::text[] && catalog.ids OR s.product_ids::text[] && catalog.ids)
)
DELETE FROM integrations_driftentry e
WHERE e.report_id = %(report)s
  AND (e.stripe_customer_id IN (SELECT id FROM told)
       OR e.customer_id IN (SELECT sc.customer_id FROM integrations_stripecustomer sc
                            WHERE sc.connection_id = %(connection)s AND sc.stripe_id IN (SELECT id FROM told)))
"""


def report_of(run: SyncRun) -> DriftReport | None:
    """The report a run writes; None for a run that compares nothing."""
    return DriftReport.objects.filter(run=run).first() if run.kind in COMPARING_KINDS else None


def note(report: DriftReport, batch: Batch) -> None:
    """Note what a batch is about to add to the mirror or to end in it, before it is stored, in a statement or two."""
    drift_unmatched.note(report, batch)
    rows = batch.tables.get("subscription", {}).values()
    gone = [(stripe_id, at) for (table, stripe_id), at in batch.gone.items() if table == "subscription"]
    if not rows and not gone:
        return
    values: dict[str, Any] = {
        "report": report.pk,
        "connection": report.connection_id,
        "opened": report.created_at,
        "ids": [row["stripe_id"] for row in rows] + [stripe_id for stripe_id, _at in gone],
        "customers": [row["customer_id"] for row in rows] + [None] * len(gone),
        "statuses": [row["status"] for row in rows] + [""] * len(gone),
        "live": [row["live"] for row in rows] + [False] * len(gone),
        "created": [row["created"] for row in rows] + [None] * len(gone),
        "observed": [row["observed_at"] for row in rows] + [at for _stripe_id, at in gone],
    }
    with database.cursor() as cursor:
        cursor.execute(NOTE, values)


def conclude(report: DriftReport, run: SyncRun, *, has_events: bool) -> DriftReport:
    """Finish the report of a run that went through: what moved, less what events tell of; safe to repeat."""
    connection = report.connection
    values: dict[str, Any] = {
        "report": report.pk,
        "connection": connection.pk,
        "environment": connection.environment,
        "began": datetime.fromisoformat(run.checkpoint["began"]),
        "opened": report.created_at,
    }
    with transaction.atomic():
        report.entries.filter(kind=DriftKind.DIFFERENT).exclude(field__in=drift_unmatched.FIELDS).delete()
        with database.cursor() as cursor:
            for statement in (DIFFERENT, OWNERS, TOLD):
                cursor.execute(statement, values)
        kinds = dict(report.entries.order_by().values_list("kind").annotate(number=Count("pk")))
        # A Stripe customer that is nobody's stands for itself.
        different = report.entries.filter(kind=DriftKind.DIFFERENT).order_by()
        different = different.annotate(whose=Coalesce(Cast("customer", CharField()), "stripe_customer_id"))
        report.has_events = has_events
        report.checked = run.read
        report.missing = kinds.get(DriftKind.MISSING, 0)
        report.extra = kinds.get(DriftKind.EXTRA, 0)
        report.by_field = dict(different.values_list("field").annotate(number=Count("whose", distinct=True)))
        report.different = different.values("whose").distinct().count()
        report.concluded_at = Now()
        report.save()
    report.refresh_from_db()
    return report


def latest(connection: StripeConnection) -> DriftReport | None:
    """The report of the last night that has one."""
    return DriftReport.objects.filter(connection=connection, concluded_at__isnull=False).first()


def entries_of(report: DriftReport) -> Any:
    """The differences of a report with their customers, customer by customer."""
    return DriftEntry.objects.filter(report=report).select_related("customer")

"""The tasks of :mod:`bench.child`: each does one thing on the bench's database and returns figures."""

from __future__ import annotations

import cProfile
import csv
import math
import pstats
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection as database

from bench.deliveries import deliveries
from bench.fill import fill
from bench.floor import floor
from bench.incremental import incremental
from bench.measure import measured, peak_memory_mb
from bench.pages import pages
from customers.models import Customer
from integrations.models import Mode, RunKind, StripeInvoice, SyncRun
from integrations.stripe.sync import connections, runs
from integrations.stripe.sync.rows import moment

KEY = "rk_live_all"


def prepare() -> dict[str, Any]:
    """An empty database with the newest tables."""
    call_command("migrate", verbosity=0)
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(format('%I', tablename), ', ') FROM pg_tables WHERE schemaname = 'public'"
            " AND (tablename LIKE 'customers_%' OR tablename LIKE 'integrations_%' OR tablename LIKE 'django_q_%')"
        )
        cursor.execute(f"TRUNCATE {cursor.fetchone()[0]} RESTART IDENTITY CASCADE")
        cursor.execute("SHOW server_version")
        return {"postgresql": cursor.fetchone()[0]}


def crm(path: str) -> dict[str, Any]:
    """The customers of a CRM file as ours, and a connection to the sandbox."""
    with Path(path).open() as file:
        rows = list(csv.DictReader(file))
    Customer.objects.bulk_create(
        (Customer(**{name: row[name] for name in ("name", "domain", "status", "environment")}) for row in rows),
        batch_size=2000,
    )
    connections.connect_by_key(Mode.LIVE, key=KEY, actor=None)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE customers_customer")
    return {"customers": len(rows)}


def sync(kind: str = RunKind.FULL, profile: bool = False) -> dict[str, Any]:
    """One run from its start to its end, as the foreground command works it."""
    profiler = cProfile.Profile() if profile else None
    connection = connections.get(Mode.LIVE)
    with measured() as cost:
        if profiler:
            profiler.enable()
        run = runs.start(connection, kind=kind, actor=None, queue=False)
        while run.is_active:
            runs.continue_run(run.pk, queue=False)
            run.refresh_from_db()
        if profiler:
            profiler.disable()
    if profiler:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(45)
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("cumulative").print_stats(70)
    return {
        "state": run.state,
        "error": run.error_detail,
        "wall": cost.wall,
        "cpu": cost.cpu,
        "database_cpu": cost.database_cpu,
        "memory_mb": peak_memory_mb(),
        "statements": cost.statements,
        "paid_pages": paid_pages(run),
        "own_reads": run.own_reads,
        "in_doubt": in_doubt(),
        "read": run.read,
        "rows_written": run.rows_written,
        "matched": run.matched,
        "by_kind": sorted(((seconds, count, sql) for sql, (count, seconds) in cost.by_kind.items()), reverse=True)[:25],
    }


def paid_pages(run: SyncRun) -> int:
    """How many pages of paid invoices the run read: what its lanes cover tells."""
    lanes = run.checkpoint["walks"].get("paid_invoices", [])
    if not lanes:
        return 0
    since = min(lane["from"] or 0 for lane in lanes)
    return math.ceil(StripeInvoice.objects.filter(created__gte=moment(since)).count() / 100)


IN_DOUBT = """
SELECT count(*) FROM (SELECT DISTINCT connection_id, customer_id FROM integrations_stripesubscription) s
LEFT JOIN LATERAL (
    SELECT i.status FROM integrations_stripeinvoice i
    WHERE i.connection_id = s.connection_id AND i.customer_id = s.customer_id AND i.status NOT IN ('draft', 'void')
      AND (i.status <> 'paid' OR i.stripe_id IN (
          SELECT l.latest_invoice_id FROM integrations_stripesubscription l
          WHERE l.connection_id = s.connection_id AND l.customer_id = s.customer_id
      ))
    ORDER BY i.created DESC, i.stripe_id DESC LIMIT 1
) AS newest ON true
WHERE newest.status IS DISTINCT FROM 'paid'
"""


def in_doubt() -> int:
    """How many customers each need a read of their own where paid invoices are not paged."""
    with database.cursor() as cursor:
        cursor.execute(IN_DOUBT)
        return int(cursor.fetchone()[0])


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "prepare": prepare,
    "crm": crm,
    "sync": sync,
    "floor": lambda paid_pages: floor(KEY, paid_pages),
    "incremental": incremental,
    "deliveries": deliveries,
    "fill": fill,
    "pages": pages,
}

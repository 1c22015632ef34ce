"""Connects to a running sandbox, runs syncs to their end, and says what came of them."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from customers.models import Customer, Environment
from integrations.models import (
    Mode,
    RunKind,
    StripeConnection,
    StripeCoupon,
    StripeCustomer,
    StripeInvoice,
    StripeInvoicePayment,
    StripePaymentIntent,
    StripePrice,
    StripeProduct,
    StripeSubscription,
    SyncRun,
)
from integrations.stripe.sync import connections, runs
from sandbox.testing import Running

FOUR = ["customer_read", "subscription_read", "invoice_read", "payment_intent_read"]
EIGHT = [*FOUR, "product_read", "plan_read", "coupon_read", "event_read"]
FIELDS = ("plan", "mrr", "payment_status", "billing_started_at", "stripe_customer_id")
MIRROR = (
    StripeCustomer,
    StripeSubscription,
    StripeInvoice,
    StripeInvoicePayment,
    StripePaymentIntent,
    StripePrice,
    StripeProduct,
    StripeCoupon,
)
MOST_SLICES = 50
"""More than any run of a test needs: one that does not end is a failure, not an endless test."""


def connect(stripe: Running, key: str = "rk_live_all", *, mode: str = "live") -> StripeConnection:
    """A connection to the sandbox by restricted key; this process calls the sandbox from now on."""
    settings.STRIPE_API_BASE = stripe.url
    return connections.connect_by_key(mode, key=key, actor=None)


def start(connection: StripeConnection, kind: str = RunKind.FULL) -> SyncRun:
    """A run that no worker is told of."""
    return runs.start(connection, kind=kind, actor=None, queue=False)


def go_on(run: SyncRun) -> SyncRun:
    """Work a run slice by slice until it has ended, or waits for access."""
    for _number in range(MOST_SLICES):
        runs.continue_run(run.pk, queue=False)
        run.refresh_from_db()
        if not run.is_active or runs.is_parked(run):
            return run
    raise AssertionError(f"the run did not end in {MOST_SLICES} slices: {run.phase} {run.error_code}")


def sync(connection: StripeConnection, kind: str = RunKind.FULL) -> SyncRun:
    """A run from its start to its end."""
    return go_on(start(connection, kind))


def crm_rows(profile: str, subscriptions: int = 0) -> list[dict[str, str]]:
    """The CRM customers that belong to a sandbox's data, as its command prints them."""
    command = [sys.executable, "-m", "sandbox", "customers", "--profile", profile]
    if subscriptions:
        command += ["--subscriptions", str(subscriptions)]
    answer = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    return list(csv.DictReader(io.StringIO(answer.stdout)))


def import_crm(rows: Iterable[dict[str, str]]) -> None:
    """Those customers as ours."""
    Customer.objects.bulk_create(
        Customer(
            name=row["name"],
            domain=row["domain"],
            environment=row.get("environment") or Environment.PRODUCTION,
            status=row.get("status") or "active",
        )
        for row in rows
    )


def billing(mode: str = Mode.LIVE) -> dict[str, tuple[Any, ...]]:
    """The five fields by domain, of the environment a mode fills."""
    environment = Environment.PRODUCTION if mode == Mode.LIVE else Environment.STAGING
    rows = Customer.objects.filter(environment=environment).order_by("pk").values_list("domain", "pk", *FIELDS)
    return {f"{domain} {pk}": tuple(fields) for domain, pk, *fields in rows}


def mirror(connection: StripeConnection) -> dict[str, dict[str, Any]]:
    """Everything mirrored, without when it was observed."""
    return {
        model.__name__: dict(model.objects.filter(connection=connection).values_list("stripe_id", "data"))
        for model in MIRROR
    }

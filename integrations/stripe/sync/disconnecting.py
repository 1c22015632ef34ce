"""The end of a connection: access goes at once, what was read and shown only when somebody asks for that too."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now

from customers.models import Activity, Customer, MrrPoint, PaymentStatus
from integrations import audit
from integrations.errors import IntegrationError
from integrations.models import (
    AuditAction,
    BillingSummary,
    ConnectionState,
    NoticeKind,
    RunState,
    StripeConnection,
    StripeCustomer,
    SyncRun,
)
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.sync import derive, notices
from integrations.stripe.sync.rollup import SOURCE


def disconnect(connection: StripeConnection, *, actor: User | None, reason: str = "") -> None:
    """Delete our access. Values stay and are shown as stale; scope, options, decisions and mirror stay too.

    ``reason`` is said when it was nobody here who did it.
    """
    with transaction.atomic():
        stop_runs(connection)
        StripeConnection.objects.filter(pk=connection.pk).update(
            state=ConnectionState.DISCONNECTED,
            state_reason=(f"Disconnected by {actor}" if actor else reason)[:255],
            access_token="",
            refresh_token="",
            token_expires_at=None,
            refresh_claimed_until=None,
            webhook_secret="",
            webhook_secret_next="",
            disconnected_at=Now(),
        )
        audit.record(AuditAction.DISCONNECTED, actor=actor, connection=connection, subject=connection.account_id)
    notices.over(connection, NoticeKind.REAUTHORIZE)
    connection.refresh_from_db()


def stop_runs(connection: StripeConnection) -> None:
    """End the active run at once: its lease is gone, so whoever works on it writes nothing more."""
    SyncRun.objects.filter(connection=connection, state__in=ACTIVE_STATES).update(
        state=RunState.CANCELLED, finished_at=Now(), lease_token=None, lease_until=None
    )


def require_disconnected(connection: StripeConnection) -> None:
    """Raises IntegrationError ``still_connected`` when it is not disconnected: what it wrote would come back."""
    if StripeConnection.objects.get(pk=connection.pk).state != ConnectionState.DISCONNECTED:
        raise IntegrationError("still_connected")


def clear_billing(connection: StripeConnection, *, actor: User | None) -> int:
    """Empty the five billing fields of every customer a disconnected connection wrote; returns how many."""
    require_disconnected(connection)
    with derive.lock(connection):
        customers = derive.customers_of(connection).select_for_update(of=("self",)).order_by("pk")
        ids = list(customers.filter(billing_source=SOURCE).values_list("pk", flat=True))
        StripeCustomer.objects.filter(connection=connection).update(
            customer=None, standing="", match_state="", match_reason="", ambiguous_kind="", ambiguous_since=None
        )
        BillingSummary.objects.filter(customer_id__in=ids).delete()
        MrrPoint.objects.bulk_create(
            [
                MrrPoint(customer_id=pk, mrr=0, cause=MrrPoint.Cause.DECISION)
                for pk in customers.filter(pk__in=ids, mrr__gt=0).values_list("pk", flat=True)
            ],
            batch_size=1000,
        )
        blank_billing(ids)
        Activity.objects.bulk_create(
            [
                Activity(
                    customer_id=pk,
                    actor=actor,
                    actor_type=Activity.ActorType.USER,
                    event_type="billing.cleared",
                    origin="Stripe disconnected",
                )
                for pk in ids
            ],
            batch_size=1000,
        )
        audit.record(
            AuditAction.BILLING_CLEARED,
            actor=actor,
            connection=connection,
            subject=connection.account_id,
            details={"customers": len(ids)},
        )
    return len(ids)


def blank_billing(customer_ids: list[int]) -> None:
    """Empty everything an integration wrote on these customers."""
    Customer.objects.filter(pk__in=customer_ids).update(
        plan="",
        plan_label="",
        mrr=0,
        payment_status=PaymentStatus.NONE,
        billing_started_at=None,
        stripe_customer_id="",
        billing_source="",
        billing_as_of=None,
        billing_flags=[],
        next_change_at=None,
        mrr_at_risk=None,
        at_risk_reason="",
        at_risk_at=None,
    )


MIRROR_TABLES = (
    "stripecustomer",
    "stripesubscription",
    "stripeinvoice",
    "stripeinvoicepayment",
    "stripepaymentintent",
    "stripeprice",
    "stripeproduct",
    "stripecoupon",
    "stripeevent",
)


def delete_mirror(connection: StripeConnection, *, actor: User | None) -> None:
    """Delete everything read from the account, so that another one may be connected; billing fields go with it."""
    clear_billing(connection, actor=actor)
    with derive.lock(connection), database.cursor() as cursor:
        audit.record(AuditAction.MIRROR_DELETED, actor=actor, connection=connection, subject=connection.account_id)
        for table in MIRROR_TABLES:
            cursor.execute(f"DELETE FROM integrations_{table} WHERE connection_id = %s", [connection.pk])  # noqa: S608
        connection.runs.all().delete()  # the log of another account would only mislead
        connection.attempts.all().delete()
        connection.issues.all().delete()
        connection.drift_reports.all().delete()
        connection.notices.all().delete()
        connection.scope.all().delete()
        StripeConnection.objects.filter(pk=connection.pk).update(
            account_id="",
            account_name="",
            last_full_sync_at=None,
            last_look_at=None,
            last_incremental_update_at=None,
            events_polled_at=None,
            next_poll_at=None,
            quiet_polls=0,
        )
    connection.refresh_from_db()

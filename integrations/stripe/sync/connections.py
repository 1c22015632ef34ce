"""Connecting and disconnecting: the right account, the right mode, and nothing stored when either is wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now

from customers.models import Activity, Customer, MrrPoint, PaymentStatus
from integrations import audit
from integrations.errors import IntegrationError
from integrations.models import (
    AuditAction,
    AuthKind,
    BillingSummary,
    ConnectionState,
    Mode,
    NoticeKind,
    RunState,
    StripeConnection,
    StripeCoupon,
    StripeCustomer,
    StripePrice,
    StripeProduct,
    SyncRun,
)
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.api import oauth
from integrations.stripe.api.calls import Call
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.factory import AT_ONCE, reader_for
from integrations.stripe.api.objects import Account
from integrations.stripe.api.permissions import ProbeResult, check_restricted_key, probe, read_account
from integrations.stripe.api.presets import preset_for
from integrations.stripe.sync import calls, catalog_reading, derive, notices, rates, runs, tokens
from integrations.stripe.sync.accounts import has_mirror, require_same_account
from integrations.stripe.sync.rollup import SOURCE
from integrations.stripe.sync.tokens import mode_of

logger = logging.getLogger(__name__)


def get(mode: str) -> StripeConnection:
    """The connection of a mode; its row is made when it is asked for the first time."""
    connection, _created = StripeConnection.objects.get_or_create(mode=Mode(mode))
    return connection


def connect_by_code(mode: str, *, code: str, redirect_uri: str, actor: User | None) -> StripeConnection:
    """Trade the code of Stripe's consent page for access and store it.

    Raises IntegrationError ``code_used``, ``wrong_mode``, ``wrong_account``, ``permission_missing``,
    ``not_configured`` or ``stripe_unavailable``; nothing is stored then. An exchange is never tried twice.
    """
    connection = get(mode)
    configured = preset_for(mode_of(connection))
    if configured is None:
        raise IntegrationError("not_configured")
    with listed_calls(connection) as made:
        grant = oauth.exchange(mode_of(connection), code, redirect_uri, on_call=made.append)
        access = {
            "auth_kind": AuthKind(configured.preset.name),
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "token_expires_at": grant.expires_at,
            "key_last4": "",
        }
        with closing(reader_for(mode_of(connection), grant.access_token, on_call=made.append)) as reader:
            return store_access(connection, reader, account_id=grant.account_id, access=access, actor=actor)


def connect_by_key(mode: str, *, key: str, account_id: str = "", actor: User | None) -> StripeConnection:
    """Connect with a restricted key that an admin made in Stripe's Dashboard.

    Raises IntegrationError ``invalid_key``, ``wrong_mode``, ``wrong_account``, ``permission_missing``,
    ``reauthorize`` (the key is not valid) or ``stripe_unavailable``; nothing is stored then.
    """
    connection = get(mode)
    cleaned = check_restricted_key(key, mode_of(connection))
    access = {
        "auth_kind": AuthKind.RESTRICTED_KEY,
        "access_token": cleaned,
        "refresh_token": "",
        "token_expires_at": None,
        "key_last4": cleaned[-4:],
    }
    with (
        listed_calls(connection) as made,
        closing(reader_for(mode_of(connection), cleaned, on_call=made.append)) as reader,
    ):
        return store_access(connection, reader, account_id=account_id.strip(), access=access, actor=actor)


@contextmanager
def listed_calls(connection: StripeConnection) -> Iterator[list[Call]]:
    """A list for the calls made inside; they are kept, whatever becomes of them."""
    made: list[Call] = []
    try:
        yield made
    finally:
        calls.record(connection, made)


def store_access(
    connection: StripeConnection,
    reader: StripeReader,
    *,
    account_id: str,
    access: dict[str, Any],
    actor: User | None,
) -> StripeConnection:
    """Find out what the access is good for, and store it when it is the right account."""
    result = probe(reader)
    if not result.can_connect:
        raise IntegrationError("permission_missing", " ".join(result.will_be_blank))
    account = read_account(reader)
    if account is not None and account_id and account.id != account_id:
        raise IntegrationError("wrong_account", f"The key belongs to {account.id}, not to {account_id}.")
    offered = account or Account(id=account_id)
    require_same_account(connection, reader, offered)
    with transaction.atomic():
        locked = StripeConnection.objects.select_for_update().get(pk=connection.pk)
        mirrored = has_mirror(connection)
        if not mirrored:
            start_afresh(locked, offered.id)
        for name, value in access.items():
            setattr(locked, name, value)
        locked.state = ConnectionState.CONNECTED
        locked.state_reason = ""
        locked.account_id = offered.id or locked.account_id
        locked.account_name = offered.display_name[:255] or locked.account_name
        locked.permissions = list(result.granted)
        locked.can_expand = result.can_expand
        locked.refresh_claimed_until = None
        locked.connected_at = Now()
        locked.connected_by = actor
        locked.disconnected_at = None
        locked.save()
        audit.record(
            AuditAction.CONNECTED,
            actor=actor,
            connection=locked,
            subject=locked.account_id,
            details={
                "by": str(locked.auth_kind),
                "key_last4": locked.key_last4,
                "permissions": sorted(locked.permissions),
            },
        )
    locked.refresh_from_db()
    rates.seed()
    notices.over(locked, NoticeKind.REAUTHORIZE)
    if mirrored:
        # What changed on our side while nothing was matched: edits, decisions, cleared fields.
        derive.rematch(locked, everything=True, origin="Reconnected")
    parked = runs.active(locked)
    if parked is not None:
        runs.enqueue(parked.pk)
    try:
        catalog_reading.read(locked, reader)
    except IntegrationError as error:
        # The connection stands; products and prices to choose from come with the first run then.
        logger.warning("Stripe %s: the catalog could not be read yet: %s", locked.mode, error)
    return locked


def start_afresh(connection: StripeConnection, account_id: str) -> None:
    """Forget what is left of an account that was connected here and never synced.

    A run that waits for this very account to be connected again begins again; any other is stopped.
    """
    if connection.state == ConnectionState.REAUTHORIZE and connection.account_id == account_id:
        SyncRun.objects.filter(connection=connection, state=RunState.QUEUED).update(checkpoint={})
    else:
        stop_runs(connection)
    for model in (StripeProduct, StripePrice, StripeCoupon):
        model.objects.filter(connection=connection).delete()
    if connection.account_id != account_id:
        connection.scope.all().delete()
        connection.account_id = connection.account_name = ""


def recheck_permissions(connection: StripeConnection) -> ProbeResult:
    """Ask again what the connection may read, after permissions were added in Stripe.

    Raises IntegrationError ``reauthorize``, which the connection then asks for, or ``stripe_unavailable``.
    """
    used: list[str] = []

    def token() -> str:
        used.append(tokens.access_token(connection))
        return used[-1]

    with (
        listed_calls(connection) as made,
        closing(reader_for(mode_of(connection), token, on_call=made.append, patience=AT_ONCE)) as reader,
    ):
        try:
            result = probe(reader)
            keep_permissions(connection, result)
            catalog_reading.read(connection, reader)
        except IntegrationError as error:
            if error.code == "reauthorize" and not tokens.is_renewed(connection, used[-1] if used else ""):
                tokens.ask_to_reauthorize(connection, error)
            raise
        return result


def probe_again(connection: StripeConnection, reader: StripeReader) -> bool:
    """Find out what the connection may read now; True when that is not what we thought."""
    before = (connection.permissions, connection.can_expand)
    keep_permissions(connection, probe(reader))
    return before != (connection.permissions, connection.can_expand)


def keep_permissions(connection: StripeConnection, result: ProbeResult) -> None:
    """Remember what a probe found."""
    connection.permissions = list(result.granted)
    connection.can_expand = result.can_expand
    connection.save(update_fields=["permissions", "can_expand"])


def rename(connection: StripeConnection, name: str) -> None:
    """The account has another name now, as Stripe says."""
    if name:
        StripeConnection.objects.filter(pk=connection.pk).update(account_name=name[:255])


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

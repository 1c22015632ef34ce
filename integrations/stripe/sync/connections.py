"""Connecting: the right account, the right mode, and nothing stored when either is wrong."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from integrations import audit
from integrations.errors import IntegrationError
from integrations.models import (
    AuditAction,
    AuthKind,
    ConnectionState,
    Mode,
    NoticeKind,
    RunState,
    StripeConnection,
    StripeCoupon,
    StripePrice,
    StripeProduct,
    SyncRun,
)
from integrations.stripe.api import oauth
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.factory import reader_for
from integrations.stripe.api.objects import Account
from integrations.stripe.api.permissions import check_restricted_key, probe, read_account
from integrations.stripe.api.presets import preset_for
from integrations.stripe.sync import calls, catalog_reading, derive, disconnecting, notices, rates, runs
from integrations.stripe.sync.accounts import has_mirror, require_same_account
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
    with calls.listed(connection) as made:
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
        calls.listed(connection) as made,
        closing(reader_for(mode_of(connection), cleaned, on_call=made.append)) as reader,
    ):
        return store_access(connection, reader, account_id=account_id.strip(), access=access, actor=actor)


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
        derive.rematch_all(locked, origin="Reconnected")
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
        disconnecting.stop_runs(connection)
    for model in (StripeProduct, StripePrice, StripeCoupon):
        model.objects.filter(connection=connection).delete()
    if connection.account_id != account_id:
        connection.scope.all().delete()
        connection.account_id = connection.account_name = ""


def rename(connection: StripeConnection, name: str) -> None:
    """The account has another name now, as Stripe says."""
    if name:
        StripeConnection.objects.filter(pk=connection.pk).update(account_name=name[:255])

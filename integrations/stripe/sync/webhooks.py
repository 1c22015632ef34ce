"""What becomes of a notification: checked on its raw bytes, kept as a hint, answered in milliseconds.

The app's endpoint hears of the account that is connected, whichever it is, and is signed with secrets of the settings;
an account's own endpoint is signed with secrets kept on the connection. Whatever is wrong has a reason, is listed in
the log, and is never an error of ours (docs/architecture.md section 4 "Incremental").
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from integrations.errors import IntegrationError
from integrations.fields import is_unreadable
from integrations.models import AttemptKind, AttemptState, ConnectionState, StripeConnection, StripeEvent
from integrations.stripe.api import signatures
from integrations.stripe.api.events import AUTHORIZED, Hint, read_hint
from integrations.stripe.sync import attempts, connections, inbox

logger = logging.getLogger(__name__)

NOTED_EACH = timedelta(seconds=5)  # a row that every delivery writes would be waited for
SECRETS = ("webhook_secret", "webhook_secret_next")

# As text: with hundreds of deliveries a second, putting the statement together costs more than the answer.
COLUMNS = "id, mode, state, account_id, connected_at"
APP_ENDPOINT = f"SELECT {COLUMNS} FROM integrations_stripeconnection WHERE mode = %s"  # noqa: S608 - text of ours
OWN_ENDPOINT = f"SELECT {COLUMNS}, {', '.join(SECRETS)} FROM integrations_stripeconnection WHERE mode = %s"  # noqa: S608

STATUS = {
    "signature_invalid": HTTPStatus.BAD_REQUEST,
    "invalid_response": HTTPStatus.BAD_REQUEST,
    "cut_short": HTTPStatus.BAD_REQUEST,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "wrong_mode": HTTPStatus.UNPROCESSABLE_ENTITY,
    "wrong_account": HTTPStatus.NOT_FOUND,
    "not_configured": HTTPStatus.NOT_FOUND,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told: the status, what was done, and why it was refused."""

    status: HTTPStatus
    done: str
    reason: str = ""


def accept(mode: str, body: bytes, signature: str, *, own_endpoint: bool) -> Answer:
    """Take one delivery; three statements, a few more when it is the first for a while, known, or refused."""
    connection = connection_of(mode, own_endpoint=own_endpoint)
    if own_endpoint and any(is_unreadable(getattr(connection, name)) for name in SECRETS):
        logger.error("The signing secrets of Stripe %s cannot be read: FIELD_ENCRYPTION_KEYS lack their key", mode)
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, "not_configured", "The signing secret cannot be read here.")
    try:
        signatures.verify(body, signature, secrets_of(connection, own_endpoint=own_endpoint))
        hint = read_hint(body)
        if hint.type == AUTHORIZED:
            return Answer(HTTPStatus.OK, "ignored")
        require_ours(connection, hint, own_endpoint=own_endpoint)
    except IntegrationError as error:
        return refuse(connection, error)
    if not hint.taken:
        note(connection, "webhook_at")
        return Answer(HTTPStatus.OK, "ignored")
    new = inbox.receive(connection, [hint], source=StripeEvent.Source.WEBHOOK)
    if not new:
        note(connection, "webhook_at")
    return Answer(HTTPStatus.OK, "received" if new else "known")


def refuse_unread(mode: str, error: IntegrationError) -> Answer:
    """Refuse a delivery whose body is not there to be checked: ``too_large`` or ``cut_short``."""
    return refuse(connection_of(mode, own_endpoint=False), error)


def connection_of(mode: str, *, own_endpoint: bool) -> StripeConnection:
    """The connection of a mode with what is needed here."""
    sql = OWN_ENDPOINT if own_endpoint else APP_ENDPOINT
    return next(iter(StripeConnection.objects.raw(sql, [mode])), None) or connections.get(mode)


def secrets_of(connection: StripeConnection, *, own_endpoint: bool) -> list[str]:
    """The signing secrets that may have been used: two while one is rotated.

    Raises IntegrationError ``not_configured`` when there is none.
    """
    if own_endpoint:
        found = [connection.webhook_secret, connection.webhook_secret_next]
    else:
        found = str(getattr(settings, f"STRIPE_WEBHOOK_SECRET_{connection.mode.upper()}")).split(",")
    secrets = [secret.strip() for secret in found if secret.strip()]
    if not secrets:
        raise IntegrationError("not_configured", "No signing secret is known for this endpoint.")
    return secrets


def require_ours(connection: StripeConnection, hint: Hint, *, own_endpoint: bool) -> None:
    """Raises IntegrationError ``wrong_mode`` or ``wrong_account`` for an event that does not belong here."""
    if hint.livemode != (connection.mode == "live"):
        sent = "live" if hint.livemode else "test"
        raise IntegrationError("wrong_mode", f"A {sent} event arrived at the {connection.mode} endpoint.")
    if connection.state == ConnectionState.DISCONNECTED:
        raise IntegrationError("wrong_account", "Stripe is not connected here.")
    is_ours = hint.account == connection.account_id if hint.account else own_endpoint
    if not is_ours:
        raise IntegrationError("wrong_account", "The event belongs to an account that is not connected here.")


def refuse(connection: StripeConnection, error: IntegrationError) -> Answer:
    """Say why, and list it: once a minute and reason, with how many there were."""
    is_first = attempts.record(
        connection,
        AttemptKind.WEBHOOK,
        state=AttemptState.FAILED,
        error=error,
        merge=True,
        events=1,
    )
    if is_first:
        logger.warning("a webhook at the %s endpoint was refused: %s", connection.mode, error)
    note(connection, "webhook_rejected_at")
    return Answer(STATUS[error.code], error.code, error.detail or error.text.what)


def note(connection: StripeConnection, column: str) -> None:
    """Remember when the last delivery came, to within a few seconds."""
    stale = Q(**{f"{column}__isnull": True}) | Q(**{f"{column}__lt": Now() - NOTED_EACH})
    StripeConnection.objects.filter(stale, pk=connection.pk).update(**{column: Now()})

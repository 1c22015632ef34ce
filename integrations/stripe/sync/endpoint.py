"""The signing secrets of an account's own webhook endpoint: one, and two while it is rotated.

Stripe signs with both while a secret is rolled, and so both are accepted until somebody says that the rotation is over.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from integrations import audit
from integrations.errors import IntegrationError
from integrations.models import AuditAction, StripeConnection

PREFIX = "whsec_"


def add_secret(connection: StripeConnection, secret: str, *, actor: User | None) -> None:
    """Accept a signing secret: as the first one, or beside the one there is.

    Raises IntegrationError ``signature_invalid`` for what is no signing secret.
    """
    cleaned = secret.strip()
    if not cleaned.startswith(PREFIX) or len(cleaned) <= len(PREFIX):
        raise IntegrationError("signature_invalid", "A signing secret starts with whsec_.")
    with transaction.atomic():
        locked = StripeConnection.objects.select_for_update().get(pk=connection.pk)
        if not locked.webhook_secret or cleaned == locked.webhook_secret:
            locked.webhook_secret = cleaned
        else:
            locked.webhook_secret_next = cleaned
        locked.save(update_fields=["webhook_secret", "webhook_secret_next"])
        record(locked, "added", actor)


def finish_rotation(connection: StripeConnection, *, actor: User | None) -> bool:
    """Drop the old secret: only the new one is accepted from now on. False when none is rotated."""
    with transaction.atomic():
        locked = StripeConnection.objects.select_for_update().get(pk=connection.pk)
        if not locked.webhook_secret_next:
            return False
        locked.webhook_secret, locked.webhook_secret_next = locked.webhook_secret_next, ""
        locked.save(update_fields=["webhook_secret", "webhook_secret_next"])
        record(locked, "rotated", actor)
    return True


def forget_secrets(connection: StripeConnection, *, actor: User | None) -> None:
    """Accept nothing at the account's own endpoint any more."""
    with transaction.atomic():
        StripeConnection.objects.filter(pk=connection.pk).update(webhook_secret="", webhook_secret_next="")
        record(connection, "deleted", actor)


def record(connection: StripeConnection, what: str, actor: User | None) -> None:
    """Add what was done to a secret to the audit log; never the secret."""
    audit.record(AuditAction.SECRET, actor=actor, connection=connection, details={"webhook": what})

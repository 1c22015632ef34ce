"""The one way into the audit log. Services call it inside the transaction of what they record."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from integrations import context
from integrations.models import AuditAction, AuditEntry, StripeConnection


def record(
    action: AuditAction | str,
    *,
    actor: AbstractBaseUser | AnonymousUser | None,
    connection: StripeConnection | None = None,
    subject: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Add an entry: ``actor`` did ``action`` to ``subject``.

    ``actor`` None means a command or the product itself. ``details`` must be plain JSON values and hold no secret.
    Called in the transaction of the deed, an entry stands if and only if the deed does.
    """
    known = context.current()
    return AuditEntry.objects.create(
        actor_id=actor.pk if actor else None,
        actor_name=actor.get_username()[:150] if actor else "",
        action=AuditAction(action),
        mode=connection.mode if connection else "",
        subject=subject[:255],
        details=dict(details or {}),
        request_id=known.get("request", "")[:36],
        address=_address(known.get("address", "")),
    )


def _address(text: str) -> str | None:
    """The address when it is one: a test client or a unix socket has none."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None

"""Follows what changes on the CRM side: an edit of a domain, environment or archive state matches again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from integrations.models import StripeConnection


def on_customers_changed(sender: Any, *, environment: str, domains: Iterable[str], ids: Iterable[int], **kw: Any) -> None:
    """Match the Stripe customers these domains and customers concern again, and roll up everybody they touch."""
    from integrations.stripe.sync import derive

    for connection in StripeConnection.objects.all():
        if connection.environment == environment and connection.is_connected:
            derive.rematch(connection, domains=frozenset(domains), customer_ids=frozenset(ids))

"""Follows what changes on our side: an edit of a domain, environment or archive state, and a new exchange rate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from integrations.models import ConnectionState, ExchangeRate, StripeConnection
from integrations.stripe.sync import derive, rates


def on_customers_changed(
    sender: Any, *, environment: str, domains: Iterable[str], ids: Iterable[int], **kw: Any
) -> None:
    """Match the Stripe customers these domains and customers concern again, and roll up everybody they touch."""
    for connection in connected():
        if connection.environment == environment:
            derive.rematch(
                connection, domains=frozenset(domains), customer_ids=frozenset(ids), decided=True, origin="Matching"
            )


def on_rate_changed(sender: Any, *, instance: ExchangeRate, **kw: Any) -> None:
    """Let the worker convert again what is billed in this currency, once the rate is committed.

    Thousands of customers may be billed in it, so nobody waits for them at a form (docs/rules.md section 4.11).
    """
    rates.ask_to_convert(instance.currency)


def connected() -> Iterable[StripeConnection]:
    """The connections that match and roll up: only a disconnected one leaves everything as it is."""
    return StripeConnection.objects.exclude(state=ConnectionState.DISCONNECTED).order_by("pk")

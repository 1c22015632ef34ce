"""What disconnecting takes away, and what it leaves."""

from __future__ import annotations

from dataclasses import dataclass

from customers.models import Customer
from integrations.models import AuthKind, StripeConnection, StripeCustomer
from integrations.stripe.pages import links


@dataclass(frozen=True, slots=True)
class LeaveTaking:
    """``with_figures`` customers carry figures of this connection, ``mirrored`` Stripe customers are in our copy."""

    account: str
    with_figures: int
    mirrored: int
    is_app: bool
    apps_url: str
    keys_url: str


def leave_taking(connection: StripeConnection) -> LeaveTaking:
    """The numbers and links of the disconnect page and of the two choices after it."""
    with_figures = Customer.objects.in_environment(connection.environment).filter(billing_source="stripe")
    return LeaveTaking(
        account=connection.account_name or connection.account_id or "Stripe",
        with_figures=with_figures.count(),
        mirrored=StripeCustomer.objects.filter(connection=connection).count(),
        is_app=connection.auth_kind in (AuthKind.STRIPE_APP, AuthKind.CONNECT),
        apps_url=links.installed_apps_url(connection),
        keys_url=links.api_keys_url(connection),
    )

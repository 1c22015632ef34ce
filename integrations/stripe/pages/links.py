"""Addresses in Stripe's Dashboard.

Ids come from Stripe and are quoted before they become part of an address. Links name the account when it is known, so
that somebody with several accounts lands in the right one (docs/rules.md section 3, ``stripe_customer_id``).
"""

from __future__ import annotations

from urllib.parse import quote

from django.conf import settings

from integrations.models import Mode, StripeConnection


def dashboard_url(connection: StripeConnection, *parts: str) -> str:
    """The Dashboard page of ``parts``: ``/{acct}/customers/{id}``, ``/{acct}/test/customers/{id}`` in test mode."""
    account = [connection.account_id] if connection.account_id.startswith("acct_") else []
    test = ["test"] if connection.mode == Mode.TEST else []
    path = "/".join(quote(part, safe="") for part in (*account, *test, *parts))
    return f"{settings.STRIPE_DASHBOARD_BASE}/{path}"


def customer_url(connection: StripeConnection, stripe_id: str) -> str:
    """The page of a Stripe customer."""
    return dashboard_url(connection, "customers", stripe_id)


def subscription_url(connection: StripeConnection, stripe_id: str) -> str:
    """The page of a subscription."""
    return dashboard_url(connection, "subscriptions", stripe_id)


def invoice_url(connection: StripeConnection, stripe_id: str) -> str:
    """The page of an invoice."""
    return dashboard_url(connection, "invoices", stripe_id)


def record_url(connection: StripeConnection, object_type: str, stripe_id: str) -> str:
    """The page of any record an issue may name; empty where the Dashboard has none for the type."""
    pages = {
        "customer": "customers",
        "subscription": "subscriptions",
        "invoice": "invoices",
        "payment_intent": "payments",
        "price": "prices",
        "product": "products",
        "coupon": "coupons",
    }
    page = pages.get(object_type)
    return dashboard_url(connection, page, stripe_id) if page and stripe_id else ""


def installed_apps_url(connection: StripeConnection) -> str:
    """Where the account's owner ends an app's access on Stripe's side."""
    return dashboard_url(connection, "settings", "apps")


def api_keys_url(connection: StripeConnection) -> str:
    """Where the account's owner deletes a restricted key."""
    return dashboard_url(connection, "apikeys")

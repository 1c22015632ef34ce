"""The eight reads we ask for, and finding out which were granted (docs/rules.md section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext_noop as _

from integrations.errors import IntegrationError
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.failures import PermissionMissing
from integrations.stripe.api.objects import Account

Mode = Literal["live", "test"]

_CREATE_KEY = "https://dashboard.stripe.com{test}/apikeys/create?name=Pivotal{permissions}"


@dataclass(frozen=True, slots=True)
class Permission:
    """One read permission.

    ``slug`` is Stripe's name, ``path`` the list it opens, ``why`` what it is used for, ``without`` what will be blank
    or flagged when it is missing. ``needed`` are the four of the mission; the others improve figures. ``required``
    are the two without which nothing can be connected.
    """

    slug: str
    label: str
    why: str
    without: str
    path: str
    needed: bool = False
    required: bool = False


PERMISSIONS: tuple[Permission, ...] = (
    Permission(
        "customer_read",
        _("Customers"),
        _("The e-mail address, to find the customer with the same domain."),
        _("Nothing can be matched, so Stripe cannot be connected."),
        "/v1/customers",
        needed=True,
        required=True,
    ),
    Permission(
        "subscription_read",
        _("Subscriptions"),
        _("Plan, quantity, price and start date, to work out plan and MRR."),
        _("There is no plan and no MRR, so Stripe cannot be connected."),
        "/v1/subscriptions",
        needed=True,
        required=True,
    ),
    Permission(
        "invoice_read",
        _("Invoices"),
        _("To say paid, past due or failing."),
        _("Payment status is judged from the status of the subscription alone; paid is never shown."),
        "/v1/invoices",
        needed=True,
    ),
    Permission(
        "payment_intent_read",
        _("Payment Intents"),
        _("Whether the last attempt was declined or waits for the bank."),
        _("Payment status is judged from the number of attempts; a debit under way may look like a failing one."),
        "/v1/payment_intents",
        needed=True,
    ),
    Permission(
        "product_read",
        _("Products"),
        _("Names for plans without a lookup key, and choosing scope by product."),
        _("Plans without a lookup key show the price's nickname or id, and scope lists products by id."),
        "/v1/products",
    ),
    Permission(
        "plan_read",
        _("Prices"),
        _("Tiers, for MRR of tiered prices."),
        _("Tiered prices and prices in a second currency count 0 and are flagged on the receipt."),
        "/v1/prices",
    ),
    Permission(
        "coupon_read",
        _("Coupons"),
        _("Discounts held on a customer or an item."),
        _("Discounts held on a customer or an item are flagged on the receipt."),
        "/v1/coupons",
    ),
    Permission(
        "event_read",
        _("Events"),
        _("What changed since the last look."),
        _("Changes arrive by webhook and with the nightly run only."),
        "/v1/events",
    ),
)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a connection may read: slugs ``granted``, the ``missing`` permissions, and whether it may expand at all."""

    granted: tuple[str, ...]
    missing: tuple[Permission, ...]
    can_expand: bool

    @property
    def can_connect(self) -> bool:
        """Whether the two permissions without which nothing works are there."""
        return not any(permission.required for permission in self.missing)

    @property
    def will_be_blank(self) -> tuple[str, ...]:
        """One sentence for each missing permission: what will be blank or flagged without it."""
        return tuple(f"Without {permission.label}: {permission.without}" for permission in self.missing)


def probe(reader: StripeReader) -> ProbeResult:
    """Ask for one row of each list, and once for an expansion.

    A refused read is an answer, not an error. Raises IntegrationError for everything else, ``reauthorize`` included.
    """
    granted = tuple(one.slug for one in PERMISSIONS if _may_read(reader, one.path, {"limit": 1}))
    missing = tuple(one for one in PERMISSIONS if one.slug not in granted)
    can_expand = {"customer_read", "subscription_read"} <= set(granted) and _may_read(
        reader, "/v1/subscriptions", {"limit": 1, "status": "all", "expand": ["data.customer"]}
    )
    return ProbeResult(granted, missing, can_expand)


def read_account(reader: StripeReader) -> Account | None:
    """The account's id and names, or None when this connection may not read them, which is no obstacle."""
    try:
        return reader.get_object("/v1/account", None, Account)
    except PermissionMissing:
        return None


def restricted_key_url(mode: Mode) -> str:
    """The page of Stripe's Dashboard that creates a restricted key of ``mode``, the eight permissions filled in."""
    permissions = "".join(f"&permissions[]=rak_{permission.slug}" for permission in PERMISSIONS)
    return _CREATE_KEY.format(test="/test" if mode == "test" else "", permissions=permissions)


def check_restricted_key(pasted: str, mode: Mode) -> str:
    """The key in ``pasted`` without blanks around it.

    Raises IntegrationError ``invalid_key`` for anything but a restricted key (a secret key could write), and
    ``wrong_mode`` for one of the other mode. The text of the error never holds what was pasted.
    """
    key = pasted.strip()
    other = "test" if mode == "live" else "live"
    if not key.startswith("rk_") or not key.isascii() or not key.replace("_", "").isalnum():
        raise IntegrationError("invalid_key")
    if key.startswith(f"rk_{other}_"):
        raise IntegrationError("wrong_mode", f"This is a {other} key, and it was to be a {mode} one.")
    if not key.startswith(f"rk_{mode}_") or key == f"rk_{mode}_":
        raise IntegrationError("invalid_key")
    return key


def _may_read(reader: StripeReader, path: str, params: Mapping[str, object]) -> bool:
    try:
        reader.get_page(path, params)
    except PermissionMissing:
        return False
    return True

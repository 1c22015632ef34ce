"""The lists a run walks: what to ask for, how to decode it, and where it goes in the mirror."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from integrations.errors import IntegrationError
from integrations.models import RunKind, SeenId, StripeConnection
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.decode import DecodeError, decode, reference
from integrations.stripe.api.expansion import expand_list
from integrations.stripe.api.objects import (
    Coupon,
    Customer,
    Invoice,
    InvoicePayment,
    Page,
    Price,
    Product,
    Subscription,
    SubscriptionItem,
    SubscriptionItems,
)
from integrations.stripe.api.pages import iterate
from integrations.stripe.sync.rows import Batch, Problem

Completer = Callable[[StripeReader, StripeConnection, Any], Any]


def complete_items(reader: StripeReader, connection: StripeConnection, subscription: Subscription) -> Subscription:
    """A subscription with all its items: lists carry the first ones only.

    One that is gone by now stays as it came; that items are missing is flagged on its receipt.
    """
    if not subscription.items.has_more:
        return subscription
    expand = expand_list("subscription_items", connection.permissions, can_expand=connection.can_expand)
    items = []
    try:
        for page in iterate(reader, "/v1/subscription_items", {"subscription": subscription.id, "expand": expand}):
            items += [decode(raw, SubscriptionItem) for raw in page.data]
    except IntegrationError as error:
        if error.code != "record_gone":
            raise
        return subscription
    return msgspec.structs.replace(subscription, items=SubscriptionItems(data=items))


def complete_included(reader: StripeReader, connection: StripeConnection, found: Price | Coupon) -> Price | Coupon:
    """A price or coupon that was asked for with everything: what Stripe left out then is not there at all.

    Stripe omits an empty ``applies_to`` or ``currency_options`` also when it is expanded; without expansion the same
    silence means that we do not know.
    """
    if not connection.can_expand:
        return found
    silent = {name: None for name in INCLUDED if getattr(found, name, None) is msgspec.UNSET}
    return msgspec.structs.replace(found, **silent)


INCLUDED = ("applies_to", "currency_options", "tiers")


@dataclass(frozen=True, slots=True)
class Walk:
    """One list of Stripe's.

    ``resource`` is the endpoint and names its expansions, ``permission`` what reading it needs. ``add`` puts a decoded
    object into a batch. ``seen`` is what the walk proves to exist; ``complete`` reads what a list leaves out.
    ``in_lanes``: the list is long and takes bounds of ``created``, so it may be read in several lanes at once.
    ``expanded``: what its objects refer to is wanted along with them.
    """

    name: str
    label: str
    resource: str
    permission: str
    type: type[Any]
    add: Callable[[Batch, Any, datetime], None]
    params: Mapping[str, object] = field(default_factory=dict)
    seen: SeenId.Kind | None = None
    complete: Completer | None = None
    counts_as_read: bool = False
    in_lanes: bool = False
    expanded: bool = True

    @property
    def path(self) -> str:
        """The endpoint."""
        return f"/v1/{self.resource}"

    def parameters(self, connection: StripeConnection, kind: str) -> dict[str, object]:
        """What to ask for, given what may be expanded; a nightly run leaves ended subscriptions out."""
        params = dict(self.params)
        if self.expanded:
            params["expand"] = expand_list(self.resource, connection.permissions, can_expand=connection.can_expand)
        if self.name == "subscriptions" and kind != RunKind.NIGHTLY:
            params["status"] = "all"
        return params

    def read_page(
        self, page: Page, *, batch: Batch, reader: StripeReader, connection: StripeConnection, observed_at: datetime
    ) -> Batch:
        """Decode a page object by object; a broken one becomes a problem and the page goes on."""
        for raw in page.data:
            batch.read += self.counts_as_read
            try:
                found = decode(raw, self.type)
                if self.complete is not None:
                    found = self.complete(reader, connection, found)
            except DecodeError as error:
                self._broken(raw, error, batch)
                continue
            self.add(batch, found, observed_at)
            if self.seen is not None:
                batch.see(self.seen, found.id)
        return batch

    def _broken(self, raw: msgspec.Raw, error: DecodeError, batch: Batch) -> None:
        known = reference(raw)
        if known is None:
            batch.unreadable += 1
            batch.problems.append(
                Problem("invalid_response", self.type.__name__.lower(), "(no id)", detail=error.detail)
            )
            return
        if self.seen is not None:
            batch.see(self.seen, known.id)
        owner = known.customer.id if isinstance(known.customer, Customer) else known.customer or ""
        kind = self.type.__name__.lower()
        if self.type is Customer:
            owner = known.id
        batch.problems.append(Problem("invalid_response", kind, known.id, owner, detail=error.detail))


PRODUCTS = Walk("products", "Reading products", "products", "product_read", Product, Batch.add_product)
PRICES = Walk("prices", "Reading prices", "prices", "plan_read", Price, Batch.add_price, complete=complete_included)
COUPONS = Walk(
    "coupons", "Reading coupons", "coupons", "coupon_read", Coupon, Batch.add_coupon, complete=complete_included
)
SUBSCRIPTIONS = Walk(
    "subscriptions",
    "Reading subscriptions",
    "subscriptions",
    "subscription_read",
    Subscription,
    Batch.add_subscription,
    seen=SeenId.Kind.SUBSCRIPTION,
    complete=complete_items,
    counts_as_read=True,
    in_lanes=True,
)
CUSTOMERS = Walk(
    "customers",
    "Reading customers",
    "customers",
    "customer_read",
    Customer,
    Batch.add_customer,
    in_lanes=True,
)
PAYMENTS = Walk(
    "payments",
    "Reading open payments",
    "invoice_payments",
    "invoice_read",
    InvoicePayment,
    Batch.add_invoice_payment,
    {"status": "open"},
    seen=SeenId.Kind.OPEN_PAYMENT,
)
OPEN_INVOICES = Walk(
    "open_invoices",
    "Reading open invoices",
    "invoices",
    "invoice_read",
    Invoice,
    Batch.add_invoice,
    {"status": "open"},
    seen=SeenId.Kind.OPEN_INVOICE,
    in_lanes=True,
)
UNCOLLECTIBLE_INVOICES = Walk(
    "uncollectible_invoices",
    "Reading uncollectible invoices",
    "invoices",
    "invoice_read",
    Invoice,
    Batch.add_invoice,
    {"status": "uncollectible"},
    seen=SeenId.Kind.OPEN_INVOICE,
    in_lanes=True,
)
PAID_INVOICES = Walk(
    "paid_invoices",
    "Reading paid invoices",
    "invoices",
    "invoice_read",
    Invoice,
    Batch.add_invoice,
    {"status": "paid"},
    in_lanes=True,
    expanded=False,
)

"""Looks at single Stripe customers: what is asked, in what order, and what was found.

Webhook, events poll, "Resync from Stripe" and "Retry this record" all look this way (docs/architecture.md section 4).
What has to be known beforehand is read from the database for all customers at once, so that the looks themselves may
run in threads and touch nothing but Stripe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from customers.models import PersonalDomain
from customers.models.domain import Overrides
from integrations.errors import IntegrationError
from integrations.models import (
    StripeConnection,
    StripeCoupon,
    StripeInvoice,
    StripePrice,
    StripeProduct,
    StripeSubscription,
)
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.decode import DecodeError
from integrations.stripe.api.expansion import expand_object
from integrations.stripe.api.objects import (
    Coupon,
    Customer,
    Invoice,
    InvoicePayment,
    Page,
    PaymentIntent,
    Price,
    Product,
    Subscription,
)
from integrations.stripe.api.pages import iterate
from integrations.stripe.api.query import object_path
from integrations.stripe.sync.catalog import coupon_ids
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.rows import Batch, Problem
from integrations.stripe.sync.walks import (
    OPEN_INVOICES,
    PAID_INVOICES,
    PAYMENTS,
    SUBSCRIPTIONS,
    UNCOLLECTIBLE_INVOICES,
    Walk,
    complete_included,
    complete_items,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the mirror has of one Stripe customer and a look must account for."""

    subscriptions: list[str] = field(default_factory=list)
    invoices: list[str] = field(default_factory=list)


def looks_at(
    connection: StripeConnection, reader: StripeReader, stripe_customer_ids: Collection[str], *, clock: DatabaseClock
) -> list[Look]:
    """A look at each of these Stripe customers, ready to be taken; three queries, however many they are."""
    overrides = PersonalDomain.objects.overrides()
    known: dict[str, Known] = defaultdict(Known)
    live = StripeSubscription.objects.filter(
        connection=connection, customer_id__in=list(stripe_customer_ids), live=True
    )
    for customer_id, stripe_id in live.order_by("stripe_id").values_list("customer_id", "stripe_id"):
        known[customer_id].subscriptions.append(stripe_id)
    standing = StripeInvoice.objects.filter(connection=connection, customer_id__in=list(stripe_customer_ids)).exclude(
        status__in=("paid", "draft", "void")
    )
    for customer_id, stripe_id in standing.order_by("stripe_id").values_list("customer_id", "stripe_id"):
        known[customer_id].invoices.append(stripe_id)
    return [
        Look(connection, reader, each, clock=clock, overrides=overrides, known=known[each])
        for each in stripe_customer_ids
    ]


class Look:
    """One look at a Stripe customer; touches no database, so it may run in a thread.

    ``found`` says whether Stripe knows the customer; ``batch`` is what it said, problems included.
    """

    def __init__(
        self,
        connection: StripeConnection,
        reader: StripeReader,
        stripe_customer_id: str,
        *,
        clock: DatabaseClock,
        overrides: Overrides,
        known: Known,
    ) -> None:
        self.connection = connection
        self.reader = reader
        self.customer_id = stripe_customer_id
        self.clock = clock
        self.known = known
        self.began = clock.now()
        self.batch = Batch(overrides)
        self.found = True

    def read(self) -> Look:
        """Read everything that speaks for this customer.

        Raises IntegrationError as the reader does; an object that is gone or cannot be decoded is no error.
        """
        self.began = self.clock.now()
        self.found = self._read("customers", self.customer_id, Customer, gone="customer")
        self._walk(SUBSCRIPTIONS, {"status": "all"})
        self._missing_subscriptions()
        if "invoice_read" in self.connection.permissions:
            self._invoices()
        return self

    def read_catalog(self, resource: str, type_: type[Any], stripe_id: str) -> None:
        """Read a price, product or coupon that a subscription names and the mirror does not have yet."""
        self._read(resource, stripe_id, type_)

    @property
    def observed_at(self) -> datetime:
        """When the last request was sent, in database time."""
        return self.clock.from_local(self.reader.sent_at)

    def _read(self, resource: str, stripe_id: str, type_: type[Any], *, gone: str = "") -> bool:
        """Read one object into the batch; False when Stripe has none of this id.

        One that Stripe no longer has is buried in the table ``gone``, one that cannot be decoded becomes a problem.
        """
        params = {"expand": expand_object(resource, self.connection.permissions, can_expand=self.connection.can_expand)}
        try:
            found = self.reader.get_object(object_path(resource, stripe_id), params, type_)
            observed_at = self.observed_at
            if isinstance(found, Subscription):
                found = complete_items(self.reader, self.connection, found)
            elif isinstance(found, Price | Coupon):
                found = complete_included(self.reader, self.connection, found)
        except DecodeError as error:
            problem = Problem(
                "invalid_response", type_.__name__.lower(), stripe_id, self.customer_id, detail=error.detail
            )
            self.batch.problems.append(problem)
        except IntegrationError as error:
            if error.code != "record_gone":
                raise
            if gone:
                self.batch.bury(gone, stripe_id, self.observed_at)
            return False
        else:
            ADD[type_](self.batch, found, observed_at)
        return True

    def _walk(self, walk: Walk, params: dict[str, object], *, pages: int | None = None) -> None:
        """Read a list of this customer's."""
        asked = {**walk.parameters(self.connection, "full"), **params, "customer": self.customer_id}
        try:
            for number, page in enumerate(iterate(self.reader, walk.path, asked), start=1):
                self._read_page(walk, page)
                if number == pages:
                    return
        except IntegrationError as error:
            if error.code != "record_gone":  # a customer that is gone has no lists
                raise

    def _read_page(self, walk: Walk, page: Page) -> None:
        walk.read_page(
            page, batch=self.batch, reader=self.reader, connection=self.connection, observed_at=self.observed_at
        )

    def _missing_subscriptions(self) -> None:
        """Mirrored live ones the list did not have are read by id."""
        seen = {stripe_id for _kind, stripe_id in self.batch.seen}
        for stripe_id in self.known.subscriptions:
            if stripe_id not in seen:
                self._read("subscriptions", stripe_id, Subscription, gone="subscription")

    def _invoices(self) -> None:
        """Open and uncollectible ones, the newest paid one, and what became of those that were open."""
        self._walk(OPEN_INVOICES, {})
        self._walk(UNCOLLECTIBLE_INVOICES, {})
        self._walk(PAID_INVOICES, {"limit": 1, "expand": []}, pages=1)
        seen = set(self.batch.tables.get("invoice", {}))
        for stripe_id in self.known.invoices:
            if stripe_id not in seen:
                self._read("invoices", stripe_id, Invoice, gone="invoice")
        if not self.connection.can_expand:
            for stripe_id, row in list(self.batch.tables.get("invoice", {}).items()):
                if row["status"] == "open":
                    self._payments_of(stripe_id)
        if "payment_intent_read" in self.connection.permissions:
            self._payment_intents()

    def _payment_intents(self) -> None:
        """The status of the intents behind the payments of open invoices."""
        for row in list(self.batch.tables.get("invoice_payment", {}).values()):
            payment: InvoicePayment = row["data"]
            intent_id = payment.payment.payment_intent_id if payment.payment else None
            if payment.status != "paid" and intent_id:
                self._read("payment_intents", intent_id, PaymentIntent)

    def _payments_of(self, invoice_id: str) -> None:
        for page in iterate(self.reader, PAYMENTS.path, {"invoice": invoice_id}):
            self._read_page(PAYMENTS, page)


@dataclass(frozen=True, slots=True)
class Missing:
    """A price, product or coupon the mirror does not have, and a look whose subscriptions name it."""

    resource: str
    type: type[Any]
    stripe_id: str
    look: Look


def missing_catalog(connection: StripeConnection, looks: Sequence[Look]) -> list[Missing]:
    """What the subscriptions found name and the mirror does not have, each once; three queries at most."""
    wanted: dict[str, dict[str, Look]] = {"prices": {}, "products": {}, "coupons": {}}
    for look in looks:
        for row in look.batch.tables.get("subscription", {}).values():
            for resource, ids in named_by(row["data"]).items():
                for stripe_id in ids:
                    wanted[resource].setdefault(stripe_id, look)
    missing = []
    for resource, permission, model, type_ in CATALOG:
        first = wanted[resource]
        if not first or permission not in connection.permissions:
            continue
        mirrored = set(
            model.objects.filter(connection=connection, stripe_id__in=list(first)).values_list("stripe_id", flat=True)
        )
        missing += [Missing(resource, type_, each, first[each]) for each in sorted(first) if each not in mirrored]
    return missing


def named_by(subscription: Subscription) -> dict[str, set[str]]:
    """The prices, products and coupons a subscription names."""
    items = subscription.items.data
    coupons = coupon_ids(subscription.discounts)
    for item in items:
        coupons |= coupon_ids(item.discounts)
    return {
        "prices": {item.price.id for item in items},
        "products": {item.price.product_id for item in items},
        "coupons": coupons,
    }


def merged(looks: Iterable[Look]) -> Batch:
    """Everything several looks found, as one batch."""
    batch = Batch.empty()
    for look in looks:
        batch.merge(look.batch)
    return batch


CATALOG: tuple[tuple[str, str, Any, type[Any]], ...] = (
    ("products", "product_read", StripeProduct, Product),
    ("prices", "plan_read", StripePrice, Price),
    ("coupons", "coupon_read", StripeCoupon, Coupon),
)

ADD: dict[type[Any], Callable[[Batch, Any, datetime], None]] = {
    Customer: Batch.add_customer,
    Subscription: Batch.add_subscription,
    Invoice: Batch.add_invoice,
    PaymentIntent: Batch.add_payment_intent,
    Product: Batch.add_product,
    Price: Batch.add_price,
    Coupon: Batch.add_coupon,
}

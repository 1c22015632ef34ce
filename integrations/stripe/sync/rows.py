"""From decoded Stripe objects to mirror rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from customers.domains import is_personal
from customers.models import PersonalDomain
from customers.models.domain import Overrides
from integrations.models import SeenId
from integrations.stripe.api.objects import (
    Coupon,
    Customer,
    Invoice,
    InvoicePayment,
    InvoicePayments,
    PaymentIntent,
    Price,
    Product,
    Subscription,
)
from integrations.stripe.rules.domains import email_address
from integrations.stripe.rules.subscriptions import is_live

Row = dict[str, Any]


def moment(seconds: int | None) -> datetime | None:
    """Stripe's Unix seconds as an aware datetime."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that could not be read, decoded or stored."""

    code: str
    object_type: str
    object_id: str
    stripe_customer_id: str = ""
    detail: str = ""
    answer: str = ""


@dataclass(slots=True)
class Batch:
    """Rows of several pages for one write, each key once: the newest observation of it.

    ``tables`` maps a table's name (as in ``store.TABLES``) to rows by Stripe id. ``seen`` are ids a walk has met.
    ``gone`` are objects Stripe no longer has, as (table, id) with the moment it said so. ``read`` counts the objects
    walked, ``unreadable`` those without so much as an id.
    """

    overrides: Overrides
    tables: dict[str, dict[str, Row]] = field(default_factory=dict)
    seen: set[tuple[int, str]] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    gone: dict[tuple[str, str], datetime] = field(default_factory=dict)
    read: int = 0
    unreadable: int = 0

    @classmethod
    def empty(cls) -> Batch:
        """A batch that knows which domains are personal today."""
        return cls(overrides=PersonalDomain.objects.overrides())

    def put(self, table: str, row: Row) -> None:
        """Add a row; of two observations of one object the newer stays."""
        rows = self.tables.setdefault(table, {})
        known = rows.get(row["stripe_id"])
        if known is None or known["observed_at"] <= row["observed_at"]:
            rows[row["stripe_id"]] = row

    def merge(self, other: Batch) -> None:
        """Take over everything of a later batch."""
        for table, rows in other.tables.items():
            for row in rows.values():
                self.put(table, row)
        self.seen |= other.seen
        self.problems += other.problems
        self.gone |= other.gone
        self.read += other.read
        self.unreadable += other.unreadable

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.tables.values())

    # --- one method per kind of object ---------------------------------------------------------------------------

    def add_customer(self, customer: Customer, observed_at: datetime) -> None:
        """A customer; a deleted one leaves a tombstone that keeps the last values."""
        if customer.deleted:
            self.put("tombstone", {"stripe_id": customer.id, "observed_at": observed_at, "data": {"id": customer.id}})
            return
        address = email_address(customer.email) or ""
        domain = address.rpartition("@")[2]
        self.put(
            "customer",
            {
                "stripe_id": customer.id,
                "observed_at": observed_at,
                "data": customer,
                "email": customer.email or "",
                "email_address": address,
                "email_domain": domain,
                "personal": bool(domain) and is_personal(domain, **self.overrides),
                "name": customer.name or "",
                "created": moment(customer.created),
                "deleted": False,
            },
        )

    def add_subscription(self, subscription: Subscription, observed_at: datetime) -> None:
        """A subscription, and the customer and latest invoice it carries expanded."""
        if isinstance(subscription.customer, Customer):
            self.add_customer(subscription.customer, observed_at)
        if isinstance(subscription.latest_invoice, Invoice):
            self.add_invoice(subscription.latest_invoice, observed_at)
        items = subscription.items.data
        latest = subscription.latest_invoice
        slim = msgspec.structs.replace(
            subscription,
            customer=subscription.customer_id,
            latest_invoice=latest.id if isinstance(latest, Invoice) else latest,
        )
        self.put(
            "subscription",
            {
                "stripe_id": subscription.id,
                "observed_at": observed_at,
                "data": slim,
                "customer_id": subscription.customer_id,
                "status": subscription.status,
                "live": is_live(subscription.status),
                "created": moment(subscription.created),
                "start_date": moment(subscription.start_date),
                "currency": subscription.currency,
                "price_ids": unique(item.price.id for item in items),
                "product_ids": unique(item.price.product_id for item in items),
                "lookup_keys": unique(item.price.lookup_key for item in items if item.price.lookup_key),
                "latest_invoice_id": slim.latest_invoice or "",
            },
        )

    def add_invoice(self, invoice: Invoice, observed_at: datetime) -> None:
        """An invoice that belongs to a customer, with the payments it carries."""
        if not invoice.customer_id:
            return
        if isinstance(invoice.payments, InvoicePayments):
            for payment in invoice.payments.data:
                self.add_invoice_payment(msgspec.structs.replace(payment, invoice=invoice.id), observed_at)
        self.put(
            "invoice",
            {
                "stripe_id": invoice.id,
                "observed_at": observed_at,
                "data": msgspec.structs.replace(invoice, customer=invoice.customer_id, payments=msgspec.UNSET),
                "customer_id": invoice.customer_id,
                "status": invoice.status or "",
                "created": moment(invoice.created),
                "number": invoice.number or "",
            },
        )

    def add_invoice_payment(self, payment: InvoicePayment, observed_at: datetime) -> None:
        """A payment of an invoice, and the payment intent it carries expanded."""
        source = payment.payment
        if source is not None and isinstance(source.payment_intent, PaymentIntent):
            self.add_payment_intent(source.payment_intent, observed_at)
            payment = msgspec.structs.replace(
                payment, payment=msgspec.structs.replace(source, payment_intent=source.payment_intent.id)
            )
        if payment.invoice:
            row = {"stripe_id": payment.id, "observed_at": observed_at, "data": payment, "invoice_id": payment.invoice}
            self.put("invoice_payment", row)

    def add_payment_intent(self, intent: PaymentIntent, observed_at: datetime) -> None:
        """The status of a payment intent."""
        row = {"stripe_id": intent.id, "observed_at": observed_at, "data": intent, "status": intent.status}
        self.put("payment_intent", row)

    def add_price(self, price: Price, observed_at: datetime) -> None:
        """A price as its own endpoint shows it."""
        row = {
            "stripe_id": price.id,
            "observed_at": observed_at,
            "data": price,
            "product_id": price.product_id,
            "lookup_key": price.lookup_key or "",
        }
        self.put("price", row)

    def add_product(self, product: Product, observed_at: datetime) -> None:
        """A product's name."""
        row = {"stripe_id": product.id, "observed_at": observed_at, "data": product, "name": product.name}
        self.put("product", row)

    def add_coupon(self, coupon: Coupon, observed_at: datetime) -> None:
        """A coupon as its own endpoint shows it."""
        self.put("coupon", {"stripe_id": coupon.id, "observed_at": observed_at, "data": coupon})

    def bury(self, table: str, stripe_id: str, observed_at: datetime) -> None:
        """Remember that Stripe no longer has an object."""
        self.gone[table, stripe_id] = observed_at

    def see(self, kind: SeenId.Kind, stripe_id: str) -> None:
        """Remember that a walk has met this id."""
        self.seen.add((int(kind), stripe_id))


Adder = Callable[[Batch, Any, datetime], None]


def unique(values: Iterable[str]) -> list[str]:
    """The values once each, in order."""
    return list(dict.fromkeys(values))

"""One Stripe customer, read fresh: the path of "Resync from Stripe" and "Retry this record" alike.

Reads the customer, all its subscriptions, and the invoices its payment status rests on; stores them as a refresh, and
follows them to the header (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from integrations import context
from integrations.errors import IntegrationError
from integrations.models import (
    IssueState,
    Severity,
    StripeConnection,
    StripeCoupon,
    StripeInvoice,
    StripePrice,
    StripeProduct,
    StripeSubscription,
    SyncIssue,
)
from integrations.stripe.api.calls import Call
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.decode import DecodeError
from integrations.stripe.api.expansion import expand_object
from integrations.stripe.api.factory import reader_for
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
from integrations.stripe.sync import calls, derive, issues, store, tokens
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
class RefreshResult:
    """What a refresh changed: field names by Pivotal customer, when the look began, and what is still wrong."""

    as_of: datetime
    by_customer: dict[int, list[str]] = field(default_factory=dict)
    issues: list[SyncIssue] = field(default_factory=list)

    @property
    def changed(self) -> list[str]:
        """The names of the fields that changed, on whichever customer."""
        return sorted({name for names in self.by_customer.values() for name in names})


@context.of_connection
def refresh(connection: StripeConnection, stripe_customer_id: str, *, actor: User | None = None) -> RefreshResult:
    """Read one Stripe customer fresh and follow it to the header.

    Raises IntegrationError ``reauthorize``, ``stripe_unavailable``, ``rate_limited`` or ``permission_missing``; nothing
    is stored then. A record that cannot be decoded becomes an issue and the rest goes on.
    """
    made: deque[Call] = deque()
    used: list[str] = []

    def token() -> str:
        used.append(tokens.access_token(connection))
        return used[-1]

    try:
        reader = reader_for(tokens.mode_of(connection), token, on_call=made.append)
        with closing(reader):
            look = Look(connection, reader, stripe_customer_id)
            look.read()
    except IntegrationError as error:
        if error.code == "reauthorize" and not tokens.is_renewed(connection, used[-1] if used else ""):
            tokens.ask_to_reauthorize(connection, error)
        raise
    finally:
        calls.record(connection, list(made))
    with derive.lock(connection):
        require_same_connection(connection)
        store.write(connection.pk, look.batch, refresh=True)
        issues.record(connection, look.batch.problems, run=None)
        if not look.batch.problems:
            issues.resolve_errors(connection, stripe_customer_ids=[stripe_customer_id], run=None)
    origin = f"Resync by {actor}" if actor else "Stripe"
    changed = derive.refreshed(connection, {stripe_customer_id}, as_of=look.began, origin=origin)
    still = SyncIssue.objects.filter(
        connection=connection, stripe_customer_id=stripe_customer_id, state=IssueState.OPEN, severity=Severity.ERROR
    )
    return RefreshResult(as_of=look.began, by_customer=changed, issues=list(still))


def require_same_connection(connection: StripeConnection) -> None:
    """Raises IntegrationError ``reauthorize`` when it was disconnected, or changed account, while we were reading."""
    now = StripeConnection.objects.get(pk=connection.pk)
    if not now.is_connected or now.account_id != connection.account_id:
        raise IntegrationError("reauthorize", "Stripe was disconnected meanwhile; nothing was written.")


def retry_issue(issue: SyncIssue, *, actor: User | None) -> RefreshResult:
    """**Retry this record**: read its Stripe customer fresh; the issue resolves when nothing is wrong any more.

    Raises IntegrationError as ``refresh`` does, and ``invalid_response`` when not even the customer is known: then only
    a run can look again.
    """
    if not issue.stripe_customer_id:
        raise IntegrationError("invalid_response", "Its Stripe customer is not known; run a sync to look again.")
    result = refresh(issue.connection, issue.stripe_customer_id, actor=actor)
    issue.refresh_from_db()
    return result


class Look:
    """One look at a Stripe customer: what is asked, in what order, and what was found."""

    def __init__(self, connection: StripeConnection, reader: StripeReader, stripe_customer_id: str) -> None:
        self.connection = connection
        self.reader = reader
        self.customer_id = stripe_customer_id
        self.clock = DatabaseClock()
        self.began = self.clock.now()
        self.batch = Batch.empty()

    def read(self) -> None:
        """Read everything that speaks for this customer."""
        self._read("customers", self.customer_id, Customer, gone="customer")
        self._walk(SUBSCRIPTIONS, {"status": "all"})
        self._missing_subscriptions()
        self._catalog()
        if "invoice_read" in self.connection.permissions:
            self._invoices()

    @property
    def observed_at(self) -> datetime:
        """When the last request was sent, in database time."""
        return self.clock.from_local(self.reader.sent_at)

    def _read(self, resource: str, stripe_id: str, type_: type[Any], *, gone: str = "") -> None:
        """Read one object into the batch.

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
        else:
            ADD[type_](self.batch, found, observed_at)

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
        known = StripeSubscription.objects.filter(
            connection=self.connection, customer_id=self.customer_id, live=True, observed_at__lt=self.began
        )
        seen = {stripe_id for _kind, stripe_id in self.batch.seen}
        for stripe_id in known.exclude(stripe_id__in=seen).values_list("stripe_id", flat=True):
            self._read("subscriptions", stripe_id, Subscription, gone="subscription")

    def _catalog(self) -> None:
        """Prices, products and coupons these subscriptions name and the mirror does not have yet."""
        wanted: dict[str, set[str]] = {"prices": set(), "products": set(), "coupons": set()}
        for row in self.batch.tables.get("subscription", {}).values():
            subscription: Subscription = row["data"]
            wanted["prices"] |= {item.price.id for item in subscription.items.data}
            wanted["products"] |= {item.price.product_id for item in subscription.items.data}
            wanted["coupons"] |= coupon_ids(subscription.discounts)
            for item in subscription.items.data:
                wanted["coupons"] |= coupon_ids(item.discounts)
        for resource, permission, model, type_ in CATALOG:
            ids = wanted[resource]
            if not ids or permission not in self.connection.permissions:
                continue
            mirrored = model.objects.filter(connection=self.connection, stripe_id__in=ids)
            for stripe_id in sorted(ids - set(mirrored.values_list("stripe_id", flat=True))):
                self._read(resource, stripe_id, type_)

    def _invoices(self) -> None:
        """Open and uncollectible ones, the newest paid one, and what became of those that were open."""
        self._walk(OPEN_INVOICES, {})
        self._walk(UNCOLLECTIBLE_INVOICES, {})
        self._walk(PAID_INVOICES, {"limit": 1, "expand": []}, pages=1)
        seen = set(self.batch.tables.get("invoice", {}))
        known = StripeInvoice.objects.filter(connection=self.connection, customer_id=self.customer_id).exclude(
            status__in=("paid", "draft", "void")
        )
        for stripe_id in known.exclude(stripe_id__in=seen).values_list("stripe_id", flat=True):
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

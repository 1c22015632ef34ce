"""One Stripe customer, read fresh: the path of "Resync from Stripe" and "Retry this record" alike.

Reads the customer, all its subscriptions, and the invoices its payment status rests on; stores them as a refresh, and
follows them to the header (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

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
from integrations.stripe.api.decode import DecodeError, decode
from integrations.stripe.api.expansion import expand_object
from integrations.stripe.api.factory import reader_for
from integrations.stripe.api.objects import (
    Coupon,
    Customer,
    Invoice,
    InvoicePayment,
    PaymentIntent,
    Price,
    Product,
    Subscription,
)
from integrations.stripe.api.pages import iterate
from integrations.stripe.sync import calls, derive, issues, store, tokens
from integrations.stripe.sync.catalog import coupon_ids
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.rows import Batch, Problem
from integrations.stripe.sync.walks import (
    OPEN_INVOICES,
    PAID_INVOICES,
    SUBSCRIPTIONS,
    UNCOLLECTIBLE_INVOICES,
    Walk,
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


def refresh(connection: StripeConnection, stripe_customer_id: str, *, actor: User | None = None) -> RefreshResult:
    """Read one Stripe customer fresh and follow it to the header.

    Raises IntegrationError ``reauthorize``, ``stripe_unavailable``, ``rate_limited`` or ``permission_missing``; what was
    stored until then stays. A record that cannot be decoded becomes an issue and the rest goes on.
    """
    made: deque[Call] = deque()
    try:
        token = tokens.access_token(connection)
        reader = reader_for(connection.mode, token, on_call=made.append)
        look = Look(connection, reader, stripe_customer_id)
        look.read()
    except IntegrationError as error:
        if error.code == "reauthorize":
            tokens.ask_to_reauthorize(connection, error)
        raise
    finally:
        calls.record(connection, list(made))
    with transaction.atomic():
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
        self._customer()
        self._walk(SUBSCRIPTIONS, {"status": "all"})
        self._missing_subscriptions()
        self._catalog()
        if "invoice_read" in self.connection.permissions:
            self._invoices()

    @property
    def observed_at(self) -> datetime:
        """When the last request was sent, in database time."""
        return self.clock.from_local(self.reader.sent_at)

    def _expand(self, resource: str) -> list[str]:
        return expand_object(resource, self.connection.permissions, can_expand=self.connection.can_expand)

    def _object(self, path: str, resource: str, type_: type[Any], owner: str) -> Any | None:
        """One object; None when it is gone or cannot be decoded, which becomes a problem."""
        try:
            return self.reader.get_object(path, {"expand": self._expand(resource)}, type_)
        except DecodeError as error:
            kind = type_.__name__.lower()
            self.batch.problems.append(
                Problem("invalid_response", kind, path.rsplit("/", 1)[-1], owner, detail=error.detail)
            )
        except IntegrationError as error:
            if error.code != "record_gone":
                raise
        return None

    def _customer(self) -> None:
        before = len(self.batch.problems)
        found = self._object(f"/v1/customers/{self.customer_id}", "customers", Customer, self.customer_id)
        if found is not None:
            self.batch.add_customer(found, self.observed_at)
        elif len(self.batch.problems) == before:
            self.batch.gone.append(("customer", self.customer_id))

    def _walk(self, walk: Walk, params: dict[str, object], *, pages: int | None = None) -> None:
        """Read a list of this customer's."""
        asked = {**walk.parameters(self.connection, "full"), **params, "customer": self.customer_id}
        try:
            for number, page in enumerate(iterate(self.reader, walk.path, asked), start=1):
                walk.read_page(
                    page,
                    batch=self.batch,
                    reader=self.reader,
                    connection=self.connection,
                    observed_at=self.observed_at,
                )
                if number == pages:
                    return
        except IntegrationError as error:
            if error.code != "record_gone":  # a customer that is gone has no lists
                raise

    def _missing_subscriptions(self) -> None:
        """Mirrored live ones the list did not have are read by id."""
        known = StripeSubscription.objects.filter(
            connection=self.connection, customer_id=self.customer_id, live=True, observed_at__lt=self.began
        )
        seen = {stripe_id for _kind, stripe_id in self.batch.seen}
        for stripe_id in known.exclude(stripe_id__in=seen).values_list("stripe_id", flat=True):
            before = len(self.batch.problems)
            found = self._object(f"/v1/subscriptions/{stripe_id}", "subscriptions", Subscription, self.customer_id)
            if found is not None:
                self.batch.add_subscription(found, self.observed_at)
            elif len(self.batch.problems) == before:
                self.batch.gone.append(("subscription", stripe_id))

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
        for resource, permission, model, type_, add in CATALOG:
            ids = wanted[resource]
            if not ids or permission not in self.connection.permissions:
                continue
            mirrored = model.objects.filter(connection=self.connection, stripe_id__in=ids)
            for stripe_id in sorted(ids - set(mirrored.values_list("stripe_id", flat=True))):
                found = self._object(f"/v1/{resource}/{stripe_id}", resource, type_, self.customer_id)
                if found is not None:
                    add(self.batch, found, self.observed_at)

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
            found = self._object(f"/v1/invoices/{stripe_id}", "invoices", Invoice, self.customer_id)
            if found is not None:
                self.batch.add_invoice(found, self.observed_at)
            else:
                self.batch.gone.append(("invoice", stripe_id))
        if "payment_intent_read" in self.connection.permissions:
            self._payment_intents()

    def _payment_intents(self) -> None:
        """The status of the intents behind the payments of open invoices."""
        if not self.connection.can_expand:
            for invoice_id, row in list(self.batch.tables.get("invoice", {}).items()):
                if row["status"] == "open":
                    self._payments_of(invoice_id)
        for row in list(self.batch.tables.get("invoice_payment", {}).values()):
            payment: InvoicePayment = row["data"]
            intent_id = payment.payment.payment_intent_id if payment.payment else None
            if payment.status == "paid" or not intent_id:
                continue
            found = self._object(f"/v1/payment_intents/{intent_id}", "payment_intents", PaymentIntent, self.customer_id)
            if found is not None:
                self.batch.add_payment_intent(found, self.observed_at)

    def _payments_of(self, invoice_id: str) -> None:
        for raw in self._raw("/v1/invoice_payments", {"invoice": invoice_id}):
            self.batch.add_invoice_payment(decode(raw, InvoicePayment), self.observed_at)

    def _raw(self, path: str, params: dict[str, object]) -> Iterator[Any]:
        for page in iterate(self.reader, path, params):
            yield from page.data


CATALOG: tuple[tuple[str, str, Any, type[Any], Any], ...] = (
    ("products", "product_read", StripeProduct, Product, Batch.add_product),
    ("prices", "plan_read", StripePrice, Price, Batch.add_price),
    ("coupons", "coupon_read", StripeCoupon, Coupon, Batch.add_coupon),
)

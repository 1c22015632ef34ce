"""A small mirror with groups to decide on, and what its headers say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from customers.models import Customer
from integrations.models import StripeConnection, StripeCustomer
from tests.factories import CustomerFactory, StripeCustomerFactory, StripeInvoiceFactory, StripeSubscriptionFactory

FIELDS = ("plan", "plan_label", "mrr", "payment_status", "billing_started_at", "stripe_customer_id", "billing_flags")


def subscriber(
    email: str, connection: StripeConnection, *, quantity: int = 1, invoice: str = "paid", **fields: Any
) -> StripeCustomer:
    """A Stripe customer that pays $100 a month for each ``quantity``, with one invoice."""
    row = StripeCustomerFactory(connection=connection, email=email, **fields)
    StripeSubscriptionFactory(owner=row, quantity=quantity, lookup_key=f"plan{quantity}_monthly")
    StripeInvoiceFactory(owner=row, status=invoice, extra={"attempt_count": 1} if invoice == "open" else {})
    return row


def group(
    connection: StripeConnection, size: int, *, domain: str = "acme.com"
) -> tuple[Customer, list[StripeCustomer]]:
    """A customer and so many Stripe customers that meet on it, paying $100, $200 and so on."""
    customer = CustomerFactory(name=domain.partition(".")[0].title(), domain=domain)
    rows = [subscriber(f"person{n}@{domain}", connection, quantity=n + 1) for n in range(size)]
    return customer, rows


def header(customer: Customer) -> dict[str, Any]:
    """The five fields and the flags of a customer."""
    row = Customer.objects.values(*FIELDS).get(pk=customer.pk)
    return dict(row)


def mrr(customer: Customer) -> Decimal:
    """The MRR in the header."""
    return Customer.objects.values_list("mrr", flat=True).get(pk=customer.pk)

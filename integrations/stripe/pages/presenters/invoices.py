"""The invoices behind a payment status: which one decides, which were passed over, which older ones are open.

The same table of rules that decided the status judges each of them (docs/rules.md section 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import JSONObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers import wording
from customers.stored_words import translated
from integrations.models import StripeConnection, StripeInvoice, StripeInvoicePayment, StripePaymentIntent
from integrations.stripe.api.objects import Invoice, InvoicePayment, InvoicePayments
from integrations.stripe.pages import links
from integrations.stripe.pages.presenters.billing import AttachedCustomer, Billing, moment_of
from integrations.stripe.rules.money import minor_units
from integrations.stripe.rules.payment_status import Reason, sentence
from integrations.stripe.rules.verdict import Verdict, verdict

READ_AT_MOST = 200
SHOWN_AT_MOST = 20
STATUS_WORDS = {
    "draft": gettext_lazy("Draft"),
    "open": gettext_lazy("Open"),
    "paid": gettext_lazy("Paid"),
    "uncollectible": gettext_lazy("Uncollectible"),
    "void": gettext_lazy("Void"),
}
KIND_WORDS = {
    "paid": gettext_lazy("Paid"),
    "past_due": gettext_lazy("Past due"),
    "failing": gettext_lazy("Failing"),
}
UNPAID_STATUSES = ("open", "uncollectible")


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """An invoice in the card; amounts in major units of ``currency``."""

    number: str
    url: str
    created: datetime | None
    owner: AttachedCustomer | None
    decides: bool
    status: str
    status_text: str
    says: str
    currency: str
    amount: Decimal
    open_amount: Decimal
    next_attempt: datetime | None
    due: datetime | None


def invoices_behind(billing: Billing, *, now: datetime) -> list[InvoiceLine]:
    """Newest first: those passed over, the deciding one, and older ones that are past due or failing."""
    owners = {each.stripe.stripe_id: each for each in billing.speaking}
    if not owners or billing.connection.pk is None:
        return []
    invoices, intents = _read(billing.connection, list(owners))
    deciding = billing.reason.invoice if billing.reason else ""
    lines: list[InvoiceLine] = []
    decided = False
    for invoice in invoices:
        judged = verdict(invoice, intents=intents, now=now)
        decides = invoice.id == deciding
        if decided and judged.kind not in ("past_due", "failing"):
            continue
        lines.append(
            _line(billing.connection, invoice, judged, owners.get(invoice.customer_id or ""), decides, decided)
        )
        decided = decided or decides
    return lines[:SHOWN_AT_MOST]


def _read(connection: StripeConnection, stripe_ids: list[str]) -> tuple[list[Invoice], dict[str, str]]:
    """The newest invoices with their payments, and the statuses of the payment intents behind those; one query."""
    status = StripePaymentIntent.objects.filter(connection=connection, stripe_id=OuterRef("intent_id")).values("status")
    payments = StripeInvoicePayment.objects.filter(connection=connection, invoice_id=OuterRef("stripe_id"))
    payments = payments.annotate(intent_id=KT("data__payment__payment_intent")).order_by("pk")
    payment = JSONObject(data="data", intent=Subquery(status[:1]))
    rows = (
        StripeInvoice.objects.filter(connection=connection, customer_id__in=stripe_ids)
        .annotate(payments=ArraySubquery(payments.values(json=payment)))
        .order_by("-created", "-stripe_id")
    )
    invoices: list[Invoice] = []
    intents: dict[str, str] = {}
    for data, found in rows.values_list("data", "payments")[:READ_AT_MOST]:
        paid = [msgspec.convert(each["data"], InvoicePayment, strict=False) for each in found]
        invoice = msgspec.convert(data, Invoice, strict=False)
        invoices.append(msgspec.structs.replace(invoice, payments=InvoicePayments(data=paid)))
        for one, each in zip(paid, found, strict=True):
            if each["intent"] is not None and one.payment and one.payment.payment_intent_id:
                intents[one.payment.payment_intent_id] = each["intent"]
    return invoices, intents


def _line(
    connection: StripeConnection,
    invoice: Invoice,
    judged: Verdict,
    owner: AttachedCustomer | None,
    decides: bool,
    is_older: bool,
) -> InvoiceLine:
    words = in_words(invoice, judged)
    if decides:
        says = _("Decides: %(why)s") % {"why": words}
    elif is_older:
        says = _("Older: %(why)s") % {"why": words}
    else:
        says = _("Passed over: %(why)s") % {"why": words}
    stripe_status = invoice.status or ""
    status_text = KIND_WORDS.get(judged.kind) or STATUS_WORDS.get(stripe_status) or stripe_status[:40] or "—"
    units = minor_units(invoice.currency)
    return InvoiceLine(
        number=invoice.number or invoice.id,
        url=links.invoice_url(connection, invoice.id),
        created=moment_of(invoice.created),
        owner=owner,
        decides=decides,
        status="none" if judged.kind == "next" else judged.kind,
        status_text=str(status_text),
        says=says,
        currency=invoice.currency,
        amount=Decimal(invoice.total or invoice.amount_due) / units,
        open_amount=Decimal(invoice.amount_remaining if stripe_status in UNPAID_STATUSES else 0) / units,
        next_attempt=moment_of(invoice.next_payment_attempt),
        due=moment_of(invoice.due_date),
    )


def in_words(invoice: Invoice, judged: Verdict) -> str:
    """What an invoice says, with its number, dates and amounts filled in."""
    reason = Reason(
        why=judged.why,
        message=judged.message,
        invoice=invoice.id,
        number=invoice.number or "",
        due_date=moment_of(invoice.due_date),
        currency=invoice.currency,
        amount_remaining=invoice.amount_remaining,
        attempts=invoice.attempt_count,
        next_attempt=moment_of(invoice.next_payment_attempt),
    )
    return sentence(reason, day=wording.day, say=translated)

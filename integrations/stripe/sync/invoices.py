"""Reads few invoices and is still exact (docs/architecture.md section 4 "Reading few invoices and still being exact").

Every open and every uncollectible invoice is in the mirror after a complete walk. So only a paid one can be missing,
and it matters only to a Stripe customer whose newest speaking invoice is not a paid one: for those the newest paid one
is read on its own, or found by paging while a page settles several of them.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import msgspec
from django.db import connection as database
from django.db.models import F, TextField
from django.db.models.functions import Cast

from integrations.errors import IntegrationError
from integrations.models import StripeInvoice, StripeInvoicePayment, StripePaymentIntent
from integrations.stripe.api.decode import DecodeError, decode, reference
from integrations.stripe.api.expansion import expand_object
from integrations.stripe.api.objects import Invoice, InvoicePayment, InvoicePayments
from integrations.stripe.api.query import object_path
from integrations.stripe.rules.verdict import verdict
from integrations.stripe.sync import examined
from integrations.stripe.sync.paid_invoices import Paged
from integrations.stripe.sync.rows import Batch, Problem
from integrations.stripe.sync.single_reads import read_each
from integrations.stripe.sync.unsettled import to_examine
from integrations.stripe.sync.work import Work

CHUNK = 200
END_OF_TIME = datetime.max.replace(tzinfo=UTC)

UNSEEN_INVOICES = """
SELECT i.stripe_id, i.customer_id FROM integrations_stripeinvoice i
WHERE i.connection_id = %(connection)s AND i.status NOT IN ('paid', 'draft', 'void') AND i.observed_at < %(began)s
  AND i.stripe_id > %(after)s
  AND NOT EXISTS (SELECT 1 FROM integrations_seenid seen
                  WHERE seen.run_id = %(run)s AND seen.kind = 2 AND seen.stripe_id = i.stripe_id)
ORDER BY i.stripe_id LIMIT %(limit)s
"""


def reread_invoices(work: Work) -> bool:
    """Read by id what was open or uncollectible and is in neither list any more."""
    if work.checkpoint.get("unreadable"):
        return True
    while True:
        after = work.checkpoint["cursors"].get("closed_invoices", "")
        with database.cursor() as cursor:
            values = {
                "connection": work.connection.pk,
                "began": work.began,
                "after": after,
                "run": work.run.pk,
                "limit": CHUNK,
            }
            cursor.execute(UNSEEN_INVOICES, values)
            found = cursor.fetchall()
        if not found:
            return True
        pairs = [(stripe_id, (stripe_id, customer_id)) for stripe_id, customer_id in found]
        if not read_each(
            work,
            "closed_invoices",
            pairs,
            lambda pair: read_invoice(work, *pair),
            last=found[-1][0],
            about=lambda pair: Problem("stripe_unavailable", "invoice", *pair),
        ):
            return False


def read_invoice(work: Work, stripe_id: str, customer_id: str) -> Batch:
    """One invoice as Stripe has it now; one that is gone leaves the mirror."""
    batch = Batch(work.overrides)
    connection = work.connection
    expand = expand_object("invoices", connection.permissions, can_expand=connection.can_expand)
    try:
        invoice = work.reader.get_object(object_path("invoices", stripe_id), {"expand": expand}, Invoice)
    except DecodeError as error:
        batch.problems.append(Problem("invalid_response", "invoice", stripe_id, customer_id, detail=error.detail))
    except IntegrationError as error:
        if error.code != "record_gone":
            raise
        batch.bury("invoice", stripe_id, work.clock.from_local(work.reader.sent_at))
    else:
        batch.add_invoice(invoice, work.clock.from_local(work.reader.sent_at))
    return batch


def settle(work: Work) -> bool:
    """Read the newest paid invoice of every customer whose status one could overtake and none was paged for."""
    paged = Paged.by(work)
    if paged.complete:
        examined.conclude(work)
        return True
    while True:
        chunk = to_examine(work, after=work.checkpoint["cursors"].get("settle", ""), limit=CHUNK)
        if not chunk:
            examined.conclude(work)
            return True
        doubt, unexamined = judge(work, chunk, paged.since)
        examined.leave_out(work, unexamined)
        items = [(customer_id, customer_id) for customer_id in doubt]
        if not read_each(
            work,
            "settle",
            items,
            lambda each: read_newest_paid(work, each),
            last=chunk[-1],
            about=lambda each: Problem("stripe_unavailable", "customer", each, each),
        ):
            return False


def judge(work: Work, customers: list[str], since: int) -> tuple[list[str], list[str]]:
    """Those in doubt, and of the others those that are not examined (``sync.examined``).

    In doubt are those whose newest speaking invoice is none, or not a paid one, judged by the rules themselves.

    One that says nothing yet may be due tomorrow, when nobody asks Stripe: it has to be settled then as well. Paid
    invoices created at ``since`` (Unix seconds, 0: never) or later were paged, so nothing newer is missing to whoever
    is decided by an invoice from then on, or has a paid one.
    """
    invoices, intents = load_invoices(work, customers)

    def is_decided(known: list[Invoice], now: datetime) -> bool:
        for invoice in sorted(known, key=lambda each: (each.created, each.id), reverse=True):
            kind = verdict(invoice, intents=intents, now=now).kind
            if kind != "next":
                return kind == "paid" or bool(since and invoice.created >= since)
        return False

    doubt = [
        customer_id
        for customer_id in customers
        if not all(is_decided(invoices[customer_id], now) for now in (work.began, END_OF_TIME))
    ]
    rest = set(customers).difference(doubt)
    return doubt, [each for each in sorted(rest) if not examined.is_examined(invoices[each], since)]


def load_invoices(work: Work, customers: list[str]) -> tuple[dict[str, list[Invoice]], dict[str, str]]:
    """The mirrored invoices of these customers, with their payments, and the statuses of the intents behind those."""
    rows = (
        StripeInvoice.objects.filter(connection=work.connection, customer_id__in=customers)
        .annotate(text=Cast(F("data"), TextField()))
        .values_list("customer_id", "text")
    )
    found = [(customer_id, msgspec.json.decode(text, type=Invoice, strict=False)) for customer_id, text in rows]
    payments: dict[str, list[InvoicePayment]] = defaultdict(list)
    ids = [invoice.id for _customer_id, invoice in found]
    of_invoices = StripeInvoicePayment.objects.filter(connection=work.connection, invoice_id__in=ids)
    for invoice_id, data in of_invoices.values_list("invoice_id", "data"):
        payments[invoice_id].append(msgspec.convert(data, InvoicePayment, strict=False))
    invoices: dict[str, list[Invoice]] = defaultdict(list)
    for customer_id, invoice in found:
        inline = InvoicePayments(data=payments[invoice.id])
        invoices[customer_id].append(msgspec.structs.replace(invoice, payments=inline))
    wanted = {
        each.payment.payment_intent_id
        for group in payments.values()
        for each in group
        if each.payment and each.payment.payment_intent_id
    }
    intents = StripePaymentIntent.objects.filter(connection=work.connection, stripe_id__in=wanted)
    return invoices, dict(intents.values_list("stripe_id", "status"))


def read_newest_paid(work: Work, customer_id: str) -> Batch:
    """The newest paid invoice of one Stripe customer, if it has any."""
    batch = Batch(work.overrides)
    page = work.reader.get_page("/v1/invoices", {"customer": customer_id, "status": "paid", "limit": 1})
    observed_at = work.clock.from_local(work.reader.sent_at)
    for raw in page.data:
        try:
            batch.add_invoice(decode(raw, Invoice), observed_at)
        except DecodeError as error:
            known = reference(raw)
            stripe_id = known.id if known else "(no id)"
            batch.problems.append(Problem("invalid_response", "invoice", stripe_id, customer_id, detail=error.detail))
    return batch

"""Reads few invoices and is still exact (docs/architecture.md section 4 "Reading few invoices and still being exact").

Every open and every uncollectible invoice is in the mirror after a complete walk. So only a paid one can be missing, and
it matters only to a Stripe customer whose newest speaking invoice is not a paid one: for those the newest paid invoice is
read on its own, or found by paging while a page settles several of them.
"""

from __future__ import annotations

from collections import defaultdict

import msgspec
from django.db import connection as database
from django.db.models import F, TextField
from django.db.models.functions import Cast

from integrations.errors import IntegrationError
from integrations.models import StripeInvoice, StripeInvoicePayment, StripePaymentIntent
from integrations.stripe.api.decode import DecodeError, decode, reference
from integrations.stripe.api.expansion import expand_object
from integrations.stripe.api.objects import Invoice, InvoicePayment, InvoicePayments, PaymentIntent
from integrations.stripe.api.pages import cursor_of
from integrations.stripe.rules.verdict import verdict
from integrations.stripe.sync.rows import Batch, Problem
from integrations.stripe.sync.walks import PAID_INVOICES
from integrations.stripe.sync.work import Work

CHUNK = 200
WORTH_PAGING = 200  # below so many customers, single reads are as cheap as a few pages

# Customers with a subscription that no paid invoice settles: none is newer than their open and uncollectible ones.
UNSETTLED = """
FROM (SELECT DISTINCT customer_id FROM integrations_stripesubscription WHERE connection_id = %(connection)s) AS s
WHERE s.customer_id > %(after)s AND NOT EXISTS (
    SELECT 1 FROM integrations_stripeinvoice p
    WHERE p.connection_id = %(connection)s AND p.customer_id = s.customer_id AND p.status = 'paid'
      AND NOT EXISTS (
        SELECT 1 FROM integrations_stripeinvoice o
        WHERE o.connection_id = %(connection)s AND o.customer_id = s.customer_id
          AND o.status NOT IN ('paid', 'draft', 'void')
          AND (o.created, o.stripe_id) > (p.created, p.stripe_id))
)
"""

CLOSED_PAYMENTS = """
DELETE FROM integrations_stripeinvoicepayment p
WHERE p.connection_id = %(connection)s
  AND NOT EXISTS (SELECT 1 FROM integrations_seenid seen
                  WHERE seen.run_id = %(run)s AND seen.kind = 3 AND seen.stripe_id = p.stripe_id)
"""

UNSEEN_INVOICES = """
SELECT i.stripe_id, i.customer_id FROM integrations_stripeinvoice i
WHERE i.connection_id = %(connection)s AND i.status NOT IN ('paid', 'draft', 'void') AND i.observed_at < %(began)s
  AND i.stripe_id > %(after)s
  AND NOT EXISTS (SELECT 1 FROM integrations_seenid seen
                  WHERE seen.run_id = %(run)s AND seen.kind = 2 AND seen.stripe_id = i.stripe_id)
ORDER BY i.stripe_id LIMIT %(limit)s
"""


def unsettled(work: Work, *, after: str = "", among: list[str] | None = None, limit: int | None = None) -> list[str]:
    """Stripe customers no paid invoice in the mirror settles, in the order of their ids."""
    sql = f"SELECT s.customer_id {UNSETTLED}"
    values: dict[str, object] = {"connection": work.connection.pk, "after": after}
    if among is not None:
        sql += " AND s.customer_id = ANY(%(among)s)"
        values["among"] = among
    sql += " ORDER BY 1"
    if limit is not None:
        sql += " LIMIT %(limit)s"
        values["limit"] = limit
    with database.cursor() as cursor:
        cursor.execute(sql, values)
        return [customer_id for (customer_id,) in cursor.fetchall()]


def number_unsettled(work: Work) -> int:
    """How many there are."""
    with database.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {UNSETTLED}", {"connection": work.connection.pk, "after": ""})
        return int(cursor.fetchone()[0])


def drop_closed_payments(work: Work) -> bool:
    """Without expansion: forget payments that are open no more, and read the intents that came as ids.

    With expansion open invoices carry all their payments and the intents come with the list of open ones.
    """
    if work.connection.can_expand:
        return True
    cursor = work.checkpoint["cursors"].get("closed_payments", "")
    if not cursor and not work.checkpoint.get("unreadable"):
        with database.cursor() as execute:
            execute.execute(CLOSED_PAYMENTS, {"connection": work.connection.pk, "run": work.run.pk})
    while work.may("payment_intent_read") and not work.is_over:
        open_now = StripeInvoicePayment.objects.filter(
            connection=work.connection, data__status="open", stripe_id__gt=cursor
        )
        chunk = list(open_now.order_by("stripe_id").values_list("stripe_id", "data")[:CHUNK])
        if not chunk:
            return True
        wanted = [intent for _id, data in chunk if (intent := intent_of(data))]
        batch, read = Batch(work.overrides), 0
        for _intent, result in work.parallel(wanted, lambda each: read_intent(work, each)):
            batch.merge(result)
            read += 1
        if read < len(wanted):
            return False  # the slice is over; this round is asked again
        cursor = work.checkpoint["cursors"]["closed_payments"] = chunk[-1][0]
        work.commit("closed_payments", batch, own_reads=read)
    return not work.may("payment_intent_read")


def intent_of(data: dict[str, object]) -> str | None:
    """The payment intent of a mirrored payment."""
    payment = msgspec.convert(data, InvoicePayment, strict=False)
    return payment.payment.payment_intent_id if payment.payment else None


def read_intent(work: Work, stripe_id: str) -> Batch:
    """The status of one payment intent; one that is gone or unreadable stays unknown."""
    batch = Batch(work.overrides)
    try:
        intent = work.reader.get_object(f"/v1/payment_intents/{stripe_id}", None, PaymentIntent)
    except DecodeError as error:
        batch.problems.append(Problem("invalid_response", "payment_intent", stripe_id, detail=error.detail))
    except IntegrationError as error:
        if error.code != "record_gone":
            raise
    else:
        batch.add_payment_intent(intent, work.clock.from_local(work.reader.sent_at))
    return batch


def reread_invoices(work: Work) -> bool:
    """Read by id what was open or uncollectible and is in neither list any more."""
    if work.checkpoint.get("unreadable"):
        return True
    while not work.is_over:
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
        batch, read = Batch(work.overrides), 0
        for _pair, result in work.parallel(found, lambda pair: read_invoice(work, *pair)):
            batch.merge(result)
            read += 1
        if read < len(found):
            return False  # the slice is over; this round is asked again
        work.checkpoint["cursors"]["closed_invoices"] = found[-1][0]
        work.commit("closed_invoices", batch, own_reads=read)
    return False


def read_invoice(work: Work, stripe_id: str, customer_id: str) -> Batch:
    """One invoice as Stripe has it now; one that is gone leaves the mirror."""
    batch = Batch(work.overrides)
    connection = work.connection
    expand = expand_object("invoices", connection.permissions, can_expand=connection.can_expand)
    try:
        invoice = work.reader.get_object(f"/v1/invoices/{stripe_id}", {"expand": expand}, Invoice)
    except DecodeError as error:
        batch.problems.append(Problem("invalid_response", "invoice", stripe_id, customer_id, detail=error.detail))
    except IntegrationError as error:
        if error.code != "record_gone":
            raise
        batch.gone.append(("invoice", stripe_id))
    else:
        batch.add_invoice(invoice, work.clock.from_local(work.reader.sent_at))
    return batch


def skim_paid_invoices(work: Work) -> bool:
    """Page paid invoices, newest first, as long as a page settles more customers than it costs requests."""
    place = work.checkpoint["cursors"].setdefault("paid_invoices", {"after": "", "created": 0})
    left = number_unsettled(work)
    while left > WORTH_PAGING:
        if work.is_over:
            return False
        params = {
            "status": "paid",
            "limit": 100,
            "starting_after": place["after"] or None,
            "created": {"lte": int(work.began.timestamp())},
        }
        page = work.reader.get_page("/v1/invoices", params)
        observed_at = work.clock.from_local(work.reader.sent_at)
        batch = PAID_INVOICES.read_page(
            page,
            batch=Batch(work.overrides),
            reader=work.reader,
            connection=work.connection,
            observed_at=observed_at,
        )
        keep_newest_of_unsettled(work, batch)
        cursor = cursor_of(page)
        if cursor is not None:
            place.update(after=cursor.id, created=cursor.created)
        work.commit("paid_invoices", batch)
        now_left = number_unsettled(work)
        if not page.has_more or left - now_left <= 1:
            return True
        left = now_left
    return True


def keep_newest_of_unsettled(work: Work, batch: Batch) -> None:
    """Leave in the batch one invoice, the newest, of each customer that needs one."""
    rows = batch.tables.get("invoice", {})
    wanted = set(unsettled(work, among=sorted({row["customer_id"] for row in rows.values()})))
    newest: dict[str, str] = {}
    for stripe_id, row in rows.items():
        known = newest.get(row["customer_id"])
        if known is None or (row["created"], stripe_id) > (rows[known]["created"], known):
            newest[row["customer_id"]] = stripe_id
    batch.tables["invoice"] = {
        stripe_id: rows[stripe_id] for customer_id, stripe_id in newest.items() if customer_id in wanted
    }


def settle(work: Work) -> bool:
    """Read the newest paid invoice of every customer whose status one could overtake."""
    while not work.is_over:
        after = work.checkpoint["cursors"].get("settle", "")
        chunk = unsettled(work, after=after, limit=CHUNK)
        if not chunk:
            return True
        asked = in_doubt(work, chunk)
        batch, read = Batch(work.overrides), 0
        for _customer, result in work.parallel(asked, lambda each: read_newest_paid(work, each)):
            batch.merge(result)
            read += 1
        if read < len(asked):
            return False  # the slice is over; this round is asked again
        work.checkpoint["cursors"]["settle"] = chunk[-1]
        work.commit("settle", batch, own_reads=read)
    return False


def in_doubt(work: Work, customers: list[str]) -> list[str]:
    """Those whose newest speaking invoice is none, or not a paid one, judged by the rules themselves."""
    known: dict[str, list[Invoice]] = defaultdict(list)
    rows = (
        StripeInvoice.objects.filter(connection=work.connection, customer_id__in=customers)
        .annotate(text=Cast(F("data"), TextField()))
        .values_list("customer_id", "text")
    )
    for customer_id, text in rows:
        known[customer_id].append(msgspec.json.decode(text, type=Invoice, strict=False))
    ids = [invoice.id for invoices in known.values() for invoice in invoices]
    payments: dict[str, list[InvoicePayment]] = defaultdict(list)
    for invoice_id, data in StripeInvoicePayment.objects.filter(
        connection=work.connection, invoice_id__in=ids
    ).values_list("invoice_id", "data"):
        payments[invoice_id].append(msgspec.convert(data, InvoicePayment, strict=False))
    intents = dict(
        StripePaymentIntent.objects.filter(
            connection=work.connection,
            stripe_id__in=[
                each.payment.payment_intent_id
                for group in payments.values()
                for each in group
                if each.payment and each.payment.payment_intent_id
            ],
        ).values_list("stripe_id", "status")
    )

    def newest_verdict(invoices: list[Invoice]) -> str:
        for invoice in sorted(invoices, key=lambda each: (each.created, each.id), reverse=True):
            full = msgspec.structs.replace(invoice, payments=InvoicePayments(data=payments[invoice.id]))
            kind = verdict(full, intents=intents, now=work.began).kind
            if kind != "next":
                return kind
        return "next"

    return [customer for customer in customers if newest_verdict(known[customer]) != "paid"]


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

"""Reads few invoices and is still exact (docs/architecture.md section 4 "Reading few invoices and still being exact").

Every open and every uncollectible invoice is in the mirror after a complete walk. So only a paid one can be missing,
and it matters only to a Stripe customer whose newest speaking invoice is not a paid one: for those the newest paid one
is read on its own, or found by paging while a page settles several of them.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db import connection as database
from django.db.models import F, TextField
from django.db.models.functions import Cast

from integrations.errors import IntegrationError
from integrations.models import StripeInvoice, StripeInvoicePayment, StripePaymentIntent
from integrations.stripe.api.decode import DecodeError, decode, reference
from integrations.stripe.api.expansion import expand_object
from integrations.stripe.api.objects import Invoice, InvoicePayment, InvoicePayments
from integrations.stripe.api.pages import cursor_of, iterate
from integrations.stripe.api.query import object_path
from integrations.stripe.rules.verdict import verdict
from integrations.stripe.sync.rows import Batch, Problem
from integrations.stripe.sync.walks import PAID_INVOICES
from integrations.stripe.sync.work import Work

CHUNK = 200
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
READS_A_PAGE = 2  # a page of paid invoices may cost as much as so many customers that still wait for one

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

UNSEEN_INVOICES = """
SELECT i.stripe_id, i.customer_id FROM integrations_stripeinvoice i
WHERE i.connection_id = %(connection)s AND i.status NOT IN ('paid', 'draft', 'void') AND i.observed_at < %(began)s
  AND i.stripe_id > %(after)s
  AND NOT EXISTS (SELECT 1 FROM integrations_seenid seen
                  WHERE seen.run_id = %(run)s AND seen.kind = 2 AND seen.stripe_id = i.stripe_id)
ORDER BY i.stripe_id LIMIT %(limit)s
"""


def unsettled(work: Work, *, after: str = "", limit: int | None = None) -> list[str]:
    """Stripe customers no paid invoice in the mirror settles, in the order of their ids."""
    sql = f"SELECT s.customer_id {UNSETTLED}"
    values: dict[str, Any] = {"connection": work.connection.pk, "after": after}
    sql += " ORDER BY 1"
    if limit is not None:
        sql += " LIMIT %(limit)s"
        values["limit"] = limit
    with database.cursor() as cursor:
        cursor.execute(sql, values)
        return [customer_id for (customer_id,) in cursor.fetchall()]


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
        if not work.read_each(
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


def skim_paid_invoices(work: Work) -> bool:
    """Page paid invoices, newest first, while the pages read so far are few beside the customers still waiting.

    What is waiting for a paid invoice from last month is behind pages that settle nobody, so one fruitless page is no
    reason to stop. At worst paging costs half as much again as reading those customers one by one, which ``settle``
    does behind the place this stops at.
    """
    place = work.checkpoint["cursors"].setdefault(
        "paid_invoices", {"after": "", "created": 0, "complete": False, "pages": 0}
    )
    waiting = set(unsettled(work))
    if place["created"]:
        waiting -= with_paid_since(work, waiting, place["created"])
    if is_skimmed(place, waiting):
        return True
    params = {"status": "paid", "created": {"lte": int(work.began.timestamp())}}
    pages = iterate(
        work.reader, PAID_INVOICES.path, params, starting_after=place["after"], last_created=place["created"]
    )
    for page in pages:
        batch = PAID_INVOICES.read_page(
            page,
            batch=Batch(work.overrides),
            reader=work.reader,
            connection=work.connection,
            observed_at=work.clock.from_local(work.reader.sent_at),
        )
        waiting -= keep_newest_of(batch, waiting)
        cursor = cursor_of(page)
        if cursor is not None:
            place.update(after=cursor.id, created=cursor.created)
        place.update(complete=not page.has_more, pages=place["pages"] + 1)
        work.commit("paid_invoices", batch, own_reads=1)  # read for the sake of single customers, like those it saves
        if is_skimmed(place, waiting):
            return True
        if work.is_over:
            return False
    return True


def is_skimmed(place: dict[str, Any], waiting: set[str]) -> bool:
    """Whether another page would cost more than it can save."""
    return bool(place["complete"]) or (place["pages"] + 1) * READS_A_PAGE > len(waiting)


def with_paid_since(work: Work, customers: set[str], created: int) -> set[str]:
    """Those of these customers whose newest paid invoice was paged already: one is from ``created`` or behind it."""
    paid = StripeInvoice.objects.filter(
        connection=work.connection,
        customer_id__in=list(customers),
        status="paid",
        created__gte=datetime.fromtimestamp(created, UTC),
    )
    return set(paid.values_list("customer_id", flat=True))


def keep_newest_of(batch: Batch, waiting: set[str]) -> set[str]:
    """Leave in the batch one invoice, the newest, of each customer that waits for one; returns those customers."""
    rows = batch.tables.get("invoice", {})
    newest: dict[str, str] = {}
    for stripe_id, row in rows.items():
        known = newest.get(row["customer_id"])
        if known is None or (row["created"], stripe_id) > (rows[known]["created"], known):
            newest[row["customer_id"]] = stripe_id
    found = newest.keys() & waiting
    batch.tables["invoice"] = {newest[customer_id]: rows[newest[customer_id]] for customer_id in sorted(found)}
    return set(found)


def settle(work: Work) -> bool:
    """Read the newest paid invoice of every customer whose status one could overtake and none was paged for."""
    skimmed = work.checkpoint["cursors"].get("paid_invoices", {"created": 0, "complete": False})
    if skimmed["complete"]:
        return True
    while True:
        chunk = unsettled(work, after=work.checkpoint["cursors"].get("settle", ""), limit=CHUNK)
        if not chunk:
            return True
        items = [(customer_id, customer_id) for customer_id in in_doubt(work, chunk, skimmed["created"])]
        if not work.read_each(
            "settle",
            items,
            lambda each: read_newest_paid(work, each),
            last=chunk[-1],
            about=lambda each: Problem("stripe_unavailable", "customer", each, each),
        ):
            return False


def in_doubt(work: Work, customers: list[str], skimmed: int) -> list[str]:
    """Those whose newest speaking invoice is none, or not a paid one, judged by the rules themselves.

    One that says nothing yet may be due tomorrow, when nobody asks Stripe: it has to be settled then as well. Who has a
    paid invoice from behind ``skimmed`` (Unix seconds, 0: nothing was paged) has the newest one already.
    """
    invoices, intents = load_invoices(work, customers)

    def newest_verdict(known: list[Invoice], now: datetime) -> str:
        for invoice in sorted(known, key=lambda each: (each.created, each.id), reverse=True):
            kind = verdict(invoice, intents=intents, now=now).kind
            if kind != "next":
                return kind
        return "next"

    def is_settled(known: list[Invoice]) -> bool:
        if skimmed and any(each.status == "paid" and each.created > skimmed for each in known):
            return True
        return all(newest_verdict(known, now) == "paid" for now in (work.began, END_OF_TIME))

    return [customer_id for customer_id in customers if not is_settled(invoices[customer_id])]


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

"""Payments of open invoices that no list brought whole (docs/architecture.md section 4 "Without expansion").

With expansion, open invoices carry all their payments and the list of open payments carries the intents; only those of
canceled payments are missing. Without it the list has ids only, and what it leaves out is read invoice by invoice and
intent by intent.
"""

from __future__ import annotations

from django.db import connection as database

from integrations.errors import IntegrationError
from integrations.models import StripeInvoice, StripeInvoicePayment
from integrations.stripe.api.decode import DecodeError
from integrations.stripe.api.objects import PaymentIntent
from integrations.stripe.api.pages import iterate
from integrations.stripe.api.query import object_path
from integrations.stripe.sync.rows import Batch, Problem
from integrations.stripe.sync.single_reads import read_each
from integrations.stripe.sync.walks import PAYMENTS
from integrations.stripe.sync.work import Work

CHUNK = 200

CLOSED_PAYMENTS = """
DELETE FROM integrations_stripeinvoicepayment p
WHERE p.connection_id = %(connection)s AND p.data->>'status' = 'open' AND p.observed_at < %(began)s
  AND NOT EXISTS (SELECT 1 FROM integrations_seenid seen
                  WHERE seen.run_id = %(run)s AND seen.kind = 3 AND seen.stripe_id = p.stripe_id)
"""

# Open invoices whose payments the list of open ones does not have: partly paid, canceled, or none at all.
WITHOUT_OPEN_PAYMENT = """
SELECT i.stripe_id FROM integrations_stripeinvoice i
WHERE i.connection_id = %(connection)s AND i.status = 'open' AND i.stripe_id > %(after)s
  AND NOT EXISTS (SELECT 1 FROM integrations_stripeinvoicepayment p
                  WHERE p.connection_id = %(connection)s AND p.invoice_id = i.stripe_id AND p.data->>'status' = 'open')
ORDER BY i.stripe_id LIMIT %(limit)s
"""

# Payments of open invoices with the intents behind them.
INTENTS = """
SELECT p.stripe_id, p.data->'payment'->>'payment_intent' FROM integrations_stripeinvoicepayment p
JOIN integrations_stripeinvoice i
  ON i.connection_id = p.connection_id AND i.stripe_id = p.invoice_id AND i.status = 'open'
WHERE p.connection_id = %(connection)s AND p.stripe_id > %(after)s AND p.data->>'status' <> ALL(%(known)s)
  AND p.data->'payment'->>'payment_intent' IS NOT NULL
ORDER BY p.stripe_id LIMIT %(limit)s
"""


def drop_closed_payments(work: Work) -> bool:
    """Without expansion: forget payments that are open no more, unless the list of them could not be read whole.

    With expansion open invoices carry all their payments, and the intents come with the list of open ones.
    """
    if work.connection.can_expand or work.checkpoint.get("unreadable"):
        return True
    with work.fenced(), database.cursor() as cursor:
        cursor.execute(CLOSED_PAYMENTS, {"connection": work.connection.pk, "run": work.run.pk, "began": work.began})
    return True


def read_payments(work: Work) -> bool:
    """Without expansion: read the payments of open invoices that have no open one; they tell what became of it."""
    if work.connection.can_expand:
        return True
    while True:
        after = work.checkpoint["cursors"].get("payments_of_invoices", "")
        with database.cursor() as cursor:
            values = {"connection": work.connection.pk, "after": after, "limit": CHUNK}
            cursor.execute(WITHOUT_OPEN_PAYMENT, values)
            found = [stripe_id for (stripe_id,) in cursor.fetchall()]
        if not found:
            return True
        items = [(stripe_id, stripe_id) for stripe_id in found]
        if not read_each(
            work,
            "payments_of_invoices",
            items,
            lambda each: read_payments_of(work, each),
            last=found[-1],
            about=lambda each: Problem("stripe_unavailable", "invoice", each, owner_of_invoice(work, each)),
        ):
            return False


def read_payments_of(work: Work, invoice_id: str) -> Batch:
    """All payments of one invoice."""
    batch = Batch(work.overrides)
    for page in iterate(work.reader, PAYMENTS.path, {"invoice": invoice_id}):
        PAYMENTS.read_page(
            page,
            batch=batch,
            reader=work.reader,
            connection=work.connection,
            observed_at=work.clock.from_local(work.reader.sent_at),
        )
    return batch


def read_intents(work: Work) -> bool:
    """Read the payment intents no list brought: those of canceled payments, and without expansion of open ones."""
    if not work.may("payment_intent_read"):
        return True
    known = ["paid", "open"] if work.connection.can_expand else ["paid"]
    while True:
        after = work.checkpoint["cursors"].get("intents", "")
        with database.cursor() as cursor:
            values = {"connection": work.connection.pk, "after": after, "known": known, "limit": CHUNK}
            cursor.execute(INTENTS, values)
            found = cursor.fetchall()
        if not found:
            return True
        if not read_each(
            work,
            "intents",
            found,
            lambda each: read_intent(work, each),
            last=found[-1][0],
            about=lambda each: Problem("stripe_unavailable", "payment_intent", each, owner_of_intent(work, each)),
        ):
            return False


def read_intent(work: Work, stripe_id: str) -> Batch:
    """The status of one payment intent; one that is gone or unreadable stays unknown."""
    batch = Batch(work.overrides)
    try:
        intent = work.reader.get_object(object_path("payment_intents", stripe_id), None, PaymentIntent)
    except DecodeError as error:
        batch.problems.append(Problem("invalid_response", "payment_intent", stripe_id, detail=error.detail))
    except IntegrationError as error:
        if error.code != "record_gone":
            raise
    else:
        batch.add_payment_intent(intent, work.clock.from_local(work.reader.sent_at))
    return batch


def owner_of_invoice(work: Work, invoice_id: str) -> str:
    """The Stripe customer of a mirrored invoice."""
    mine = StripeInvoice.objects.filter(connection=work.connection, stripe_id=invoice_id)
    return mine.values_list("customer_id", flat=True).first() or ""


def owner_of_intent(work: Work, intent_id: str) -> str:
    """The Stripe customer whose invoice a payment intent pays."""
    payments = StripeInvoicePayment.objects.filter(connection=work.connection, data__payment__payment_intent=intent_id)
    invoice_id = payments.values_list("invoice_id", flat=True).first()
    return owner_of_invoice(work, invoice_id) if invoice_id else ""

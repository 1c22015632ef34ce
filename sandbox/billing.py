"""Invoices, their payments and payment intents that agree with one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.shapes import Json, build, list_of

MINIMUM_ATTEMPTED = 1


@dataclass(frozen=True)
class Billed:
    """Whom an invoice is for: the Stripe customer's id, e-mail and name as they stood."""

    customer: str
    email: str | None = None
    name: str | None = None


def make_invoice(
    object_id: str,
    billed: Billed,
    *,
    created: int,
    livemode: bool,
    amount: int,
    currency: str = "usd",
    status: str = "paid",
    subscription: str | None = None,
    lines: Sequence[Json] = (),
    **fields: Any,
) -> Json:
    """An invoice over `amount` minor units whose sums, dates and flags follow from `status`.

    `fields` are further fields of the invoice and win over what follows.
    """
    paid = status == "paid"
    automatic = fields.get("collection_method", "charge_automatically") == "charge_automatically"
    attempts = fields.get("attempt_count", 1 if paid and automatic and amount else 0)
    finalized = None if status == "draft" else created + 3600
    invoice = build(
        "invoice",
        id=object_id,
        created=created,
        livemode=livemode,
        customer=billed.customer,
        customer_email=billed.email,
        customer_name=billed.name,
        currency=currency,
        status=status,
        amount_due=amount,
        amount_paid=amount if paid else 0,
        amount_remaining=0 if paid else amount,
        subtotal=amount,
        subtotal_excluding_tax=amount,
        total=amount,
        total_excluding_tax=amount,
        attempt_count=attempts,
        attempted=attempts >= MINIMUM_ATTEMPTED or (paid and automatic),
        auto_advance=status in {"draft", "open"} and automatic,
        automatically_finalizes_at=created + 3600 if status == "draft" else None,
        effective_at=finalized,
        parent=parent_of(subscription) if subscription else None,
        billing_reason="subscription_cycle" if subscription else "manual",
        lines=list_of(list(lines), f"/v1/invoices/{object_id}/lines"),
        period_start=created,
        period_end=created,
        webhooks_delivered_at=created,
        status_transitions={
            "finalized_at": finalized,
            "marked_uncollectible_at": created + 2_600_000 if status == "uncollectible" else None,
            "paid_at": finalized if paid else None,
            "voided_at": finalized if status == "void" else None,
        },
    )
    unknown = fields.keys() - invoice.keys()
    if unknown:
        raise KeyError(f"invoice has no field {', '.join(sorted(unknown))}")
    return invoice | fields


def parent_of(subscription: str) -> Json:
    """The `parent` of an invoice that a subscription made."""
    return {
        "quote_details": None,
        "subscription_details": {"metadata": {}, "subscription": subscription},
        "type": "subscription_details",
    }


def make_line(object_id: str, invoice_id: str, item: Json, amount: int, livemode: bool) -> Json:
    """The line of an invoice that bills one subscription item for its current period."""
    price = item["price"]
    quantity = item["quantity"]
    return build(
        "line_item",
        id=object_id,
        amount=amount,
        subtotal=amount,
        currency=price["currency"],
        invoice=invoice_id,
        livemode=livemode,
        quantity=quantity,
        quantity_decimal=None if quantity is None else str(quantity),
        description=f"{quantity or 1} × {price['nickname'] or price['lookup_key'] or price['id']}",
        period={"start": item["current_period_start"], "end": item["current_period_end"]},
        parent={
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        pricing={
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
    )


def make_payment(invoice: Json, payment_id: str, intent_id: str, intent_status: str) -> tuple[Json, Json]:
    """The invoice payment and the payment intent through which `invoice` was, or is to be, paid."""
    amount, created = invoice["amount_due"], invoice["created"] + 3600
    succeeded, canceled = intent_status == "succeeded", intent_status == "canceled"
    settled = invoice["status"] == "paid" and succeeded
    common = {"created": created, "currency": invoice["currency"], "livemode": invoice["livemode"]}
    payment = build(
        "invoice_payment",
        id=payment_id,
        invoice=invoice["id"],
        amount_requested=amount,
        amount_paid=amount if settled else None,
        status="paid" if settled else "canceled" if canceled else "open",
        payment={"payment_intent": intent_id, "type": "payment_intent"},
        status_transitions={"canceled_at": created if canceled else None, "paid_at": created if settled else None},
        **common,
    )
    intent = build(
        "payment_intent",
        id=intent_id,
        amount=amount,
        amount_received=amount if succeeded else 0,
        customer=invoice["customer"],
        status=intent_status,
        canceled_at=created if canceled else None,
        last_payment_error=_declined() if intent_status == "requires_payment_method" and invoice["attempted"] else None,
        payment_method_types=["us_bank_account"] if intent_status == "processing" else ["card"],
        **common,
    )
    return payment, intent


def _declined() -> Json:
    return {
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "doc_url": "https://docs.stripe.com/error-codes#card-declined",
        "message": "Your card has insufficient funds.",
        "type": "card_error",
    }

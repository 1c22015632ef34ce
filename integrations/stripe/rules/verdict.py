"""What one invoice says about paying: the table of docs/rules.md section 5, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct

from integrations.stripe.api.objects import Invoice, InvoicePayment, PaymentIntent
from integrations.stripe.rules.moments import is_later, moment
from integrations.stripe.rules.problems import Problem

Kind = Literal["paid", "past_due", "failing", "next"]
IntentStatus = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "canceled",
    "succeeded",
    "unknown",
]

_INTENT_STATUSES: dict[str, IntentStatus] = {
    "requires_payment_method": "requires_payment_method",
    "requires_confirmation": "requires_confirmation",
    "requires_action": "requires_action",
    "processing": "processing",
    "requires_capture": "requires_capture",
    "canceled": "canceled",
    "succeeded": "succeeded",
}

# Why codes with the verdict each stands for and its sentence pattern; payment_status.sentence fills the braces.
_MEANINGS: dict[str, tuple[Kind, str]] = {
    "draft": ("next", "Invoice {number} is a draft"),
    "void": ("next", "Invoice {number} was voided"),
    "unknown_status": ("next", "Invoice {number} has a status we do not know"),
    "paid": ("paid", "Invoice {number} is paid"),
    "nothing_charged": ("paid", "Invoice {number} is paid; nothing was charged"),
    "nothing_remaining": ("paid", "Nothing is left to pay on invoice {number}"),
    "not_tried": ("next", "No payment of invoice {number} was tried yet"),
    "first_debit": ("next", "The first debit of invoice {number} is under way"),
    "retry_under_way": ("failing", "{attempts} at invoice {number}, the latest under way, {amount_remaining} open"),
    "action_required": (
        "past_due",
        "The customer must confirm paying invoice {number}, {amount_remaining} open",
    ),
    "confirmation_required": (
        "past_due",
        "Paying invoice {number} waits for confirmation, {amount_remaining} open",
    ),
    "declined": ("failing", "{attempts} declined, {next_attempt}, {amount_remaining} open"),
    "partly_paid": ("next", "Invoice {number} is partly paid and not due yet, {amount_remaining} open"),
    "partly_paid_due": ("past_due", "Invoice {number} is partly paid, due since {due}, {amount_remaining} open"),
    "not_due": ("next", "Invoice {number} is not due yet, {amount_remaining} open"),
    "declined_due": ("failing", "{attempts} declined, due since {due}, {amount_remaining} open"),
    "due": ("past_due", "Invoice {number} was due on {due}, {amount_remaining} open"),
    "subscription_paused": ("next", "Invoice {number} was set aside when its subscription was paused"),
    "given_up": ("failing", "Invoice {number} was given up after {attempts}, {amount_remaining} open"),
    "written_off": ("past_due", "Invoice {number} was marked uncollectible, {amount_remaining} open"),
}


class Verdict(Struct, frozen=True):
    """What an invoice says: ``next`` means nothing about paying, ask the one before.

    ``why`` is a stable code, ``message`` a sentence pattern. ``next_change_at`` is the due date that would change the
    kind.
    """

    kind: Kind
    why: str
    message: str
    next_change_at: datetime | None = None
    problem: Problem | None = None


def verdict(invoice: Invoice, *, intents: Mapping[str, str], now: datetime) -> Verdict:
    """Return what an invoice says at ``now``; ``intents`` maps payment intent ids to the statuses we could read."""
    is_due = invoice.due_date is not None and not is_later(invoice.due_date, now)
    intent = intent_status(invoice, intents)
    why = _why(invoice, intent, is_due=is_due)
    kind, message = _MEANINGS[why]
    changes = _MEANINGS[_why(invoice, intent, is_due=True)][0] != kind
    return Verdict(
        kind,
        why,
        message,
        next_change_at=moment(invoice.due_date) if changes else None,
        problem=_problem(invoice) if why == "unknown_status" else None,
    )


def intent_status(invoice: Invoice, intents: Mapping[str, str]) -> IntentStatus:
    """Return the status of the payment intent that stands for an invoice.

    That is the one behind its open payment (several: the default one, then the newest, then the larger id); without an
    open payment its newest payment, where paid means succeeded. What we cannot read or do not know is ``unknown``.
    """
    payments = invoice.payments.data if invoice.payments is not UNSET and invoice.payments is not None else []
    open_payments = [payment for payment in payments if payment.status == "open"]
    if open_payments:
        first = max(open_payments, key=lambda payment: (payment.is_default, payment.created, payment.id))
        return _status_of(first, intents)
    newest = max(payments, key=lambda payment: (payment.created, payment.id), default=None)
    if newest is None:
        return "unknown"
    return "succeeded" if newest.status == "paid" else _status_of(newest, intents)


def _status_of(payment: InvoicePayment, intents: Mapping[str, str]) -> IntentStatus:
    source = payment.payment
    intent = source.payment_intent if source else None
    if intent is None:
        return "unknown"
    status = intent.status if isinstance(intent, PaymentIntent) else intents.get(intent, "")
    return _INTENT_STATUSES.get(status, "unknown")


def _why(invoice: Invoice, intent: IntentStatus, *, is_due: bool) -> str:
    """Return the row of the table an invoice is in, as a key of the meanings."""
    match invoice.status:
        case "draft" | None:
            return "draft"
        case "void":
            return "void"
        case "paid":
            return "paid" if invoice.amount_due > 0 else "nothing_charged"
        case "open":
            return _why_open(invoice, intent, is_due=is_due)
        case "uncollectible":
            return _why_uncollectible(invoice)
        case _:
            return "unknown_status"


def _why_open(invoice: Invoice, intent: IntentStatus, *, is_due: bool) -> str:
    if invoice.amount_remaining <= 0:
        return "nothing_remaining"
    if intent == "succeeded":
        return "partly_paid_due" if is_due else "partly_paid"
    if _is_automatic(invoice):
        return _why_open_automatic(invoice, intent)
    if not is_due:
        return "not_due"
    is_declined = invoice.attempt_count >= 1 and intent in ("requires_payment_method", "canceled")
    return "declined_due" if is_declined else "due"


def _why_open_automatic(invoice: Invoice, intent: IntentStatus) -> str:
    match intent:
        case "processing" | "requires_capture":
            return "first_debit" if invoice.attempt_count <= 1 else "retry_under_way"
        case "requires_action":
            return "action_required"
        case _ if invoice.attempt_count < 1:
            return "not_tried"
        case "requires_confirmation":
            return "confirmation_required"
        case _:
            return "declined"


def _why_uncollectible(invoice: Invoice) -> str:
    details = invoice.status_details.uncollectible if invoice.status_details else None
    reason = details.reason if details else None
    if reason == "subscription_paused":
        return "subscription_paused"
    if reason == "max_payment_attempts" or invoice.attempt_count >= 1:
        return "given_up"
    return "written_off"


def _is_automatic(invoice: Invoice) -> bool:
    """Say whether Stripe charges by itself; a method we do not know is an invoice sent when it has a due date."""
    if invoice.collection_method in ("charge_automatically", "send_invoice"):
        return invoice.collection_method == "charge_automatically"
    return invoice.due_date is None


def _problem(invoice: Invoice) -> Problem:
    message = f"Invoice {invoice.id} has the status “{invoice.status}”, which we do not know, so it was passed over."
    return Problem("unknown_value", invoice.id, message)

"""Whether a customer pays: one verdict from all its invoices, with its reason (docs/rules.md section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from integrations.stripe.api.objects import Invoice
from integrations.stripe.rules.moments import earliest, moment
from integrations.stripe.rules.money import exact, minor_units
from integrations.stripe.rules.problems import Problem, distinct
from integrations.stripe.rules.verdict import Kind, Verdict, verdict
from integrations.stripe.rules.wording import day as utc_day
from integrations.stripe.rules.wording import short_money

CustomerPaymentStatus = Literal["paid", "past_due", "failing", "none"]

__all__ = [
    "AlsoOpen",
    "CustomerPaymentStatus",
    "Kind",
    "LiveSubscription",
    "OpenAmount",
    "PaymentStatus",
    "Reason",
    "Verdict",
    "payment_status",
    "sentence",
    "verdict",
]

_UNPAID: frozenset[Kind] = frozenset({"past_due", "failing"})


class LiveSubscription(Struct, frozen=True):
    """A live subscription in scope; what the status falls back to when no invoice says anything."""

    status: str
    collection_method: str | None = None


class Reason(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the status is what it is: a code, a sentence pattern for :func:`sentence`, and the deciding invoice.

    Without a deciding invoice the fields from ``invoice`` on are empty. Amounts are in minor units of ``currency``.
    ``subscription`` is the one the invoice was made for; ``outside_scope`` is set by the caller, who knows the scope.
    """

    why: str
    message: str
    invoice: str = ""
    number: str = ""
    status: str = ""
    created: datetime | None = None
    due_date: datetime | None = None
    currency: str = ""
    amount_due: int = 0
    amount_remaining: int = 0
    attempts: int = 0
    next_attempt: datetime | None = None
    customer: str = ""
    subscription: str = ""
    outside_scope: bool = False


class OpenAmount(Struct, frozen=True):
    """What is open in one currency, in major units."""

    currency: str
    amount: Decimal


class AlsoOpen(Struct, frozen=True):
    """The other invoices that are past due or failing, which the deciding one hides."""

    count: int
    oldest: datetime | None
    totals: tuple[OpenAmount, ...]


class PaymentStatus(Struct, frozen=True, kw_only=True):
    """The status of a customer; ``next_change_at`` is when a due date alone would change it or what is also open."""

    status: CustomerPaymentStatus
    reason: Reason
    also_open: AlsoOpen | None = None
    problems: tuple[Problem, ...] = ()
    next_change_at: datetime | None = None


# Worst first: of several subscriptions the first row that one of them matches wins.
_FALLBACKS: dict[str, tuple[CustomerPaymentStatus, str]] = {
    "subscription_unpaid": ("failing", "No invoice decides, and a subscription is unpaid"),
    "subscription_failing": ("failing", "No invoice decides, and a subscription is past due"),
    "subscription_past_due": ("past_due", "No invoice decides, and a subscription paid by invoice is past due"),
    "subscription_incomplete": ("past_due", "No invoice decides, and a subscription lacks its first payment"),
    "no_invoice": ("none", "No invoice says anything about paying yet"),
}


def payment_status(
    invoices: Sequence[Invoice],
    *,
    intents: Mapping[str, str],
    subscriptions: Sequence[LiveSubscription],
    now: datetime,
) -> PaymentStatus:
    """Return the status that the newest invoice with something to say decides; the order of ``invoices`` is irrelevant.

    ``intents`` maps payment intent ids to their status, as far as they could be read. ``subscriptions`` are asked only
    when no invoice decides.
    """
    newest_first = sorted(invoices, key=lambda invoice: (invoice.created, invoice.id), reverse=True)
    judged = [(invoice, verdict(invoice, intents=intents, now=now)) for invoice in newest_first]
    problems = distinct([each.problem for _, each in judged if each.problem])
    next_change_at = earliest([each.next_change_at for _, each in judged])
    for invoice, deciding in judged:
        if deciding.kind != "next":
            hidden = [other for other, each in judged if each.kind in _UNPAID and other is not invoice]
            return PaymentStatus(
                status=deciding.kind,
                reason=_reason(invoice, deciding),
                also_open=_also_open(hidden),
                problems=problems,
                next_change_at=next_change_at,
            )
    why = _fallback(subscriptions)
    status, message = _FALLBACKS[why]
    return PaymentStatus(
        status=status, reason=Reason(why=why, message=message), problems=problems, next_change_at=next_change_at
    )


def open_amount(reason: Reason) -> str:
    """Return what is still open on the deciding invoice, in words."""
    with exact():
        remaining = Decimal(reason.amount_remaining) / minor_units(reason.currency)
    return short_money(remaining, reason.currency)


def sentence(reason: Reason, *, day: Callable[[datetime], str] = utc_day, say: Callable[[str], str] = str) -> str:
    """Return the reason in words; ``day`` writes a date the way the reader's time zone wants it (default: UTC).

    ``say`` puts each piece of our own words into the reader's language. Carries the invoice number, which is Stripe's
    text: escape it.
    """
    values = {
        "attempts": say("1 attempt" if reason.attempts == 1 else f"{reason.attempts} attempts"),
        "number": reason.number or reason.invoice,
        "amount_remaining": say(open_amount(reason)),
        "next_attempt": say(
            f"next on {day(reason.next_attempt)}" if reason.next_attempt else "no further attempt planned"
        ),
        "due": day(reason.due_date) if reason.due_date else "",
    }
    return say(reason.message).format_map(values)


def _reason(invoice: Invoice, deciding: Verdict) -> Reason:
    details = invoice.parent.subscription_details if invoice.parent else None
    return Reason(
        why=deciding.why,
        message=deciding.message,
        invoice=invoice.id,
        number=invoice.number or "",
        status=invoice.status or "",
        created=moment(invoice.created),
        due_date=moment(invoice.due_date),
        currency=invoice.currency,
        amount_due=invoice.amount_due,
        amount_remaining=invoice.amount_remaining,
        attempts=invoice.attempt_count,
        next_attempt=moment(invoice.next_payment_attempt),
        customer=invoice.customer_id or "",
        subscription=(details.subscription if details else None) or "",
    )


def _also_open(invoices: list[Invoice]) -> AlsoOpen | None:
    """Count invoices and add up what is open on them, by currency; None when there are none."""
    if not invoices:
        return None
    open_minor: dict[str, int] = {}
    for invoice in invoices:
        open_minor[invoice.currency] = open_minor.get(invoice.currency, 0) + invoice.amount_remaining
    with exact():
        totals = tuple(
            OpenAmount(currency, Decimal(minor) / minor_units(currency))
            for currency, minor in sorted(open_minor.items())
        )
    return AlsoOpen(len(invoices), earliest([moment(invoice.created) for invoice in invoices]), totals)


def _fallback(subscriptions: Sequence[LiveSubscription]) -> str:
    """Return the worst that a live subscription says, as a key of the fallbacks."""
    found = {_subscription_says(subscription) for subscription in subscriptions} | {"no_invoice"}
    return next(why for why in _FALLBACKS if why in found)


def _subscription_says(subscription: LiveSubscription) -> str:
    match subscription.status:
        case "unpaid":
            return "subscription_unpaid"
        case "past_due" if subscription.collection_method == "send_invoice":
            return "subscription_past_due"
        case "past_due":
            return "subscription_failing"
        case "incomplete":
            return "subscription_incomplete"
        case _:
            return "no_invoice"

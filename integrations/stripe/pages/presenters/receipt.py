"""The receipt: every line of a customer's MRR, adding up to the cent (docs/rules.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from customers import wording
from customers.stored_words import amount, translated
from integrations.stripe.pages.presenters.billing import BilledSubscription, Billing, total
from integrations.stripe.pages.presenters.billing_card import status_of
from integrations.stripe.rules.money import to_cents
from integrations.stripe.rules.receipt import WHY_ZERO, Line, as_read
from integrations.stripe.rules.subscriptions import ends_at
from integrations.stripe.rules.wording import money

ENDED_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One step: ``effect`` is what it does to the monthly figure in US dollars, empty where it only informs."""

    label: str
    detail: str
    effect: str
    is_zero: bool


@dataclass(frozen=True, slots=True)
class ReceiptBlock:
    """One subscription: its lines add up to its contribution."""

    subscription: BilledSubscription
    status: str
    status_text: str
    lines: list[ReceiptLine]
    remark: str
    sum: str


@dataclass(frozen=True, slots=True)
class CustomerReceipt:
    """The whole receipt. ``rounding`` is what rounding to cents adds, once, at the end."""

    billing: Billing
    blocks: list[ReceiptBlock]
    ended: list[BilledSubscription]
    exact: str
    rounding: str
    as_of: datetime | None
    is_settled: bool


def present_receipt(billing: Billing) -> CustomerReceipt:
    """The receipt of a customer, from the stored receipts of its subscriptions."""
    exact = total(billing.subscriptions)
    mrr = billing.customer.mrr
    return CustomerReceipt(
        billing=billing,
        blocks=[_block(each, timezone.now().date()) for each in billing.live],
        ended=billing.ended[:ENDED_SHOWN],
        exact=amount(money(exact, "usd")),
        rounding=_signed(mrr - exact),
        as_of=billing.freshness.as_of,
        is_settled=to_cents(exact) == mrr,
    )


def _block(subscription: BilledSubscription, today: date) -> ReceiptBlock:
    status, text = status_of(subscription.data)
    receipt = subscription.receipt
    remark = ""
    if receipt and receipt.why_zero:
        remark = translated(WHY_ZERO.get(receipt.why_zero, ""))
    elif ends_at(subscription.data):
        remark = _("Set to end; it counts until then.")
    elif subscription.data.status == "past_due":
        remark = _("Past due still counts; a failing payment does not lower MRR.")
    return ReceiptBlock(
        subscription=subscription,
        status=status,
        status_text=text,
        lines=[_line(line, today) for line in receipt.lines if line.kind != "zero"] if receipt else [],
        remark=remark,
        sum=amount(money(subscription.row.mrr, "usd")),
    )


def _line(stored: Line, today: date) -> ReceiptLine:
    line = as_read(stored, today=today)
    if line.kind == "rate":
        effect = (
            f"× {wording.separated(f'{line.rate.normalize():f}')}"
            if line.rate is not None and line.rate < 10**6
            else ""
        )
    else:
        effect = amount(money(line.usd, "usd")) if line.usd is not None else "—"
    return ReceiptLine(
        label=translated(line.label), detail=translated(line.detail), effect=effect, is_zero=not line.usd
    )


def _signed(change: Decimal) -> str:
    text = amount(money(change, "usd"))
    return f"+ {text}" if change > 0 else text

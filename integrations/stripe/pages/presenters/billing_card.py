"""The billing card: subscriptions with their badges, and the invoices behind the payment status."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers import wording
from customers.stored_words import translated
from integrations.stripe.api.objects import Subscription
from integrations.stripe.pages.presenters.billing import BilledSubscription, Billing, moment_of
from integrations.stripe.pages.presenters.invoices import InvoiceLine, invoices_behind
from integrations.stripe.pages.presenters.rates import rates_of
from integrations.stripe.pages.presenters.upcoming import SHOWN, Upcoming, upcoming
from integrations.stripe.rules.money import to_cents
from integrations.stripe.rules.receipt import WHY_ZERO, Receipt
from integrations.stripe.rules.subscriptions import ends_at

SUBSCRIPTIONS_SHOWN = 50
EVERY = {
    "day": gettext_lazy("daily"),
    "week": gettext_lazy("weekly"),
    "month": gettext_lazy("monthly"),
    "year": gettext_lazy("yearly"),
}


@dataclass(frozen=True, slots=True)
class SubscriptionLine:
    """A subscription in the card; ``mrr`` rounded to cents for reading, the receipt has every digit."""

    subscription: BilledSubscription
    detail: str
    status: str
    status_text: str
    notes: list[str]
    mrr: Decimal


@dataclass(frozen=True, slots=True)
class BillingCard:
    """The card of one customer."""

    billing: Billing
    lines: list[SubscriptionLine]
    hidden: int
    invoices: list[InvoiceLine]
    upcoming: list[Upcoming]
    later: int
    older_open: int
    rates: str


def present_card(billing: Billing) -> BillingCard:
    """Running subscriptions and the invoices that speak, in the order in which they do."""
    live = billing.live
    now = timezone.now()
    invoices = invoices_behind(billing, now=now)
    ahead = upcoming(billing, invoices, now=now)
    return BillingCard(
        billing=billing,
        lines=[_line(each, several=len(billing.attached) > 1) for each in live[:SUBSCRIPTIONS_SHOWN]],
        hidden=max(0, len(live) - SUBSCRIPTIONS_SHOWN),
        invoices=invoices,
        upcoming=ahead[:SHOWN],
        later=max(0, len(ahead) - SHOWN),
        older_open=billing.also_open.count if billing.also_open else 0,
        rates=rates_of(billing),
    )


def _line(subscription: BilledSubscription, *, several: bool) -> SubscriptionLine:
    status, text = status_of(subscription.data)
    detail = [_items(subscription.data)]
    if subscription.data.currency != "usd":
        detail.append(_("in %(currency)s") % {"currency": subscription.data.currency.upper()})
    if several:
        detail.append(_("on %(name)s") % {"name": subscription.owner.name})
    return SubscriptionLine(
        subscription=subscription,
        detail=", ".join(part for part in detail if part),
        status=status,
        status_text=text,
        notes=notes_of(subscription.data, subscription.receipt),
        mrr=to_cents(subscription.row.mrr),
    )


def status_of(data: Subscription) -> tuple[str, str]:
    """The badge of a subscription: the shape of a status, and the word."""
    trial_end = moment_of(data.trial_end)
    known = {
        "active": ("active", _("Active")),
        "past_due": ("past_due", _("Past due")),
        "unpaid": ("failing", _("Unpaid")),
        "incomplete": ("past_due", _("Incomplete")),
        "paused": ("none", _("Paused")),
        "canceled": ("none", _("Ended")),
        "incomplete_expired": ("none", _("Expired")),
        "trialing": (
            "none",
            _("Trial until %(day)s") % {"day": wording.day(trial_end)} if trial_end else _("Trial"),
        ),
    }
    return known.get(data.status, ("note", data.status[:40]))


def _items(data: Subscription) -> str:
    """``20, monthly`` of the first item, and how many more there are."""
    items = data.items.data
    if not items:
        return ""
    first = items[0]
    parts = []
    if first.quantity is not None:
        number = wording.number(first.quantity)
        parts.append(ngettext("%(number)s unit", "%(number)s units", first.quantity) % {"number": number})
    if first.price.recurring:
        recurring = first.price.recurring
        parts.append(_interval(recurring.interval, recurring.interval_count))
    if len(items) > 1:
        more = len(items) - 1
        parts.append(ngettext("%(number)d more item", "%(number)d more items", more) % {"number": more})
    return ", ".join(parts)


def _interval(interval: str, count: int) -> str:
    if count == 1:
        return str(EVERY.get(interval, interval))
    if (interval, count) == ("month", 3):
        return _("quarterly")
    return str(EVERY_FEW.get(interval, EVERY_OTHER)) % {"count": count, "interval": interval}


EVERY_FEW = {
    "day": gettext_lazy("every %(count)d days"),
    "week": gettext_lazy("every %(count)d weeks"),
    "month": gettext_lazy("every %(count)d months"),
    "year": gettext_lazy("every %(count)d years"),
}
EVERY_OTHER = gettext_lazy("every %(count)d × %(interval)s")


def notes_of(data: Subscription, receipt: Receipt | None) -> list[str]:
    """What a reader has to know beside the status: an end, a pause, a discount, what the figure leaves out."""
    notes = []
    end = ends_at(data)
    if end:
        notes.append(_("Ends %(day)s") % {"day": wording.day(end)})
    if data.pause_collection:
        resumes = moment_of(data.pause_collection.resumes_at)
        notes.append(
            _("Collection paused until %(day)s") % {"day": wording.day(resumes)} if resumes else _("Collection paused")
        )
    if receipt:
        notes += _receipt_notes(receipt, is_trial=data.status == "trialing")
    return [note[:160] for note in notes if note][:4]


def _receipt_notes(receipt: Receipt, *, is_trial: bool) -> list[str]:
    """Why it counts 0, what it leaves out, and its discounts."""
    problems = [translated(line.detail or line.label) for line in receipt.lines if line.problem]
    if problems:
        return problems
    notes = [translated(WHY_ZERO.get(receipt.why_zero, ""))] if receipt.why_zero and not is_trial else []
    discounts = [line for line in receipt.lines if line.kind == "discount"]
    return notes + [f"{line.label}: {translated(line.detail)}" if line.detail else line.label for line in discounts]

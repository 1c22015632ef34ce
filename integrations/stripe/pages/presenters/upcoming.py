"""What the calendar has in store for a customer's money, from the mirror: the next moments worth knowing beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.utils.translation import gettext as _

from customers import wording
from integrations.stripe.api.objects import Coupon, Discount, Subscription
from integrations.stripe.pages.presenters.billing import AttachedCustomer, BilledSubscription, Billing, moment_of
from integrations.stripe.pages.presenters.invoices import InvoiceLine
from integrations.stripe.rules.subscriptions import ends_at

SHOWN = 6
NEWS, WARNING = "note", "past_due"


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One moment ahead: when, what happens, where to see it in Stripe; ``tone`` is the shape of a status."""

    at: datetime
    text: str
    tone: str
    url: str


def upcoming(billing: Billing, invoices: Sequence[InvoiceLine], *, now: datetime) -> list[Upcoming]:
    """All that is ahead, soonest first: trials and discounts that end, ends, renewals, payment attempts, due dates."""
    found = [each for subscription in billing.live for each in _of_subscription(subscription)]
    found += [each for owner in billing.attached for each in _of_owner(owner, billing.live)]
    found += [each for invoice in invoices for each in _of_invoice(invoice)]
    return sorted((each for each in found if each.at > now), key=lambda each: (each.at, each.text))


def _of_subscription(subscription: BilledSubscription) -> Iterator[Upcoming]:
    data, name = subscription.data, subscription.label[:70]

    def moment(at: datetime | None, text: str, tone: str = NEWS) -> Iterator[Upcoming]:
        if at is not None:
            yield Upcoming(at, text % {"name": name}, tone, subscription.url)

    if data.status == "trialing":
        yield from moment(moment_of(data.trial_end), _("The trial of %(name)s ends"))
    for end in _discount_ends(data):
        yield from moment(moment_of(end), _("A discount on %(name)s ends"), WARNING)
    if data.pause_collection:
        yield from moment(moment_of(data.pause_collection.resumes_at), _("Collection of %(name)s resumes"))
    ends = ends_at(data)
    if ends:
        yield from moment(ends, _("%(name)s ends"), WARNING)
    elif data.status in ("active", "past_due"):
        yield from moment(renews_at(data), _("%(name)s renews"))


def _of_owner(owner: AttachedCustomer, live: Sequence[BilledSubscription]) -> Iterator[Upcoming]:
    """The discount of a Stripe customer, which its subscriptions without discounts of their own inherit."""
    stored = owner.stripe.data.get("discount")
    inherits = any(each.owner is owner and not each.data.discounts for each in live)
    if not stored or not inherits:
        return
    for end in _ends([msgspec.convert(stored, Discount, strict=False)]):
        at = moment_of(end)
        if at is not None:
            yield Upcoming(
                at, _("A discount on everything of %(name)s ends") % {"name": owner.name[:70]}, WARNING, owner.url
            )


def _of_invoice(invoice: InvoiceLine) -> Iterator[Upcoming]:
    names = {"number": invoice.number[:40], "amount": wording.money(invoice.open_amount, invoice.currency)}
    if not invoice.open_amount:
        return
    if invoice.next_attempt is not None:
        text = _("Stripe tries to collect %(amount)s again, invoice %(number)s") % names
        yield Upcoming(invoice.next_attempt, text, WARNING, invoice.url)
    elif invoice.due is not None:
        yield Upcoming(invoice.due, _("%(amount)s is due, invoice %(number)s") % names, NEWS, invoice.url)


def renews_at(data: Subscription) -> datetime | None:
    """When the first of its items is charged again."""
    ends = [item.current_period_end for item in data.items.data if item.current_period_end is not None]
    return moment_of(min(ends, default=None))


def _discount_ends(data: Subscription) -> set[int]:
    """When discounts on the subscription or its items run out, each moment once."""
    return set(_ends(data.discounts)) | {end for item in data.items.data for end in _ends(item.discounts)}


def _ends(discounts: Iterable[str | Discount] | None) -> Iterator[int]:
    """When discounts run out; one whose coupon is for ever does not, whatever its end says."""
    for discount in discounts or ():
        if not isinstance(discount, Discount) or discount.end is None:
            continue
        coupon = discount.source.coupon
        if not isinstance(coupon, Coupon) or coupon.duration != "forever":
            yield discount.end

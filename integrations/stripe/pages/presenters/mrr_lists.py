"""The subscriptions behind a line of How MRR adds up, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from customers.keyset import Key, page
from integrations.models import StripeConnection, StripeCustomer, StripeSubscription
from integrations.stripe.api.objects import Subscription
from integrations.stripe.pages import links
from integrations.stripe.pages.presenters.billing import read_receipt
from integrations.stripe.pages.presenters.billing_card import notes_of, status_of
from integrations.stripe.pages.presenters.lists import Neighbours, cursors, neighbours
from integrations.stripe.pages.presenters.mrr import DIFFERENCES, PLACES, status_label
from integrations.stripe.pages.presenters.rates import rates_in, rates_words
from integrations.stripe.pages.presenters.reasons import Words
from integrations.stripe.rules.money import to_cents
from integrations.stripe.sync import mrr, mrr_groups

PAGE_SIZE = 50
BY_MRR = (Key("mrr", descending=True), Key("stripe_id"))


@dataclass(frozen=True, slots=True)
class Row:
    """A live subscription; ``mrr`` in cents, ``owner`` None while its Stripe customer was not read."""

    subscription: StripeSubscription
    owner: StripeCustomer | None
    owner_name: str
    url: str
    owner_url: str
    status: str
    status_text: str
    notes: list[str]
    mrr: Decimal

    @property
    def label(self) -> str:
        """Its plan as people read it, else its id."""
        return self.subscription.plan_label or self.subscription.stripe_id


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the subscriptions behind a line."""

    title: Words
    note: Words
    rows: list[Row]
    rates: str
    neighbours: Neighbours


def listing(request: HttpRequest, connection: StripeConnection) -> Listing:
    """The subscriptions behind the line ``of`` in the address; Http404 when there is no such line."""
    title, note, rows = behind(connection, request.GET.get("of", "").replace("\x00", ""))
    shown = page(rows, BY_MRR, size=PAGE_SIZE, **cursors(request))
    owners = {
        each.stripe_id: each
        for each in StripeCustomer.objects.filter(
            connection=connection, stripe_id__in={row.customer_id for row in shown.rows}
        ).select_related("customer")
    }
    return Listing(
        title=title,
        note=note,
        rows=[_row(connection, row, owners.get(row.customer_id)) for row in shown.rows],
        rates=rates_words(rates_in(read_receipt(row.receipt) for row in shown.rows)),
        neighbours=neighbours(request, shown),
    )


def behind(connection: StripeConnection, of: str) -> tuple[Words, Words, QuerySet[StripeSubscription]]:
    """Title, explanation and rows of a line."""
    kind, dash, value = of.partition("-")
    live = mrr_groups.live(connection)
    if dash and kind == "status":
        return status_label(value), "", live.filter(status=value)
    if dash and kind == "currency":
        return _("Billed in %(currency)s") % {"currency": value.upper()[:10]}, "", live.filter(currency=value)
    if of in DIFFERENCES:
        return *DIFFERENCES[of], mrr_groups.listed(connection, of)
    if of == mrr.OUTSIDE_SCOPE:
        note = _("They are mirrored and on no customer.")
        return PLACES[of], note, mrr_groups.outside_scope(connection)
    if of == mrr.UNPLACED:
        note = _("The next run matches them, or reads the Stripe customer they belong to.")
        return PLACES[of], note, mrr_groups.unplaced(connection)
    raise Http404


def _row(connection: StripeConnection, row: StripeSubscription, owner: StripeCustomer | None) -> Row:
    data = msgspec.convert(row.data, Subscription, strict=False)
    status, text = status_of(data)
    name = (owner.name or owner.email) if owner else ""
    return Row(
        subscription=row,
        owner=owner,
        owner_name=name or row.customer_id,
        url=links.subscription_url(connection, row.stripe_id),
        owner_url=links.customer_url(connection, row.customer_id),
        status=status,
        status_text=text,
        notes=notes_of(data, read_receipt(row.receipt)),
        mrr=to_cents(row.mrr),
    )

"""Who was chosen on a list: the ticked ones, a page, or everybody its filter finds."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpRequest
from django.urls import reverse

from customers.models import Customer
from integrations.models import StripeConnection, StripeCustomer
from integrations.stripe.pages.presenters import lists

AT_ONCE = lists.PAGE_SIZE
"""Up to so many are decided on in one transaction, with every header shown; more are a job's."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen Stripe customers, and the list they were chosen on, which is where the answer leads back to."""

    kind: lists.Kind
    ids: list[str]
    back: str

    @property
    def is_many(self) -> bool:
        """Whether a job has to do it."""
        return len(self.ids) > AT_ONCE

    @property
    def above(self) -> str:
        """The view of the list."""
        return f"stripe:{self.kind.name}"

    def rows(self, connection: StripeConnection) -> list[StripeCustomer]:
        """The chosen ones, in the order of their ids."""
        found = StripeCustomer.objects.filter(connection=connection, stripe_id__in=self.ids)
        return list(found.order_by("stripe_id"))


def selection(request: HttpRequest, connection: StripeConnection) -> Selection:
    """What the address chooses. Raises Http404 for an id that is not of this connection."""
    asked = request.GET
    kind = lists.KINDS.get(asked.get("from", ""), lists.UNMATCHED)
    if asked.get("all"):
        found = lists.by_stake(connection, lists.everybody(asked, connection, kind))
        return Selection(kind, list(found.values_list("stripe_id", flat=True)), back(request, connection, kind))
    ids = set(asked.getlist("stripe"))
    if asked.get("page"):
        ids |= set(asked.get("shown", "").split(",")) - {""}
    if any("\x00" in stripe_id for stripe_id in ids):
        raise Http404
    if StripeCustomer.objects.filter(connection=connection, stripe_id__in=ids).count() != len(ids):
        raise Http404
    return Selection(kind, sorted(ids), back(request, connection, kind))


def back(request: HttpRequest, connection: StripeConnection, kind: lists.Kind) -> str:
    """The list as it was narrowed, or the customer's page somebody came from."""
    number = request.GET.get("to", "")
    if request.GET.get("from") == "customer" and number.isascii() and number.isdigit():
        customer = Customer.objects.filter(pk=int(number), environment=connection.environment).first()
        if customer is not None:
            return customer.get_absolute_url()
    query = request.GET.copy()
    for name in set(query) - {"q", "why"}:
        del query[name]
    address = reverse(f"stripe:{kind.name}", args=[connection.mode])
    return f"{address}?{query.urlencode()}" if query else address

"""Whom somebody chose on a list of Stripe customers: some of its rows, its page, or everybody its filter finds.

The choice travels in the address, so that the page which confirms it can be opened again, and every id in it is looked
up in the connection: one of another mode is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, QueryDict
from django.urls import reverse

from integrations.models import StripeConnection, StripeCustomer
from integrations.stripe.pages.presenters import lists
from integrations.stripe.pages.presenters.suggestions import FROM_CUSTOMER

AT_ONCE = 100
"""How many can be chosen one by one: with them the address stays short enough for any server."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The choice; ``is_many`` when it is worked off by a job, since it is everybody on more than a page.

    ``origin`` is the view to go back to, ``query`` the choice as an address carries it.
    """

    stripe_ids: Sequence[str]
    is_many: bool
    origin: str
    query: str
    back: str

    @property
    def sample(self) -> Sequence[str]:
        """The first of them, to be shown."""
        return self.stripe_ids[: lists.PAGE_SIZE]


def chosen(request: HttpRequest, connection: StripeConnection) -> Chosen | None:
    """What the address names; None when nobody is chosen. Raises Http404 for an id that is not of the connection."""
    asked = request.GET
    kind = lists.KINDS.get(asked.get("from", ""), lists.UNMATCHED)
    origin = f"stripe:{kind.name}"
    back = customer_address(asked) or list_address(connection, origin, asked)
    query = asked.copy()
    for name in ("to", "restore", "find"):
        query.pop(name, None)
    if asked.get("all"):
        everybody = lists.most_at_stake(connection, asked, kind)
        ids = list(everybody.values_list("stripe_id", flat=True))
        is_many = len(ids) > lists.PAGE_SIZE
        return Chosen(ids, is_many, origin, query.urlencode(), back) if ids else None
    ids = named(asked)
    if not ids:
        return None
    known = set(
        StripeCustomer.objects.filter(connection=connection, stripe_id__in=ids).values_list("stripe_id", flat=True)
    )
    if len(known) != len(ids):
        raise Http404
    return Chosen(ids, False, origin, query.urlencode(), back)


def customer_address(asked: QueryDict) -> str:
    """The page of the customer, when the link began there."""
    number = asked.get("to", "")
    if asked.get("from") != FROM_CUSTOMER or not (number.isascii() and number.isdigit() and len(number) <= 18):
        return ""
    return reverse("customers:detail", kwargs={"customer_id": int(number)})


def named(asked: QueryDict) -> list[str]:
    """The ids of ticked rows, or of the whole page; each once."""
    ids = asked.getlist("stripe")
    if asked.get("page"):
        ids += asked.get("shown", "").split(",")
    cleaned = (stripe_id.replace("\x00", "").strip()[:255] for stripe_id in ids)
    return list(dict.fromkeys(stripe_id for stripe_id in cleaned if stripe_id))[:AT_ONCE]


def list_address(connection: StripeConnection, origin: str, asked: QueryDict) -> str:
    """The list somebody came from, with its filter."""
    filters = {name: asked[name] for name in ("q", "why") if asked.get(name)}
    address = reverse(origin, args=[connection.mode])
    return f"{address}?{urlencode(filters)}" if filters else address

"""A page of the list by owner: owner by owner in the order of their names, the customers of each in that of an index.

The names lie in another table, so no index has that order, and sorting would read every customer for every page. Owners
are few: each names the first customers it would contribute, and those that fit on the page are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from typing import Any

from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BigIntegerField, Case, OuterRef, QuerySet, Value, When
from django.db.models.functions import Coalesce, Concat, Lower

from customers.keyset import Key, Page, read_page
from customers.models import Customer
from customers.models.customer import CustomerQuerySet, place_with_owner

FEW = 2000  # so many are sorted as fast
NOBODY = ""  # their key: before everybody's
_FIRST, _LAST = (Value(number, output_field=BigIntegerField()) for number in (0, 2**63 - 1))


def owner_key(path: str = "") -> Lower:
    """What owners are sorted by, from a customer (``owner__``) or from the owner."""
    return Lower(Coalesce(Concat(f"{path}first_name", f"{path}last_name", f"{path}username"), Value(NOBODY)))


def page(found: CustomerQuerySet, keys: list[Key], *, size: int, after: str, before: str) -> Page[Customer]:
    """The page that :func:`customers.keyset.page` reads of customers with an ``owner_key``, owners read along.

    Two queries; three where an owner was renamed between two pages.
    """

    def read(directed: list[Key], cursor: list[Any] | None, number: int) -> list[Customer]:
        named = list(islice(_named(found, cursor, number, descending=directed[0].descending), number))
        customers = Customer.objects.in_bulk([number for number, _owner, _key in named])
        rows = []
        for number, owner, key in named:
            if customer := customers.get(number):  # else deleted a moment ago
                customer.owner = owner
                vars(customer)[keys[0].name] = key
                rows.append(customer)
        return rows

    return read_page(read, keys, size=size, after=after, before=before)


def _named(
    found: CustomerQuerySet, cursor: list[Any] | None, number: int, *, descending: bool
) -> Iterator[tuple[int, User | None, str]]:
    """The numbers of the customers behind a cursor in their order, each with its owner and the key of that."""
    key, last = cursor or (None, None)
    owners: Any = User.objects.annotate(owner_key=owner_key(), begin=_begin(key, last, descending=descending))
    owners = owners.order_by("-owner_key" if descending else "owner_key")
    if key is not None:
        owners = owners.filter(**{"owner_key__lte" if descending else "owner_key__gte": key})
    theirs = _first(found.filter(owner=OuterRef("pk")), OuterRef("begin"), number, descending=descending)
    nobodys = _first(found.filter(owner=None), last if key == NOBODY else None, number, descending=descending)
    # Nobody's, along with each owner: they are worked out once.
    owners = list(owners.annotate(theirs=ArraySubquery(theirs), nobodys=ArraySubquery(nobodys)))
    unowned: list[int] = owners[0].nobodys if owners else list(nobodys)
    if not descending and key in (None, NOBODY):
        yield from ((pk, None, NOBODY) for pk in unowned)
    for shared_key, alike in groupby(owners, attrgetter("owner_key")):
        each = [[(pk, owner, shared_key) for pk in owner.theirs] for owner in alike]
        yield from merge(*each, key=itemgetter(0), reverse=descending)
    if descending:
        yield from ((pk, None, NOBODY) for pk in unowned)


def _begin(key: str | None, last: int | None, *, descending: bool) -> Case | Value:
    """Behind which number an owner's customers begin: all of them, but those of the cursor's owner."""
    everything = _LAST if descending else _FIRST
    if not key:
        return everything
    return Case(When(owner_key=key, then=Value(last, output_field=BigIntegerField())), default=everything)


def _first(found: CustomerQuerySet, begin: Any, number: int, *, descending: bool) -> QuerySet[Customer, int]:
    """The numbers of the first customers of one owner."""
    found = found.alias(place=place_with_owner())
    if begin is not None:
        found = found.filter(**{"place__lt" if descending else "place__gt": begin})
    order = ("-owner_id", "-place") if descending else ("owner_id", "place")  # the index, of which nobody's are a part
    return found.order_by(*order).values_list("pk", flat=True)[:number]

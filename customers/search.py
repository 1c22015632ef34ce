"""The search of the customer list: words of the name, a domain or extra domain, a Stripe id, each by its beginning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet, Value

from customers.models import Customer, CustomerDomain
from customers.models.customer import name_words

FEW = 1000
MOST_ALIASES = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What a search finds: ``all`` of it, and the same in ``parts`` that have nobody in common, for adding up.

    Words of a name are a part of their own where they find most: beside anything else PostgreSQL would take every name
    apart once more.
    """

    all: Q
    parts: tuple[Q, ...]


def found_by(text: str, environment: str) -> Found:
    """Those few customers that a search finds, or the search itself where it finds many; one query.

    With the few named, PostgreSQL cannot choose to walk the whole list in its order and test each name on the way;
    with many to be found, that is just what it should do. Takes a queryset with ``words`` (:func:`name_words`).
    """
    domains = domains_in(text)
    begins, words = _begins(text, domains), _words(text)
    matching = begins | words if words else begins
    rows: QuerySet[Customer, Any] = Customer.objects.in_environment(environment).alias(words=name_words())
    rows = rows.filter(matching).order_by().values_list("pk", _flag(False), _flag(begins))[: FEW + 1]
    if domains:
        rows = rows.union(_with_alias(domains, environment), all=True)
    found: list[int] = []
    by_alias: list[int] = []
    by_words = 0
    for number, is_alias, is_beginning in rows:
        (by_alias if is_alias else found).append(number)
        by_words += not is_beginning
    if len(found) <= FEW:
        few = Q(pk__in=found + by_alias)
        return Found(few, (few,))
    if by_alias:
        begins |= Q(pk__in=by_alias)
    if words is None or by_words < FEW / 2:
        everything = begins | words if words else begins
        return Found(everything, (everything,))
    return Found(begins | words, (begins, words & ~begins))


def _begins(text: str, domains: Iterable[str]) -> Q:
    """Every part is a look-up in an index of the one table, so that PostgreSQL can join them bit by bit.

    A subquery among them would make it read all rows. That is why extra domains are looked up apart.
    """
    found = Q(stripe_customer_id__startswith=text.strip())
    for domain in domains:
        found |= Q(domain__startswith=domain)
    return found


def _words(text: str) -> Q | None:
    """The beginnings of words of a name, all of them; None for a text without any word."""
    words = re.findall(r"[^\W_]+", text)
    query = SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config="simple")
    return Q(words=query) if words else None


def _with_alias(domains: Iterable[str], environment: str) -> QuerySet[CustomerDomain, Any]:
    """The customers that have an extra domain which begins like one of these, the first thousand of them."""
    begins = [Q(domain__startswith=domain) for domain in sorted(domains)]
    aliases = CustomerDomain.objects.filter(reduce(or_, begins), environment=environment)
    return aliases.order_by("domain").values_list("customer_id", _flag(True), _flag(True))[:MOST_ALIASES]


def _flag(value: bool | Q) -> ExpressionWrapper:
    return ExpressionWrapper(value if isinstance(value, Q) else Value(value), output_field=BooleanField())


def domains_in(text: str) -> set[str]:
    """What somebody may mean as a domain: the text without what surrounds a pasted link, and what follows an @."""
    bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", text.strip().lower()).split("/")[0]
    return {bare, bare.rpartition("@")[2]} - {"", "@"}

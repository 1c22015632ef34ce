"""The search of the customer list: words of the name, a domain or extra domain, a Stripe id, each by its beginning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db.models import BooleanField, Q, QuerySet, Value

from customers.models import Customer, CustomerDomain
from customers.models.customer import name_words

FEW = 1000
MOST_ALIASES = 1000


def found_by(text: str, environment: str) -> Q:
    """What a search finds: those few customers, or the search itself where it finds many; one query.

    With the few named, PostgreSQL cannot choose to walk the whole list in its order and test each name on the way;
    with many to be found, that is just what it should do. Takes a queryset with ``words`` (:func:`name_words`).
    """
    domains = domains_in(text)
    matching = _matching(text, domains)
    rows: QuerySet[Customer, Any] = Customer.objects.in_environment(environment).alias(words=name_words())
    rows = rows.filter(matching).order_by().values_list("pk", _is_alias(False))[: FEW + 1]
    if domains:
        rows = rows.union(_with_alias(domains, environment), all=True)
    found: list[int] = []
    by_alias: list[int] = []
    for number, is_alias in rows:
        (by_alias if is_alias else found).append(number)
    if len(found) <= FEW:
        return Q(pk__in=found + by_alias)
    return matching | Q(pk__in=by_alias) if by_alias else matching


def _matching(text: str, domains: Iterable[str]) -> Q:
    """Every part is a look-up in an index of the one table, so that PostgreSQL can join them bit by bit.

    A subquery among them would make it read all rows. That is why extra domains are looked up apart.
    """
    found = Q(stripe_customer_id__startswith=text.strip())
    for domain in domains:
        found |= Q(domain__startswith=domain)
    if words := re.findall(r"[^\W_]+", text):
        found |= Q(words=SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config="simple"))
    return found


def _with_alias(domains: Iterable[str], environment: str) -> QuerySet[CustomerDomain, Any]:
    """The customers that have an extra domain which begins like one of these, the first thousand of them."""
    begins = [Q(domain__startswith=domain) for domain in sorted(domains)]
    aliases = CustomerDomain.objects.filter(reduce(or_, begins), environment=environment)
    return aliases.order_by("domain").values_list("customer_id", _is_alias(True))[:MOST_ALIASES]


def _is_alias(value: bool) -> Value:
    return Value(value, output_field=BooleanField())


def domains_in(text: str) -> set[str]:
    """What somebody may mean as a domain: the text without what surrounds a pasted link, and what follows an @."""
    bare = re.sub(r"^(?:https?://)?(?:www\.)?", "", text.strip().lower()).split("/")[0]
    return {bare, bare.rpartition("@")[2]} - {"", "@"}

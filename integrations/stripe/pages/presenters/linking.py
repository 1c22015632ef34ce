"""Choosing the customer to link to, and what a decision about very many is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from customers import selectors, wording
from customers.models import Customer, Status
from integrations.models import StripeConnection, StripeCustomer
from integrations.stripe.pages import links
from integrations.stripe.pages.chosen import Chosen
from integrations.stripe.pages.presenters.lists import Row, by_stake
from integrations.stripe.pages.presenters.reasons import sentence
from integrations.stripe.pages.presenters.suggestions import in_words
from integrations.stripe.sync.suggestions import order, suggest

FOUND = 20
SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Target:
    """A customer that can be linked to; ``url`` confirms it. An archived one is restored with it."""

    customer: Customer
    evidence: str
    url: str

    @property
    def archived(self) -> bool:
        """Whether linking restores it."""
        return self.customer.status == Status.ARCHIVED


@dataclass(frozen=True, slots=True)
class Choice:
    """The page that asks which customer: whom it is about, suggestions, and what a search found."""

    rows: Sequence[Row]
    hidden: int
    suggestions: Sequence[Target]
    results: Sequence[Target]
    find: str
    carried: Sequence[tuple[str, str]]


def present_choice(request: HttpRequest, connection: StripeConnection, chosen: Chosen) -> Choice:
    """Suggestions for whom was chosen, and the customers a search finds, archived ones too."""
    rows = sample_rows(connection, chosen.stripe_ids[:SAMPLES])
    best: dict[int, Any] = {}
    for each in suggest(connection, [row.stripe for row in rows]).values():
        for suggestion in each:
            known = best.get(suggestion.customer_id)
            if known is None or order(suggestion) < order(known):
                best[suggestion.customer_id] = suggestion
    suggested = [
        Target(
            Customer(pk=each.customer_id, name=each.name, domain=each.domain, status=each.status),
            in_words(each),
            target_address(request, chosen, each.customer_id, archived=each.archived),
        )
        for each in sorted(best.values(), key=order)[:FOUND]
    ]
    find = request.GET.get("find", "").replace("\x00", "").strip()[:200]
    results = [
        Target(
            customer,
            customer.domain or _("no domain"),
            target_address(request, chosen, customer.pk, archived=customer.status == Status.ARCHIVED),
        )
        for customer in (searched(connection, find) if find else [])
    ]
    return Choice(
        rows=rows,
        hidden=len(chosen.stripe_ids) - len(rows),
        suggestions=[each for each in suggested if not find],
        results=results,
        find=find,
        carried=[(name, value) for name, values in QueryDict(chosen.query).lists() for value in values],
    )


def searched(connection: StripeConnection, text: str) -> list[Customer]:
    """Customers of the environment by a word of their name, a domain or a Stripe id; archived ones last."""
    found = selectors.filtered(Customer.objects.all(), connection.environment, {"q": text, "status": "all"})
    customers = list(found.order_by("-mrr", "pk")[:FOUND])
    return sorted(customers, key=lambda customer: customer.status == Status.ARCHIVED)


def target_address(request: HttpRequest, chosen: Chosen, customer_id: int, *, archived: bool) -> str:
    """Where linking the chosen ones to this customer is confirmed."""
    further = {"to": str(customer_id), **({"restore": "1"} if archived else {})}
    return f"{request.path}?{chosen.query}&{urlencode(further)}"


def sample_rows(connection: StripeConnection, stripe_ids: Sequence[str]) -> list[Row]:
    """These Stripe customers as rows, the most MRR first."""
    found = by_stake(connection, StripeCustomer.objects.filter(connection=connection, stripe_id__in=list(stripe_ids)))
    return [Row(row, row.mrr, sentence(row), links.customer_url(connection, row.stripe_id)) for row in found]


def at_stake(connection: StripeConnection, stripe_ids: Sequence[str]) -> Decimal:
    """What these Stripe customers bring in together."""
    found = by_stake(connection, StripeCustomer.objects.filter(connection=connection, stripe_id__in=list(stripe_ids)))
    return sum((mrr for mrr in found.values_list("mrr", flat=True)), Decimal(0))


def samples(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Name and MRR of each."""
    return [(row.name, wording.money(row.mrr.quantize(Decimal("0.01")))) for row in rows]

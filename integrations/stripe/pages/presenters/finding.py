"""Stripe customers that could belong to a customer, each with where it is now and what speaks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from customers.models import Customer, Status
from integrations.models import MatchState, Standing, StripeConnection, StripeCustomer
from integrations.stripe.pages import links
from integrations.stripe.pages.presenters import reasons
from integrations.stripe.pages.presenters.lists import by_stake
from integrations.stripe.pages.presenters.suggestions import FROM_CUSTOMER, link_address
from integrations.stripe.rules import names

FOUND = 20
LOOKED_AT = 500
SHORTEST = 3


@dataclass(frozen=True, slots=True)
class StripeFound:
    """A Stripe customer that could belong to the customer, where it is now, and what speaks for it."""

    stripe: StripeCustomer
    mrr: Decimal
    why: str
    evidence: str
    url: str
    link: str

    @property
    def name(self) -> str:
        """What people call it."""
        return self.stripe.name or self.stripe.email or self.stripe.stripe_id


@dataclass(frozen=True, slots=True)
class StripeCustomersFound:
    """The Stripe customers that could belong to a customer; ``query`` is what was typed."""

    rows: list[StripeFound]
    query: str


def stripe_customers_for(
    request: HttpRequest, connection: StripeConnection, customer: Customer
) -> StripeCustomersFound:
    """What a search finds, else those on its domains, near them, or with a name like its own; three queries."""
    query = request.GET.get("find", "").replace("\x00", "").strip()[:200]
    live = StripeCustomer.objects.filter(connection=connection, standing=Standing.LIVE).exclude(customer=customer)
    found = _searched(connection, live, query) if query else _near(connection, live, customer)
    restore = customer.status == Status.ARCHIVED
    return StripeCustomersFound(
        rows=[
            StripeFound(
                stripe=row,
                mrr=row.mrr,
                why=reasons.sentence(row),
                evidence=evidence,
                url=links.customer_url(connection, row.stripe_id),
                link=link_address(connection, [row.stripe_id], customer.pk, restore=restore, origin=FROM_CUSTOMER),
            )
            for row, evidence in found[:FOUND]
        ],
        query=query,
    )


def _searched(connection: StripeConnection, live: QuerySet[StripeCustomer], text: str) -> list[tuple[Any, str]]:
    matching = live.filter(Q(name__icontains=text) | Q(email__icontains=text) | Q(stripe_id__startswith=text))
    return [(row, "") for row in by_stake(connection, matching.select_related("customer"))[:FOUND]]


def _near(connection: StripeConnection, live: QuerySet[StripeCustomer], customer: Customer) -> list[tuple[Any, str]]:
    """Those on one of its domains first, then near ones, then those that are called alike."""
    domains = [domain for domain in (customer.domain, *customer.domains.values_list("domain", flat=True)) if domain]
    asked = Q(email_domain__in=domains) | Q(email_address__in=domains)
    for domain in domains:
        asked |= Q(email_domain__endswith=f".{domain}")
    words = [word for word in names.words(customer.name) if len(word) >= SHORTEST][:3]
    for word in words:
        asked |= Q(name__icontains=word)
    without = Q(match_state__in=(MatchState.UNMATCHED, MatchState.SKIPPED)) | Q(email_domain__in=domains)
    rows = by_stake(connection, live.filter(asked & without).select_related("customer"))[:LOOKED_AT]
    ranked = [(*_evidence(row, customer, domains), row) for row in rows]
    kept = sorted((each for each in ranked if each[0] > 0), key=lambda each: (-each[0], -each[2].mrr))
    return [(row, evidence) for _score, evidence, row in kept]


def _evidence(row: StripeCustomer, customer: Customer, domains: Sequence[str]) -> tuple[int, str]:
    """How much speaks for it, of 200, and what; 0 for nothing."""
    if row.email_domain in domains or row.email_address in domains:
        return 200, _("Same domain, %(domain)s") % {"domain": row.email_domain}
    if any(row.email_domain.endswith(f".{domain}") for domain in domains):
        return 150, _("A sub-domain, %(domain)s") % {"domain": row.email_domain}
    score = names.alike(row.name, customer.name)
    if score >= names.ALIKE:
        return score, _("Name %(score)s %% alike") % {"score": score}
    return 0, ""

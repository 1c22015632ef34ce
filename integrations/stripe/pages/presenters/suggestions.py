"""Suggestions in words: which customer a Stripe customer may belong to, and the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from customers.models import Customer
from integrations.models import StripeConnection, StripeCustomer
from integrations.stripe.sync.suggestions import Evidence, Suggestion


@dataclass(frozen=True, slots=True)
class Suggested:
    """One suggestion beside a row; ``link`` leads to the page that confirms it."""

    suggestion: Suggestion
    evidence: str
    url: str
    link: str


def suggested(
    connection: StripeConnection, row: StripeCustomer, found: Mapping[str, Sequence[Suggestion]], *, origin: str = ""
) -> list[Suggested]:
    """The suggestions for a row, the strongest first."""
    return [
        Suggested(
            suggestion=each,
            evidence=in_words(each),
            url=Customer(pk=each.customer_id, name=each.name).get_absolute_url(),
            link=link_address(connection, [row.stripe_id], each.customer_id, restore=each.archived, origin=origin),
        )
        for each in found.get(row.stripe_id, ())
    ]


def link_address(
    connection: StripeConnection,
    stripe_ids: Sequence[str],
    customer_id: int | None = None,
    *,
    restore: bool = False,
    origin: str = "",
) -> str:
    """Where linking these Stripe customers is confirmed, or continued while the customer is not chosen yet."""
    query: list[tuple[str, str]] = [("stripe", stripe_id) for stripe_id in stripe_ids]
    if customer_id is not None:
        query.append(("to", str(customer_id)))
    if restore:
        query.append(("restore", "1"))
    if origin:
        query.append(("from", origin))
    return f"{reverse('stripe:decide_link', args=[connection.mode])}?{urlencode(query)}"


def in_words(each: Suggestion) -> str:
    """What speaks for it."""
    text = _evidence(each)
    return _("%(evidence)s; archived") % {"evidence": text} if each.archived else text


def _evidence(each: Suggestion) -> str:
    detail = each.detail[:120]
    match each.evidence:
        case Evidence.LINKED_BEFORE:
            return _("A decision links it to this customer")
        case Evidence.SAME_DOMAIN if each.is_extra:
            return _("Its extra domain, %(domain)s") % {"domain": detail}
        case Evidence.SAME_DOMAIN:
            return _("Same domain, %(domain)s") % {"domain": detail}
        case Evidence.SAME_ADDRESS:
            return _("The contact %(address)s is on this customer") % {"address": detail}
        case Evidence.SAME_COMPANY:
            return _("%(name)s, on the same domain, is on this customer") % {"name": detail}
        case Evidence.PARENT_DOMAIN:
            return _("Same parent domain, %(domain)s") % {"domain": detail}
        case Evidence.SUB_DOMAIN:
            return _("Has its sub-domain %(domain)s") % {"domain": detail}
    if each.domain:
        return _("Name %(score)s %% alike; domain %(domain)s") % {"score": each.score, "domain": each.domain[:120]}
    return _("Name %(score)s %% alike; no domain") % {"score": each.score}

"""Ambiguous matches: each group side by side, as the match rules left it until somebody decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.http import HttpRequest

from customers.keyset import Key, page
from customers.models import BillingFlag, Customer, Status
from integrations.models import (
    AmbiguousGroup,
    MatchState,
    Standing,
    StripeConnection,
    StripeCustomer,
    StripeInvoice,
    StripeSubscription,
)
from integrations.stripe.pages import links
from integrations.stripe.pages.presenters.decisions import in_words, names
from integrations.stripe.pages.presenters.invoices import STATUS_WORDS
from integrations.stripe.pages.presenters.lists import Neighbours, cursors, neighbours
from integrations.stripe.sync import groups
from integrations.stripe.sync.groups import News
from integrations.stripe.sync.match import SEVERAL_CUSTOMERS, WINNER_ENDED
from integrations.stripe.sync.scope_sql import in_saved_scope

PAGE_SIZE = 20
MEMBERS_SHOWN = 12
METADATA_SHOWN = 3


@dataclass(slots=True)
class Member:
    """A Stripe customer of a group with what tells it from the others."""

    stripe: StripeCustomer
    url: str
    plans: list[str] = field(default_factory=list)
    subscriptions: int = 0
    mrr: Decimal = Decimal(0)
    incomplete: bool = False
    invoice: StripeInvoice | None = None
    invoice_url: str = ""

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """The first few of the workspace's own notes on it in Stripe."""
        found = self.stripe.data.get("metadata") or {}
        return [(str(key)[:40], str(value)) for key, value in sorted(found.items())[:METADATA_SHOWN]]

    @property
    def invoice_label(self) -> str:
        """The newest invoice's number, else its id."""
        return (self.invoice.number or self.invoice.stripe_id) if self.invoice else ""

    @property
    def invoice_status(self) -> str:
        """Stripe's word for the newest invoice."""
        status = self.invoice.status if self.invoice else ""
        return str(STATUS_WORDS.get(status, status[:40])) or "—"

    @property
    def name(self) -> str:
        """What people call it."""
        return self.stripe.name or self.stripe.email or self.stripe.stripe_id


@dataclass(slots=True)
class Group:
    """Stripe customers that meet on one customer; ``rivals`` are other customers that have the same domain."""

    customer: Customer
    members: list[Member]
    since: datetime | None
    domain: str
    rivals: list[Customer]
    news: News
    whole: bool = False

    @property
    def title(self) -> str:
        """What the group is called: its domain, else its customer."""
        return self.domain or self.customer.name

    @property
    def claimants(self) -> list[Customer]:
        """The customers that have the domain, the one that has the billing first."""
        return [self.customer, *self.rivals]

    @property
    def may_split(self) -> bool:
        """Whether there is somebody to part from."""
        return len(self.members) > 1

    @property
    def may_win(self) -> bool:
        """Whether choosing a winner means anything: somebody to win over, or an ended winner to replace."""
        return not self.is_shared_by_customers and (len(self.members) > 1 or self.winner_ended)

    @property
    def newcomers(self) -> str:
        """Who joined since the last decision, in words."""
        return names([(row.name or row.email or row.stripe_id)[:60] for row in self.news.newcomers])

    @property
    def last_decision(self) -> str:
        """The decision this group has outgrown, in words; empty when nobody decided."""
        return in_words(self.news.decision) if self.news.decision else ""

    @property
    def shown(self) -> list[Member]:
        """Side by side only as many as fit; the rest is counted."""
        return self.members if self.whole else self.members[:MEMBERS_SHOWN]

    @property
    def hidden(self) -> int:
        """How many members are not shown."""
        return max(0, len(self.members) - MEMBERS_SHOWN)

    @property
    def mrr(self) -> Decimal:
        """What the members bring in together, or would."""
        return sum((member.mrr for member in self.members), Decimal(0))

    @property
    def winner_ended(self) -> bool:
        """Whether they lost to a Stripe customer whose billing has ended since, and are out of the figures."""
        return any(member.stripe.ambiguous_kind == WINNER_ENDED for member in self.members)

    @property
    def incomplete(self) -> bool:
        """Whether the sum leaves something out."""
        return BillingFlag.INCOMPLETE in self.customer.billing_flags

    @property
    def is_shared_by_customers(self) -> bool:
        """Whether several customers claim the domain, rather than several Stripe customers one customer."""
        return bool(self.rivals)


@dataclass(frozen=True, slots=True)
class Groups:
    """One page of groups, the most MRR first."""

    groups: list[Group]
    neighbours: Neighbours


def present_groups(request: HttpRequest, connection: StripeConnection) -> Groups:
    """The groups with a constant number of queries, however many members they have."""
    keys = (Key("stake", descending=True), Key("id"))
    shown = page(groups.groups(connection), keys, size=PAGE_SIZE, **cursors(request))
    return Groups(groups=_present(connection, shown.rows), neighbours=neighbours(request, shown))


def present_group(connection: StripeConnection, customer_id: int) -> Group | None:
    """One group with all of its members; None once it is decided."""
    found = _present(connection, list(groups.groups(connection).filter(pk=customer_id)))
    if not found:
        return None
    found[0].whole = True
    return found[0]


def members_on(connection: StripeConnection, customer: Customer) -> list[Member]:
    """Everybody of the live set on a customer, flagged or not, the most MRR first."""
    rows = StripeCustomer.objects.filter(
        connection=connection, customer=customer, standing=Standing.LIVE, match_state=MatchState.MATCHED
    )
    found = _members(connection, list(rows)).values()
    return sorted(found, key=lambda member: (-member.mrr, member.stripe.stripe_id))


def _present(connection: StripeConnection, customers: Sequence[AmbiguousGroup]) -> list[Group]:
    rows = groups.members_of(connection, [customer.pk for customer in customers])
    everybody = [row for of_group in rows.values() for row in of_group]
    members = _members(connection, everybody)
    rivals = _rivals(connection, everybody)
    news = groups.news(connection, rows)
    return [
        _group(each, [members[row.stripe_id] for row in rows[each.pk]], rivals, news[each.pk])
        for each in customers
        if each.pk in rows
    ]


def _group(customer: Customer, members: list[Member], rivals: dict[str, list[Customer]], news: News) -> Group:
    several = [member.stripe for member in members if member.stripe.ambiguous_kind == SEVERAL_CUSTOMERS]
    others = {
        rival.pk: rival
        for row in several
        for rival in (*rivals.get(row.email_domain, []), *rivals.get(row.email_address, []))
        if rival.pk != customer.pk
    }
    since = [member.stripe.ambiguous_since for member in members if member.stripe.ambiguous_since]
    return Group(
        customer=customer,
        members=sorted(members, key=lambda member: (-member.mrr, member.stripe.stripe_id)),
        since=min(since, default=None),
        domain=next((member.stripe.email_domain for member in members if member.stripe.email_domain), ""),
        rivals=sorted(others.values(), key=lambda rival: rival.pk),
        news=news,
    )


def _members(connection: StripeConnection, rows: Sequence[StripeCustomer]) -> dict[str, Member]:
    members = {row.stripe_id: Member(row, links.customer_url(connection, row.stripe_id)) for row in rows}
    subscriptions = StripeSubscription.objects.filter(
        in_saved_scope(connection), connection=connection, customer_id__in=list(members), live=True
    ).order_by("-mrr", "stripe_id")
    for subscription in subscriptions.only("customer_id", "plan_label", "mrr", "problems"):
        member = members[subscription.customer_id]
        member.subscriptions += 1
        member.mrr += subscription.mrr
        member.incomplete |= bool(subscription.problems)
        if subscription.plan_label:
            member.plans.append(subscription.plan_label)
    newest = (
        StripeInvoice.objects.filter(connection=connection, customer_id__in=list(members))
        .order_by("customer_id", "-created", "-stripe_id")
        .distinct("customer_id")
    )
    for invoice in newest:
        member = members[invoice.customer_id]
        member.invoice = invoice
        member.invoice_url = links.invoice_url(connection, invoice.stripe_id)
    return members


def _rivals(connection: StripeConnection, rows: Iterable[StripeCustomer]) -> dict[str, list[Customer]]:
    """Customers of the environment by the domains that several of them claim."""
    contested = [row for row in rows if row.ambiguous_kind == SEVERAL_CUSTOMERS]
    domains = {row.email_domain for row in contested} | {row.email_address for row in contested if row.personal}
    claiming: dict[str, list[Customer]] = defaultdict(list)
    if not domains:
        return claiming
    matchable = Customer.objects.in_environment(connection.environment).exclude(status=Status.ARCHIVED)
    for customer in matchable.filter(domain__in=domains):
        claiming[customer.domain].append(customer)
    aliases = matchable.filter(domains__domain__in=domains).prefetch_related("domains")
    for customer in aliases.distinct():
        for alias in customer.domains.all():
            if alias.domain in domains:
                claiming[alias.domain].append(customer)
    return claiming

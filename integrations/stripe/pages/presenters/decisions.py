"""Decisions that were taken, in words: what, about whom, by whom, when, why, and whether it still holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers import wording
from customers.keyset import Key, page
from customers.models import Customer
from integrations.models import (
    DecisionKind,
    MatchDecision,
    MatchDecisionMember,
    MemberEffect,
    StripeConnection,
    StripeCustomer,
)
from integrations.stripe.pages.presenters.billing import Billing
from integrations.stripe.pages.presenters.lists import Neighbours, cursors, neighbours
from integrations.stripe.sync.in_force import effective, in_force

PAGE_SIZE = 20
NAMED = 3
MEMBERS_READ = 12

TAKEN: Mapping[str, str | Promise] = {
    DecisionKind.KEEP_MERGED: gettext_lazy("Kept merged"),
    DecisionKind.WINNER: gettext_lazy("Winner chosen"),
    DecisionKind.ATTACH: gettext_lazy("Attached"),
    DecisionKind.PIN: gettext_lazy("Linked"),
    DecisionKind.SPLIT: gettext_lazy("Split"),
    DecisionKind.IGNORE: gettext_lazy("Ignored"),
    DecisionKind.UNDO: gettext_lazy("Undo"),
}
"""What was done, by the kind of decision."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One decision as a row of a history; ``undone`` says when and by whom, empty while it holds."""

    decision: MatchDecision
    label: str
    subject: str
    sentence: str
    who: str
    undone: str
    may_be_undone: bool


@dataclass(frozen=True, slots=True)
class History:
    """One page of decisions, newest first."""

    rows: list[Taken]
    neighbours: Neighbours


def history(
    request: HttpRequest,
    connection: StripeConnection,
    *,
    customer: Customer | None = None,
    stripe_id: str = "",
) -> History:
    """The decisions of a connection, or those about one Pivotal or one Stripe customer; constant queries."""
    decisions = MatchDecision.objects.filter(connection=connection)
    if customer is not None:
        named = MatchDecisionMember.objects.filter(customer=customer).values("decision_id")
        decisions = decisions.filter(Q(customer_ids__contains=[customer.pk]) | Q(pk__in=named))
    if stripe_id:
        decisions = decisions.filter(stripe_customer_ids__contains=[stripe_id])
    related = decisions.select_related("actor", "undone_by__actor", "undoes")
    shown = page(related, (Key("id", descending=True),), size=PAGE_SIZE, **cursors(request))
    return History(rows=taken(connection, shown.rows), neighbours=neighbours(request, shown))


def taken(connection: StripeConnection, decisions: Sequence[MatchDecision]) -> list[Taken]:
    """These decisions as rows."""
    members = _members(decisions)
    ids = {each.stripe_customer_id for rows in members.values() for each in rows}
    stripe = {row.stripe_id: row for row in StripeCustomer.objects.filter(connection=connection, stripe_id__in=ids)}
    ids_on = {number for decision in decisions for number in decision.customer_ids[:NAMED]}
    customers = Customer.objects.in_bulk(list(ids_on))
    current = in_force(connection) if decisions else set()
    return [_taken(decision, members[decision.pk], stripe, customers, current) for decision in decisions]


def _members(decisions: Iterable[MatchDecision]) -> dict[int, list[MatchDecisionMember]]:
    """The first members of each decision: a job's may have thousands."""
    found: dict[int, list[MatchDecisionMember]] = defaultdict(list)
    place = Window(RowNumber(), partition_by=[F("decision_id")], order_by=["stripe_customer_id"])
    rows = MatchDecisionMember.objects.filter(decision__in=[each.pk for each in decisions]).annotate(place=place)
    for row in rows.filter(place__lte=MEMBERS_READ).select_related("customer"):
        found[row.decision_id].append(row)
    return found


def _taken(
    decision: MatchDecision,
    members: Sequence[MatchDecisionMember],
    stripe: Mapping[str, StripeCustomer],
    customers: Mapping[int, Customer],
    current: set[int],
) -> Taken:
    first = next((stripe[each.stripe_customer_id] for each in members if each.stripe_customer_id in stripe), None)
    undone_by = getattr(decision, "undone_by", None)
    undone = ""
    if undone_by is not None:
        words = _("Undone %(day)s by %(who)s") if decision.pk not in current else _("In force again, after an undo")
        undone = words % {"day": wording.day(undone_by.created_at), "who": who(undone_by)}
    return Taken(
        decision=decision,
        label=str(TAKEN[decision.kind]),
        subject=first.email_domain if first else "",
        sentence=_sentence(decision, members, stripe, customers),
        who=who(decision),
        undone=undone,
        may_be_undone=undone_by is None,
    )


def _sentence(
    decision: MatchDecision,
    members: Sequence[MatchDecisionMember],
    stripe: Mapping[str, StripeCustomer],
    customers: Mapping[int, Customer],
) -> str:
    def of(*effects: str) -> str:
        return names([_name(each, stripe) for each in members if each.effect in effects])

    on = ", ".join(customers[number].name[:80] for number in decision.customer_ids[:NAMED] if number in customers)
    match decision.kind:
        case DecisionKind.UNDO:
            return undo_sentence(decision)
        case DecisionKind.WINNER:
            losers = of(MemberEffect.LOSES)
            values = {"winner": of(MemberEffect.WINS), "losers": losers}
            return _("%(winner)s wins, %(losers)s ignored") % values if losers else _("%(winner)s counts") % values
        case DecisionKind.IGNORE:
            return _("%(names)s skipped") % {"names": of(MemberEffect.IGNORED)}
        case DecisionKind.KEEP_MERGED:
            number = len(decision.stripe_customer_ids)
            text = ngettext("%(number)s Stripe customer on %(on)s", "%(number)s Stripe customers on %(on)s", number)
            return text % {"number": wording.number(number), "on": on or _("a deleted customer")}
    return _placed(members, stripe)


def _placed(members: Sequence[MatchDecisionMember], stripe: Mapping[str, StripeCustomer]) -> str:
    """Who was put where."""
    places: dict[str, list[str]] = defaultdict(list)
    for each in members:
        places[each.customer.name[:80] if each.customer else _("a deleted customer")].append(_name(each, stripe))
    return "; ".join(_("%(names)s on %(on)s") % {"names": names(who), "on": on} for on, who in places.items())


def undo_sentence(decision: MatchDecision) -> str:
    """What an undo undoes."""
    undone = decision.undoes
    if undone is None:
        return ""
    values = {"what": TAKEN[undone.kind], "day": wording.day(undone.created_at)}
    return _("Undoes “%(what)s” of %(day)s") % values


def _name(member: MatchDecisionMember, stripe: Mapping[str, StripeCustomer]) -> str:
    row = stripe.get(member.stripe_customer_id)
    return Truncator((row.name or row.email) if row else "").chars(60) or member.stripe_customer_id[:60]


def names(all_of_them: Sequence[str]) -> str:
    """A few names and how many more."""
    shown = ", ".join(all_of_them[:NAMED])
    more = len(all_of_them) - NAMED
    return _("%(names)s and %(more)s more") % {"names": shown, "more": wording.number(more)} if more > 0 else shown


def who(decision: MatchDecision) -> str:
    """The person who decided."""
    actor = decision.actor
    return (actor.get_full_name() or actor.get_username()) if actor else _("Somebody")


def in_words(decision: MatchDecision) -> str:
    """A decision in one line: kept merged by Sam on 3 Mar: same company."""
    return _("%(what)s by %(who)s on %(day)s: %(reason)s") % {
        "what": TAKEN[decision.kind],
        "who": who(decision),
        "day": wording.day(decision.created_at),
        "reason": decision.reason[:200],
    }


def decision_behind(billing: Billing) -> MatchDecision | None:
    """The newest decision that holds for the Stripe customers behind a header; None where matching alone did it."""
    ids = [each.stripe.stripe_id for each in billing.attached]
    if not ids:
        return None
    held = effective(billing.connection, ids)
    if not held:
        return None
    return MatchDecision.objects.select_related("actor").get(pk=max(held.values()))

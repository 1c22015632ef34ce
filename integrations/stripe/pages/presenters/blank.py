"""Why a customer has no billing figures, in words, with the next step (docs/rules.md section 2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Q
from django.utils.translation import gettext as _

from customers import wording
from customers.models import Customer, Status
from customers.permissions import type_of_user, visible_customers
from integrations.models import (
    ConnectionState,
    IssueState,
    MatchDecision,
    Severity,
    Standing,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
    SyncIssue,
)
from integrations.stripe.pages import links
from integrations.stripe.pages.presenters.suggestions import FROM_CUSTOMER, link_address
from integrations.stripe.sync.in_force import effective
from integrations.stripe.sync.match import WINNER_ENDED

CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Candidate:
    """A Stripe customer that has one of the customer's domains; ``link`` leads to linking it, where that would help."""

    stripe: StripeCustomer
    url: str
    link: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.stripe.name or self.stripe.email or self.stripe.stripe_id


@dataclass(frozen=True, slots=True)
class Blank:
    """``code`` is stable, ``sentence`` what is the case, ``next_step`` what to do about it."""

    code: str
    sentence: str
    next_step: str
    domains: list[str] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)


def why_blank(customer: Customer, connection: StripeConnection, user: type_of_user) -> Blank:
    """The first reason that applies, from the general to the particular.

    Another customer is named only to a ``user`` who may open it.
    """
    if customer.status == Status.ARCHIVED:
        return Blank(
            "archived", _("The customer is archived, and archived customers never match."), _("Restore it to match it.")
        )
    if connection.connected_at is None:
        return Blank(
            "no_connection",
            _("Stripe is not connected for %(environment)s customers.")
            % {"environment": wording.mid_sentence(customer.get_environment_display())},
            _("An admin connects Stripe %(mode)s under Admin > Integrations > Stripe.") % {"mode": connection.mode},
        )
    if connection.last_full_sync_at is None and connection.last_look_at is None:
        return Blank(
            "never_synced",
            _("Stripe is connected, but was never synced."),
            _("An admin runs the initial sync under Admin > Integrations > Stripe."),
        )
    return _by_domain(customer, connection, user)


def _by_domain(customer: Customer, connection: StripeConnection, user: type_of_user) -> Blank:
    domains = domains_of(customer)
    if not domains:
        return Blank(
            "no_domain",
            _("The customer has no domain, so no Stripe customer can be found for it."),
            _("Give it the domain of its billing e-mail."),
        )
    found = candidates(connection, domains)
    listed = [_candidate(customer, connection, row) for row in found]
    if not found:
        return Blank(
            "no_stripe_customer",
            _("No Stripe customer has an e-mail at %(domains)s.") % {"domains": ", ".join(domains[:3])},
            _("Add the domain they pay with, or correct the e-mail in Stripe."),
            domains,
        )
    code, sentence, next_step = _of_candidates(customer, connection, found, user)
    return Blank(code, sentence, next_step, domains, listed)


def _candidate(customer: Customer, connection: StripeConnection, row: StripeCustomer) -> Candidate:
    """One without a live subscription in scope would bring nothing, so there is no link to it."""
    helps = row.standing == Standing.LIVE and connection.state != ConnectionState.DISCONNECTED
    link = link_address(connection, [row.stripe_id], customer.pk, origin=FROM_CUSTOMER) if helps else ""
    return Candidate(row, links.customer_url(connection, row.stripe_id), link)


def domains_of(customer: Customer) -> list[str]:
    """The customer's own domain and its extra ones."""
    return [domain for domain in (customer.domain, *(extra.domain for extra in customer.domains.all())) if domain]


def candidates(connection: StripeConnection, domains: list[str]) -> list[StripeCustomer]:
    """Stripe customers with one of these domains, or with a whole address among them."""
    rows = StripeCustomer.objects.filter(connection=connection).filter(
        Q(email_domain__in=domains) | Q(email_address__in=domains)
    )
    return list(rows.select_related("customer").order_by("-standing", "stripe_id")[:CANDIDATES])


def _of_candidates(
    customer: Customer, connection: StripeConnection, found: list[StripeCustomer], user: type_of_user
) -> tuple[str, str, str]:
    ids = [row.stripe_id for row in found]
    broken = SyncIssue.objects.filter(
        connection=connection, state=IssueState.OPEN, severity=Severity.ERROR, stripe_customer_id__in=ids
    )
    elsewhere = next((row for row in found if row.customer and row.customer != customer), None)
    reasons = {row.match_reason: row for row in found}
    if WINNER_ENDED in reasons:
        return (
            "winner_ended",
            _("%(name)s lost to another Stripe customer, whose billing has ended since.")
            % {"name": label(reasons[WINNER_ENDED])},
            _("Somebody decides again under Ambiguous matches."),
        )
    if "ignored" in reasons:
        return _ignored(connection, reasons["ignored"])
    if elsewhere and elsewhere.customer:
        may_know = visible_customers(user).filter(pk=elsewhere.customer.pk).exists()
        other = elsewhere.customer.name if may_know else _("another customer")
        return (
            "attached_elsewhere",
            _("%(name)s has the domain and is attached to %(other)s.") % {"name": label(elsewhere), "other": other},
            _("If it belongs here, give the domain to this customer alone."),
        )
    if "personal_email" in reasons:
        return (
            "personal_domain",
            _("The Stripe customer found is on a personal domain, and those are skipped."),
            _("An admin turns Match personal emails on, or the e-mail in Stripe is changed to a company one."),
        )
    if broken.exists():
        return (
            "decoding_failed",
            _("A Stripe customer with the domain was found, but could not be read completely."),
            _("Retry the record in the log."),
        )
    return _out_of_reach(connection, ids)


def _out_of_reach(connection: StripeConnection, ids: list[str]) -> tuple[str, str, str]:
    if StripeSubscription.objects.filter(connection=connection, customer_id__in=ids).exists():
        return (
            "outside_scope",
            _("The Stripe customer was found, but its subscriptions are outside the scope."),
            _("An admin widens the scope under Admin > Integrations > Stripe."),
        )
    return (
        "no_subscription",
        _("The Stripe customer was found, but it has no subscription."),
        _("Nothing to do: the figures appear once a subscription starts."),
    )


def _ignored(connection: StripeConnection, row: StripeCustomer) -> tuple[str, str, str]:
    """Who decided that, when and why."""
    held = effective(connection, [row.stripe_id])
    decision = MatchDecision.objects.select_related("actor").filter(pk__in=held.values()).first()
    if decision is None:
        return "ignored", _("%(name)s is ignored by a decision.") % {"name": label(row)}, ""
    who = (decision.actor.get_full_name() or decision.actor.get_username()) if decision.actor else _("Somebody")
    return (
        "ignored",
        _("%(name)s is ignored: %(who)s decided so on %(day)s, “%(reason)s”.")
        % {"name": label(row), "who": who, "day": wording.day(decision.created_at), "reason": decision.reason[:200]},
        _("Undo the decision if it no longer holds."),
    )


def label(row: StripeCustomer) -> str:
    """What people call a Stripe customer, short enough for a sentence."""
    return (row.name or row.email or row.stripe_id)[:80]

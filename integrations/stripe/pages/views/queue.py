"""Deciding on Stripe customers without a customer: link, create, ignore; a few on one page, very many by a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from customers import wording
from customers.models import Status
from integrations.errors import IntegrationError
from integrations.models import DecisionJob, StripeConnection, StripeCustomer
from integrations.permissions import DECIDE
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.presenters.decisions import names
from integrations.stripe.pages.presenters.suggestions import in_words
from integrations.stripe.pages.views.choosing import Selection, selection
from integrations.stripe.pages.views.confirming import Proposal, confirm
from integrations.stripe.pages.views.decisions import customer_here
from integrations.stripe.pages.views.finding import choose_customer, choose_stripe_customers
from integrations.stripe.pages.views.many import confirm_many
from integrations.stripe.sync import connections, decisions
from integrations.stripe.sync.decidable import customer_domain
from integrations.stripe.sync.decision_rows import Decided
from integrations.stripe.sync.scene import Scene
from integrations.stripe.sync.suggestions import first_to_link, suggest

NOTED = 10
Act = Callable[[str, Scene | None], Decided]


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def link(request: HttpRequest, mode: str) -> HttpResponse:
    """**Link** to one customer; whoever is not chosen yet is chosen first, on either side."""
    connection = connections.get(mode)
    number = request.GET.get("to", "")
    customer = customer_here(connection, int(number)) if number.isascii() and number.isdigit() else None
    chosen = selection(request, connection)
    if chosen.is_many:
        messages.info(request, _("Choose at most 50 to link to one customer; a file links any number."))
        return redirect(chosen.back)
    if customer is None:
        return choose_customer(request, connection, chosen) if chosen.ids else nobody(request, chosen)
    if not chosen.ids:
        return choose_stripe_customers(request, connection, customer)
    rows = chosen.rows(connection)
    restore = customer.status == Status.ARCHIVED
    if restore and not request.GET.get("restore"):
        messages.info(request, _("%(name)s is archived: choose Restore and link.") % {"name": customer.name[:80]})
        return choose_customer(request, connection, chosen)

    def act(reason: str, seen: Scene | None) -> Decided:
        return decisions.pin(
            connection=connection,
            stripe_ids=chosen.ids,
            customer_id=customer.pk,
            reason=reason,
            actor=person(request),
            seen=seen,
            restore=restore,
        )

    values = {"names": names([label(row) for row in rows]), "customer": customer.name[:80]}
    notes = [_("Whatever its e-mail becomes, it stays linked until somebody decides otherwise.")]
    return decide_on(
        request,
        connection,
        chosen,
        act,
        title=_("Restore and link to %(customer)s") % values if restore else _("Link to %(customer)s") % values,
        lede=_("%(names)s: billed to %(customer)s from now on.") % values,
        button=_("Confirm: restore and link") if restore else _("Confirm: link"),
        placeholder=_("They pay through their parent company"),
        about={"stripe_ids": chosen.ids, "customer_ids": [customer.pk]},
        notes=notes,
    )


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def link_suggested(request: HttpRequest, mode: str) -> HttpResponse:
    """Link each of the chosen ones to its first suggestion."""
    connection = connections.get(mode)
    chosen = selection(request, connection)
    if not chosen.ids:
        return nobody(request, chosen)
    if chosen.is_many:
        return confirm_many(request, connection, chosen, DecisionJob.Action.SUGGESTED)
    rows = chosen.rows(connection)
    found = suggest(connection, rows)
    firsts = {row.stripe_id: first_to_link(found.get(row.stripe_id, ())) for row in rows}
    targets = {stripe_id: each.customer_id for stripe_id, each in firsts.items() if each is not None}
    if not targets:
        messages.info(request, _("None of them has a suggestion that can be linked as it is."))
        return redirect(chosen.back)

    def act(reason: str, seen: Scene | None) -> Decided:
        return decisions.link_each(
            connection=connection, targets=targets, reason=reason, actor=person(request), seen=seen
        )

    notes = [
        _("%(name)s to %(customer)s: %(evidence)s")
        % {"name": label(row), "customer": first.name[:80], "evidence": in_words(first)}
        for row in rows
        if (first := firsts[row.stripe_id]) is not None
    ]
    left = len(rows) - len(targets)
    if left:
        notes.append(
            ngettext(
                "%(number)s without a suggestion stays as it is.",
                "%(number)s without a suggestion stay as they are.",
                left,
            )
            % {"number": wording.number(left)}
        )
    return decide_on(
        request,
        connection,
        chosen,
        act,
        title=ngettext(
            "Link %(number)s Stripe customer to its first suggestion",
            "Link %(number)s Stripe customers to their first suggestion",
            len(targets),
        )
        % {"number": wording.number(len(targets))},
        lede=_("Names only suggest: look at the evidence below."),
        button=_("Confirm: link"),
        placeholder=_("Checked one by one"),
        about={"stripe_ids": sorted(targets), "customer_ids": sorted(set(targets.values()))},
        notes=notes,
    )


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest, mode: str) -> HttpResponse:
    """**Create customer** from Stripe, one per company domain."""
    connection = connections.get(mode)
    chosen = selection(request, connection)
    if not chosen.ids:
        return nobody(request, chosen)
    if chosen.is_many:
        return confirm_many(request, connection, chosen, DecisionJob.Action.CREATE)
    rows = chosen.rows(connection)

    def act(reason: str, seen: Scene | None) -> Decided:
        return decisions.create_customers(
            connection=connection, stripe_ids=chosen.ids, reason=reason, actor=person(request), seen=seen
        )

    number = len({customer_domain(row) or row.stripe_id for row in rows})
    return decide_on(
        request,
        connection,
        chosen,
        act,
        title=ngettext("Create %(number)s customer", "Create %(number)s customers", number)
        % {"number": wording.number(number)},
        lede=_("Name and domain come from Stripe: %(names)s.") % {"names": names([label(row) for row in rows])},
        button=_("Confirm: create"),
        placeholder=_("New business"),
        about={"stripe_ids": chosen.ids},
        notes=[
            _("One customer per domain, named after the oldest Stripe customer on it."),
            _("Undo archives what was created, unless somebody added to it."),
        ],
    )


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def ignore(request: HttpRequest, mode: str) -> HttpResponse:
    """**Ignore**: skipped from now on."""
    connection = connections.get(mode)
    chosen = selection(request, connection)
    if not chosen.ids:
        return nobody(request, chosen)
    if chosen.is_many:
        return confirm_many(request, connection, chosen, DecisionJob.Action.IGNORE)
    rows = chosen.rows(connection)

    def act(reason: str, seen: Scene | None) -> Decided:
        return decisions.ignore(
            connection=connection, stripe_ids=chosen.ids, reason=reason, actor=person(request), seen=seen
        )

    return decide_on(
        request,
        connection,
        chosen,
        act,
        title=ngettext("Ignore %(number)s Stripe customer", "Ignore %(number)s Stripe customers", len(rows))
        % {"number": wording.number(len(rows))},
        lede=_("Skipped from now on: %(names)s.") % {"names": names([label(row) for row in rows])},
        button=_("Confirm: ignore"),
        placeholder=_("An internal test account"),
        about={"stripe_ids": chosen.ids},
        notes=[_("They move to Skipped, and stay there whatever changes in Stripe.")],
    )


def decide_on(
    request: HttpRequest,
    connection: StripeConnection,
    chosen: Selection,
    act: Act,
    *,
    title: str,
    lede: str,
    button: str,
    placeholder: str,
    about: Mapping[str, Any],
    notes: Sequence[str],
) -> HttpResponse:
    """The page that confirms it, and back to the list afterwards, with the way to undo it."""
    taken: list[Decided] = []

    def decide(reason: str, seen: Scene | None) -> list[Decided]:
        try:
            decided = act(reason, seen)
        except ValidationError as error:
            raise IntegrationError("decision_refused", " ".join(error.messages)) from error
        if seen is not None:
            taken.append(decided)
        return [decided]

    more = len(notes) - NOTED
    proposal = Proposal(
        title=title,
        lede=lede,
        button=button,
        placeholder=placeholder,
        act=decide,
        about=about,
        notes=[*notes[:NOTED], *([_("and %(more)s more") % {"more": wording.number(more)}] if more > 0 else [])],
        back=chosen.back,
        above=chosen.above,
    )
    return confirm(request, connection, proposal, done=lambda: decided(request, connection, chosen, taken[0]))


def decided(request: HttpRequest, connection: StripeConnection, chosen: Selection, taken: Decided) -> HttpResponse:
    """Say so, with the way back."""
    messages.success(
        request,
        format_html(
            '{} <a href="{}">{}</a>',
            _("Decided. The headers follow at once."),
            reverse("stripe:decide_undo", args=[connection.mode, taken.decision.pk]),
            _("Undo"),
        ),
    )
    return redirect(chosen.back)


def nobody(request: HttpRequest, chosen: Selection) -> HttpResponse:
    """Nobody was ticked."""
    messages.info(request, _("Choose at least one first."))
    return redirect(chosen.back)


def label(row: StripeCustomer) -> str:
    """What people call it, short enough for a sentence."""
    return (row.name or row.email or row.stripe_id)[:60]

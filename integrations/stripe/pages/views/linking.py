"""Deciding on Stripe customers that have no customer: **Link**, **Create customer**, **Ignore**.

One, a page of them, or everybody a filter finds. The first two show the effect on the headers before they are
confirmed; everybody becomes one job with one progress and one undo.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from customers import wording
from customers.models import Customer, Status
from integrations.errors import IntegrationError
from integrations.models import DecisionJob, StripeConnection, StripeCustomer
from integrations.permissions import DECIDE
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.chosen import Chosen, chosen, list_address
from integrations.stripe.pages.presenters import lists
from integrations.stripe.pages.presenters.finding import stripe_customers_for
from integrations.stripe.pages.presenters.linking import at_stake, present_choice, sample_rows, samples
from integrations.stripe.pages.presenters.page import render_page, trail
from integrations.stripe.pages.presenters.suggestions import in_words
from integrations.stripe.pages.views.confirming import ABOVE, Proposal, confirm
from integrations.stripe.pages.views.decisions import customer_here
from integrations.stripe.pages.views.many import Many, confirm_many
from integrations.stripe.sync import connections, decision_jobs, decisions
from integrations.stripe.sync.customers_from_stripe import would_be_created
from integrations.stripe.sync.decision_rows import Decided
from integrations.stripe.sync.scene import Scene
from integrations.stripe.sync.suggestions import first_to_link, suggest

Act = Callable[[str, Scene | None], Decided]
DecidingView = Callable[[HttpRequest, StripeConnection, Chosen], HttpResponse]


def about_chosen(view: DecidingView) -> Callable[[HttpRequest, str], HttpResponseBase]:
    """A view about whom somebody chose: those who may decide, and a choice that is not empty."""

    @admin_page(DECIDE)
    @require_http_methods(["GET", "POST"])
    @wraps(view)
    def guarded(request: HttpRequest, mode: str) -> HttpResponse:
        connection = connections.get(mode)
        found = chosen(request, connection)
        return view(request, connection, found) if found is not None else nobody(request, connection)

    return guarded


def nobody(request: HttpRequest, connection: StripeConnection) -> HttpResponse:
    """Nobody was chosen."""
    messages.info(request, _("Choose at least one Stripe customer first."))
    kind = lists.KINDS.get(request.GET.get("from", ""), lists.UNMATCHED)
    return redirect(list_address(connection, f"stripe:{kind.name}", request.GET))


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def link(request: HttpRequest, mode: str) -> HttpResponse:
    """**Link**: whoever is not chosen yet is chosen first, on either side; then what that does."""
    connection = connections.get(mode)
    number = request.GET.get("to", "")
    target = customer_here(connection, int(number) if number.isascii() and number.isdigit() else 0) if number else None
    found = chosen(request, connection)
    if found is None:
        return choose_stripe(request, connection, target) if target is not None else nobody(request, connection)
    if target is None:
        return choose_customer(request, connection, found)
    return link_to(request, connection, found, target)


def link_to(request: HttpRequest, connection: StripeConnection, found: Chosen, target: Customer) -> HttpResponse:
    """What linking the chosen ones to this customer does."""
    restore = request.GET.get("restore") == "1" and target.status == Status.ARCHIVED
    if found.is_many:
        return link_many(request, connection, found, target)

    def act(reason: str, seen: Scene | None) -> Decided:
        return decisions.pin(
            connection=connection,
            stripe_ids=found.stripe_ids,
            customer_id=target.pk,
            reason=reason,
            actor=person(request),
            seen=seen,
            restore=restore,
        )

    values = {"name": names_of(connection, found), "customer": target.name[:80]}
    notes = [
        _("Only what you chose is linked; the domain stays as it is. Add it as an extra domain to match all of it.")
    ]
    return propose(
        request,
        connection,
        found,
        act,
        about_customer=target,
        title=_("Restore and link to %(customer)s") % values if restore else _("Link to %(customer)s") % values,
        lede=_("%(name)s is put on %(customer)s.") % values,
        button=_("Confirm: restore and link") if restore else _("Confirm: link"),
        placeholder=_("Same company, another domain"),
        notes=notes,
        said=_("Linked to %(customer)s.") % values,
    )


def choose_stripe(request: HttpRequest, connection: StripeConnection, customer: Customer) -> HttpResponse:
    """Which Stripe customers could belong to a customer: by its domains, by name, and what a search finds."""
    context = {"found": stripe_customers_for(request, connection, customer), "customer": customer}
    return render_page(request, "stripe/choose_stripe.html", connection, context, here=_("Link"))


def choose_customer(request: HttpRequest, connection: StripeConnection, found: Chosen) -> HttpResponse:
    """Which customer to link to: suggestions with their evidence, and a search."""
    above = reverse(found.origin, args=[connection.mode])
    context = {
        "choice": present_choice(request, connection, found),
        "how_many": len(found.stripe_ids),
        "back": found.back,
        "trail": [*trail(connection, _("Link"))[:-1], (str(ABOVE[found.origin]), above), (_("Link"), "")],
    }
    return render_page(request, "stripe/link.html", connection, context)


@about_chosen
def create(request: HttpRequest, connection: StripeConnection, found: Chosen) -> HttpResponse:
    """**Create customer**, with name and domain from Stripe; one per company domain."""
    if found.is_many:
        return create_many(request, connection, found)

    def act(reason: str, seen: Scene | None) -> Decided:
        try:
            return decisions.create_customers(
                connection=connection, stripe_ids=found.stripe_ids, reason=reason, actor=person(request), seen=seen
            )
        except ValidationError as error:
            raise IntegrationError("decision_refused", " ".join(error.messages)) from error

    number = len(found.stripe_ids)
    return propose(
        request,
        connection,
        found,
        act,
        title=ngettext("Create customer", "Create customers", number),
        lede=ngettext(
            "%(name)s gets a customer of its own, with name and domain from Stripe.",
            "%(name)s get customers of their own, one per company domain, with name and domain from Stripe.",
            number,
        )
        % {"name": names_of(connection, found)},
        button=ngettext("Confirm: create customer", "Confirm: create customers", number),
        placeholder=_("New to us"),
        notes=[_("Undo archives what it created, unless somebody has added to it.")],
        said=ngettext("Created.", "Created, one customer per company domain.", number),
    )


@about_chosen
def ignore(request: HttpRequest, connection: StripeConnection, found: Chosen) -> HttpResponse:
    """**Ignore**: skipped from now on."""
    if found.is_many:
        return ignore_many(request, connection, found)

    def act(reason: str, seen: Scene | None) -> Decided:
        return decisions.ignore(
            connection=connection, stripe_ids=found.stripe_ids, reason=reason, actor=person(request), seen=seen
        )

    number = len(found.stripe_ids)
    return propose(
        request,
        connection,
        found,
        act,
        title=(_("Ignore %(name)s") if number == 1 else _("Ignore %(number)s Stripe customers"))
        % {"name": names_of(connection, found), "number": wording.number(number)},
        lede=_("Skipped from now on, whatever happens to it in Stripe."),
        button=_("Confirm: ignore"),
        placeholder=_("An internal account"),
        notes=[_("They stay in Skipped, where they can still be linked.")],
        said=_("Ignored."),
    )


@about_chosen
def suggested(request: HttpRequest, connection: StripeConnection, found: Chosen) -> HttpResponse:
    """**Link to first suggestion**, each to its own; who has none, or only an archived one, stays."""
    if found.is_many:
        return suggested_many(request, connection, found)
    rows = list(StripeCustomer.objects.filter(connection=connection, stripe_id__in=found.stripe_ids))
    firsts = {stripe_id: first_to_link(each) for stripe_id, each in suggest(connection, rows).items()}
    targets = {stripe_id: each.customer_id for stripe_id, each in firsts.items() if each is not None}
    if not targets:
        messages.info(request, _("None of them has a suggestion that can be linked as it is."))
        return redirect(found.back)

    def act(reason: str, seen: Scene | None) -> Decided:
        return decisions.link_each(
            connection=connection, targets=targets, reason=reason, actor=person(request), seen=seen
        )

    called = {row.stripe_id: (row.name or row.email or row.stripe_id)[:80] for row in rows}
    pairs = [
        _("%(name)s to %(customer)s: %(evidence)s")
        % {"name": called[stripe_id], "customer": each.name[:80], "evidence": in_words(each)}
        for stripe_id, each in sorted(firsts.items())
        if each is not None
    ]
    left = len(found.stripe_ids) - len(targets)
    notes = [*pairs, *([_("%(number)s without a suggestion stay as they are.") % {"number": left}] if left else [])]
    return propose(
        request,
        connection,
        found,
        act,
        targets=targets,
        title=_("Link to first suggestion"),
        lede=ngettext(
            "%(number)s Stripe customer is linked to its first suggestion.",
            "%(number)s Stripe customers are linked, each to its first suggestion.",
            len(targets),
        )
        % {"number": wording.number(len(targets))},
        button=_("Confirm: link"),
        placeholder=_("The suggestions are right"),
        notes=notes,
        said=_("Linked to their first suggestions."),
    )


def propose(
    request: HttpRequest,
    connection: StripeConnection,
    found: Chosen,
    act: Act,
    *,
    said: str,
    about_customer: Customer | None = None,
    targets: dict[str, int] | None = None,
    title: str,
    lede: str,
    button: str,
    placeholder: str,
    notes: list[str],
) -> HttpResponse:
    """Confirm a decision about some; afterwards the list comes again, with what was done and its undo."""
    taken: list[Decided] = []

    def remembering(reason: str, seen: Scene | None) -> list[Decided]:
        taken[:] = [act(reason, seen)]
        return taken

    customer_ids = [about_customer.pk] if about_customer else list((targets or {}).values())
    proposal = Proposal(
        title=title,
        lede=lede,
        button=button,
        placeholder=placeholder,
        act=remembering,
        about={"stripe_ids": list(targets or found.stripe_ids), "customer_ids": customer_ids},
        notes=notes,
        back=found.back,
        above=found.origin,
    )
    return confirm(request, connection, proposal, done=lambda: decided(request, connection, taken[0], said, found.back))


def decided(request: HttpRequest, connection: StripeConnection, taken: Decided, said: str, back: str) -> HttpResponse:
    """Say what was done, with the way to take it back, and show the list again."""
    undo = reverse("stripe:decide_undo", args=[connection.mode, taken.decision.pk])
    messages.success(request, format_html('{} <a href="{}">{}</a>', said, undo, _("Undo")))
    return redirect(back)


def names_of(connection: StripeConnection, found: Chosen) -> str:
    """Whom it is about, in a few words."""
    number = len(found.stripe_ids)
    if number > 1:
        return _("%(number)s Stripe customers") % {"number": wording.number(number)}
    row = StripeCustomer.objects.get(connection=connection, stripe_id=found.stripe_ids[0])
    return (row.name or row.email or row.stripe_id)[:80]


# --- everybody a filter finds ------------------------------------------------------------------------------------


def many(
    request: HttpRequest,
    connection: StripeConnection,
    found: Chosen,
    *,
    action: str,
    title: str,
    button: str,
    placeholder: str,
    facts: list[str],
    target: Customer | None = None,
    samples_of: tuple[str, list[tuple[str, str]]] | None = None,
) -> HttpResponse:
    """Confirm one job about everybody the filter finds."""
    number = len(found.stripe_ids)
    rows = sample_rows(connection, found.stripe_ids[:10])
    heading, shown = samples_of or (_("The largest of them"), samples(rows))

    def start(reason: str) -> DecisionJob:
        return decision_jobs.start(
            connection=connection,
            action=action,
            stripe_ids=found.stripe_ids,
            reason=reason,
            actor=person(request),
            target_id=target.pk if target else None,
        )

    values = {"number": wording.number(number), "mrr": wording.money(at_stake(connection, found.stripe_ids))}
    proposal = Many(
        title=title,
        lede=_("%(number)s Stripe customers, %(mrr)s MRR, that the filter finds.") % values,
        button=button,
        placeholder=placeholder,
        stripe_ids=found.stripe_ids,
        facts=[
            *facts,
            _("Whoever is matched meanwhile is left alone."),
            _("One job with progress; you can close the page. One undo takes all of it back."),
        ],
        start=start,
        above=found.origin,
        back=found.back,
        samples_title=heading,
        samples=shown,
    )
    return confirm_many(request, connection, proposal)


def link_many(request: HttpRequest, connection: StripeConnection, found: Chosen, target: Customer) -> HttpResponse:
    """Everybody to one customer."""
    return many(
        request,
        connection,
        found,
        action=decision_jobs.LINK,
        target=target,
        title=_("Link all to %(customer)s") % {"customer": target.name[:80]},
        button=_("Confirm: link all"),
        placeholder=_("All of them are this company"),
        facts=[_("All of them are put on %(customer)s, and their MRR is added up there.") % {"customer": target.name}],
    )


def suggested_many(request: HttpRequest, connection: StripeConnection, found: Chosen) -> HttpResponse:
    """Each to its first suggestion."""
    rows = sample_rows(connection, found.sample)
    suggestions = suggest(connection, [row.stripe for row in rows])
    pairs = [
        (row.name, f"{first.name}: {in_words(first)}")
        for row in rows
        if (first := first_to_link(suggestions.get(row.stripe.stripe_id, ()))) is not None
    ]
    return many(
        request,
        connection,
        found,
        action=decision_jobs.LINK_SUGGESTED,
        title=_("Link all to their first suggestions"),
        button=_("Confirm: link all"),
        placeholder=_("The suggestions are right"),
        facts=[
            _("Each is linked to its strongest suggestion, which is worked out when its turn comes."),
            _("Those without one, or with an archived one only, stay as they are."),
            _("Of the %(shown)s largest, %(number)s have one; look through them before you confirm.")
            % {"shown": wording.number(len(rows)), "number": wording.number(len(pairs))},
        ],
        samples_of=(_("Who would be linked to whom, of the largest"), pairs),
    )


def create_many(request: HttpRequest, connection: StripeConnection, found: Chosen) -> HttpResponse:
    """A customer for each company domain."""
    would_be = would_be_created(connection, found.stripe_ids)
    number = {"number": wording.number(would_be.number)}
    return many(
        request,
        connection,
        found,
        action=decision_jobs.CREATE,
        title=_("Create %(number)s customers") % number,
        button=_("Confirm: create customers"),
        placeholder=_("New to us"),
        facts=[
            _("%(number)s customers are created: one per company domain, one for each other e-mail.") % number,
            _("Name and domain come from Stripe, from the oldest Stripe customer on the domain."),
        ],
        samples_of=(_("Some of their names"), [(name, "") for name in would_be.names]),
    )


def ignore_many(request: HttpRequest, connection: StripeConnection, found: Chosen) -> HttpResponse:
    """All skipped from now on."""
    return many(
        request,
        connection,
        found,
        action=decision_jobs.IGNORE,
        title=_("Ignore all of them"),
        button=_("Confirm: ignore all"),
        placeholder=_("Not our customers"),
        facts=[_("All of them are skipped from now on. They stay in Skipped, where they can still be linked.")],
    )

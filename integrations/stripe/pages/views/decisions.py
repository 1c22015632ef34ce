"""Deciding on ambiguous matches: each action has one page that shows its effect, asks one reason, and applies it.

The page carries what it showed; when that changed meanwhile it comes back with what is there now, and nothing is
decided. After a decision the next group opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from customers import wording
from customers.models import Customer
from integrations.models import DecisionJob, MatchDecision, StripeConnection, StripeCustomer
from integrations.permissions import DECIDE
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.presenters.ambiguous import present_group
from integrations.stripe.pages.presenters.decisions import TAKEN, history, in_words, undo_sentence
from integrations.stripe.pages.presenters.page import counts_of, render_page
from integrations.stripe.pages.sittings import Sitting
from integrations.stripe.pages.views.confirming import Proposal, confirm
from integrations.stripe.pages.views.many import Many, confirm_many
from integrations.stripe.sync import connections, decision_jobs, decisions, groups
from integrations.stripe.sync.decision_rows import Decided
from integrations.stripe.sync.scene import Scene

MANY = 400
"""How many groups are decided on at once, so that their ids fit into an address."""


@admin_page(DECIDE)
@require_GET
def group(request: HttpRequest, mode: str, customer_id: int) -> HttpResponse:
    """One group, all of its members side by side."""
    connection = connections.get(mode)
    found = present_group(connection, customer_id)
    if found is None:
        customer_here(connection, customer_id)
        messages.info(request, _("Nothing waits for a decision there any more."))
        return redirect("stripe:ambiguous", mode)
    context = {"group": found, "counts": counts_of(request, connection), "may_decide": True, "whole": True}
    return render_page(request, "stripe/ambiguous_group.html", connection, context, here=found.title)


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def keep_merged(request: HttpRequest, mode: str) -> HttpResponse:
    """**Keep merged**, one group or many at once."""
    connection = connections.get(mode)
    numbers = [int(part) for part in request.GET.get("ids", "").split(",") if part.isascii() and part.isdigit()]
    customers = list(Customer.objects.filter(pk__in=numbers[:MANY], environment=connection.environment).order_by("pk"))
    if not customers:
        raise Http404
    ids = [customer.pk for customer in customers]

    def act(reason: str, seen: Scene | None) -> list[Decided]:
        return decisions.keep_merged(
            connection=connection, customer_ids=ids, reason=reason, actor=person(request), seen=seen
        )

    many = len(ids) > 1
    title = _("Keep %(number)s groups merged") % {"number": wording.number(len(ids))}
    proposal = Proposal(
        title=title if many else _("Keep merged: %(name)s") % {"name": customers[0].name[:80]},
        lede=_("MRR stays added up, and nobody is asked again until somebody new joins."),
        button=_("Confirm: keep merged"),
        placeholder=_("One contract"),
        act=act,
        about={"customer_ids": ids},
        notes=[],
    )
    stakes = stakes_of(connection, ids)
    return confirm(request, connection, proposal, done=lambda: go_on(request, connection, stakes))


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def winner(request: HttpRequest, mode: str, customer_id: int) -> HttpResponse:
    """**This one wins**."""
    connection = connections.get(mode)
    customer = customer_here(connection, customer_id)
    chosen = get_object_or_404(StripeCustomer, connection=connection, stripe_id=request.GET.get("stripe", ""))
    name = (chosen.name or chosen.email or chosen.stripe_id)[:80]

    def act(reason: str, seen: Scene | None) -> list[Decided]:
        return [
            decisions.winner(
                connection=connection,
                customer_id=customer.pk,
                stripe_id=chosen.stripe_id,
                reason=reason,
                actor=person(request),
                seen=seen,
            )
        ]

    proposal = Proposal(
        title=_("This one wins: %(name)s") % {"name": name},
        lede=_("The other Stripe customers on %(customer)s are skipped.") % {"customer": customer.name[:80]},
        button=_("Confirm: this one wins"),
        placeholder=_("The other one is an old account"),
        act=act,
        about={"customer_ids": [customer.pk]},
        notes=[
            _("When the billing of %(name)s ends while another one still pays, the group comes back here.")
            % {"name": name}
        ],
    )
    stakes = stakes_of(connection, [customer.pk])
    return confirm(request, connection, proposal, done=lambda: go_on(request, connection, stakes))


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def attach(request: HttpRequest, mode: str, customer_id: int) -> HttpResponse:
    """**Attach to this customer**, of several that have the domain."""
    connection = connections.get(mode)
    customer = customer_here(connection, customer_id)
    number = request.GET.get("to", "")
    target = customer_here(connection, int(number) if number.isascii() and number.isdigit() else 0)

    def act(reason: str, seen: Scene | None) -> list[Decided]:
        return [
            decisions.attach(
                connection=connection,
                customer_id=customer.pk,
                to_id=target.pk,
                reason=reason,
                actor=person(request),
                seen=seen,
            )
        ]

    proposal = Proposal(
        title=_("Attach to %(name)s") % {"name": target.name[:80]},
        lede=_("Several customers have the domain; its billing goes to this one."),
        button=_("Confirm: attach"),
        placeholder=_("They hold the contract"),
        act=act,
        about={"customer_ids": [customer.pk]},
        notes=[_("A Stripe customer that joins later is asked about again.")],
    )
    stakes = stakes_of(connection, [customer.pk])
    return confirm(request, connection, proposal, done=lambda: go_on(request, connection, stakes))


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def undo(request: HttpRequest, mode: str, decision_id: int) -> HttpResponse:
    """**Undo** a decision, or an undo."""
    connection = connections.get(mode)
    decision = get_object_or_404(
        MatchDecision.objects.select_related("actor", "undoes"), connection=connection, pk=decision_id
    )

    if len(decision.stripe_customer_ids) > decision_jobs.AT_ONCE:
        return undo_many(request, connection, decision)

    def act(reason: str, seen: Scene | None) -> list[Decided]:
        return [
            decisions.undo(
                connection=connection, decision_id=decision.pk, reason=reason, actor=person(request), seen=seen
            )
        ]

    proposal = Proposal(
        title=_("Undo “%(what)s”") % {"what": TAKEN[decision.kind]},
        lede=undo_sentence(decision) or in_words(decision),
        button=_("Confirm: undo"),
        placeholder=_("A mistake"),
        act=act,
        about={"stripe_ids": decision.stripe_customer_ids},
        notes=[_("What was in force before it is in force again.")],
        back=reverse("stripe:decisions", args=[mode]),
    )
    done = reverse("stripe:decisions", args=[mode])
    return confirm(request, connection, proposal, done=lambda: undone(request, done))


def undo_many(request: HttpRequest, connection: StripeConnection, decision: MatchDecision) -> HttpResponse:
    """Undo a decision about very many: one job, as it was one."""
    number = len(decision.stripe_customer_ids)

    def start(reason: str) -> DecisionJob:
        return decision_jobs.start_undo(
            connection=connection, decision_id=decision.pk, reason=reason, actor=person(request)
        )

    proposal = Many(
        title=_("Undo “%(what)s”") % {"what": TAKEN[decision.kind]},
        lede=undo_sentence(decision) or in_words(decision),
        button=_("Confirm: undo"),
        placeholder=_("A mistake"),
        stripe_ids=decision.stripe_customer_ids,
        facts=[
            _("%(number)s Stripe customers go back to what was in force before.") % {"number": wording.number(number)},
            _("Customers it created are archived, unless somebody has added to them."),
            _("It no longer holds from the moment you confirm; the headers follow in one job with progress."),
        ],
        start=start,
        above="stripe:decisions",
    )
    return confirm_many(request, connection, proposal)


def undone(request: HttpRequest, address: str) -> HttpResponse:
    """Say so, and show the history."""
    messages.success(request, _("Undone. The headers follow at once."))
    return redirect(address)


@admin_page(DECIDE)
@require_GET
def taken(request: HttpRequest, mode: str) -> HttpResponse:
    """Every decision of the connection, newest first; ``?stripe=`` narrows them to one Stripe customer."""
    connection = connections.get(mode)
    stripe_id = request.GET.get("stripe", "").replace("\x00", "")[:255]
    of_one = StripeCustomer.objects.filter(connection=connection, stripe_id=stripe_id).first() if stripe_id else None
    if stripe_id and of_one is None:
        raise Http404
    context = {"history": history(request, connection, stripe_id=stripe_id), "of_one": of_one, "may_decide": True}
    return render_page(
        request, "stripe/decisions.html", connection, context, here=_("Match decisions"), tabs="stripe:decisions"
    )


def customer_here(connection: StripeConnection, customer_id: int) -> Customer:
    """A customer of the connection's environment; raises Http404 for any other."""
    return get_object_or_404(Customer, pk=customer_id, environment=connection.environment)


def stakes_of(connection: StripeConnection, customer_ids: list[int]) -> dict[int, Decimal]:
    """The MRR at stake in these groups, read before they are decided on."""
    waiting: Any = groups.groups(connection).filter(pk__in=customer_ids)
    return dict(waiting.values_list("pk", "stake"))


def go_on(request: HttpRequest, connection: StripeConnection, stakes: Mapping[int, Decimal]) -> HttpResponse:
    """After a decision on these groups: the next one, or the news that there is none left."""
    sitting = Sitting(request, connection.mode)
    following = groups.next_group(connection, after=sitting.decided(stakes))
    if following is not None:
        left = groups.groups(connection).count()
        messages.success(
            request,
            ngettext("Decided. %(number)s group is left.", "Decided. %(number)s groups are left.", left)
            % {"number": wording.number(left)},
        )
        return redirect("stripe:ambiguous_group", connection.mode, following.pk)
    number, mrr = sitting.end()
    messages.success(
        request,
        ngettext(
            "All clear: %(number)s group, %(mrr)s decided", "All clear: %(number)s groups, %(mrr)s decided", number
        )
        % {"number": wording.number(number), "mrr": wording.money(mrr)},
    )
    return redirect("stripe:ambiguous", connection.mode)

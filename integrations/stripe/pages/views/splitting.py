"""**Split…**: choose Stripe customers, then see both headers, name the new customer, and confirm."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from customers.models import Customer
from integrations.models import StripeConnection, StripeCustomer
from integrations.permissions import DECIDE
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.forms import NewCustomerForm
from integrations.stripe.pages.presenters.ambiguous import Member, members_on
from integrations.stripe.pages.presenters.decisions import names
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.pages.views.confirming import Proposal, confirm
from integrations.stripe.pages.views.decisions import customer_here, go_on, stakes_of
from integrations.stripe.sync import connections, decisions
from integrations.stripe.sync.decidable import customer_domain
from integrations.stripe.sync.decision_rows import Decided
from integrations.stripe.sync.scene import Scene


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def split(request: HttpRequest, mode: str, customer_id: int) -> HttpResponse:
    """**Split…**: without a choice the list to choose from; with one the page that confirms it."""
    connection = connections.get(mode)
    customer = customer_here(connection, customer_id)
    members = members_on(connection, customer)
    asked = set(request.GET.getlist("member"))
    chosen = [member for member in members if member.stripe.stripe_id in asked]
    if len(members) < 2:
        messages.info(request, _("There is nothing to split there any more."))
        return redirect("stripe:ambiguous", mode)
    if not chosen or len(chosen) == len(members) or len(chosen) != len(asked):
        return choose(request, connection, customer, members, asked)
    proposal = propose(request, connection, customer, chosen)
    stakes = stakes_of(connection, [customer.pk])
    return confirm(request, connection, proposal, done=lambda: go_on(request, connection, stakes))


def choose(
    request: HttpRequest,
    connection: StripeConnection,
    customer: Customer,
    members: Sequence[Member],
    asked: set[str],
) -> HttpResponse:
    """The members to tick: some of them, not all."""
    context = {"customer": customer, "members": members, "asked": asked}
    return render_page(request, "stripe/split.html", connection, context, here=_("Split"))


def propose(
    request: HttpRequest, connection: StripeConnection, customer: Customer, chosen: Sequence[Member]
) -> Proposal:
    """The split of the chosen ones; name and domain are those of the chosen ones until somebody changes them."""
    ids = [member.stripe.stripe_id for member in chosen]
    suggested = {"name": suggested_name(chosen), "domain": customer_domain(biggest(chosen))}
    said = request.POST if request.method == "POST" else request.GET
    form = NewCustomerForm({name: said.get(name, value) for name, value in suggested.items()})

    def act(reason: str, seen: Scene | None) -> list[Decided]:
        return [
            decisions.split(
                connection=connection,
                customer_id=customer.pk,
                stripe_ids=ids,
                name=form.cleaned_data["name"],
                domain=form.cleaned_data["domain"],
                reason=reason,
                actor=person(request),
                seen=seen,
            )
        ]

    notes = [_("Every member is linked where it is now, so a later e-mail change moves nobody.")]
    if form.is_valid() and form.cleaned_data["domain"] == customer.domain:
        notes.append(
            _("%(domain)s is the domain of %(name)s too: whoever joins on it later is asked about here.")
            % {"domain": customer.domain, "name": customer.name[:80]}
        )
    return Proposal(
        title=_("Split %(name)s") % {"name": customer.name[:80]},
        lede=_("To a new customer: %(names)s.") % {"names": names([member.name[:60] for member in chosen])},
        button=_("Confirm: split"),
        placeholder=_("Separate contracts"),
        act=act,
        about={"customer_ids": [customer.pk]},
        notes=notes,
        back=reverse("stripe:decide_split", args=[connection.mode, customer.pk]),
        new_customer=form,
        again={"member": ids},
    )


def biggest(chosen: Sequence[Member]) -> StripeCustomer:
    """The chosen one that pays most; the new customer is named after it."""
    return min(chosen, key=lambda member: (-member.mrr, member.stripe.stripe_id)).stripe


def suggested_name(chosen: Sequence[Member]) -> str:
    """The name it has in Stripe, else its domain, else its id."""
    row = biggest(chosen)
    return (row.name.strip() or customer_domain(row) or row.stripe_id)[:255]

"""How MRR adds up, and the subscriptions behind each of its lines."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from integrations.permissions import READ_LOG
from integrations.stripe.pages.access import admin_page
from integrations.stripe.pages.forms import StripeFigureForm
from integrations.stripe.pages.presenters.mrr import present
from integrations.stripe.pages.presenters.mrr_lists import listing
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.sync import connections
from integrations.stripe.sync.freshness import freshness_of
from integrations.stripe.sync.mrr import adds_up


@admin_page(READ_LOG)
@require_GET
def mrr(request: HttpRequest, mode: str) -> HttpResponse:
    """The whole account, added up."""
    connection = connections.get(mode)
    form = StripeFigureForm(request.GET if "stripe" in request.GET else None)
    stripe_shows = form.cleaned_data["stripe"] if form.is_valid() else None
    context = {
        "page": present(connection, adds_up(connection, may_be_kept=True), stripe_shows=stripe_shows),
        "form": form,
        "freshness": freshness_of(connection),
        "may_add_rates": request.user.has_perm("integrations.add_exchangerate"),
    }
    return render_page(request, "stripe/mrr.html", connection, context, here=_("How MRR adds up"), tabs="stripe:mrr")


@admin_page(READ_LOG)
@require_GET
def subscriptions(request: HttpRequest, mode: str) -> HttpResponse:
    """The subscriptions behind one line, which the address names."""
    connection = connections.get(mode)
    found = listing(request, connection)
    context = {"listing": found}
    return render_page(request, "stripe/mrr_subscriptions.html", connection, context, here=str(found.title))

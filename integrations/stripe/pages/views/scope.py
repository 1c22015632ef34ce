"""Scope and options. A page says what Save will change before it does, from the mirror and without Stripe."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from integrations.errors import IntegrationError
from integrations.models import StripeConnection
from integrations.permissions import CONNECT
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.forms import OptionsForm, ScopeForm
from integrations.stripe.pages.presenters.overview import render_overview
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.pages.presenters.scope import present_preview
from integrations.stripe.sync import connections
from integrations.stripe.sync import scope as scopes


@admin_page(CONNECT)
@require_http_methods(["GET", "POST"])
def preview(request: HttpRequest, mode: str) -> HttpResponse:
    """What saving this scope and these options would change; nothing is written."""
    connection = connections.get(mode)
    if request.method == "GET" or _is_out_of_reach(request, connection):
        return redirect("stripe:integration", mode)
    form = ScopeForm(request.POST, choices=scopes.choices(connection))
    if not form.is_valid():
        return render_overview(request, mode, scope_form=form)
    found = scopes.preview(connection, **form.selection(), **form.options())
    context = {"form": form, "preview": present_preview(form, found)}
    return render_page(request, "stripe/scope_preview.html", connection, context, here=_("Scope preview"))


@admin_page(CONNECT)
@require_http_methods(["GET", "POST"])
def save(request: HttpRequest, mode: str) -> HttpResponse:
    """Save the scope and the options; matching and roll-up follow from the mirror at once."""
    connection = connections.get(mode)
    if request.method == "GET" or _is_out_of_reach(request, connection):
        return redirect("stripe:integration", mode)
    form = ScopeForm(request.POST, choices=scopes.choices(connection))
    if not form.is_valid():
        return render_overview(request, mode, scope_form=form)
    chosen = form.options()
    scopes.save_scope(connection, **form.selection(), actor=person(request))
    if any(getattr(connection, name) != value for name, value in chosen.items()):
        scopes.save_options(connection, **chosen, actor=person(request))
    messages.success(request, _("Scope and options saved."))
    return redirect("stripe:integration", mode)


@admin_page(CONNECT)
@require_POST
def options(request: HttpRequest, mode: str) -> HttpResponse:
    """Save the toggles alone, where the page has said beforehand what follows from them."""
    connection = connections.get(mode)
    form = OptionsForm(request.POST)
    if form.is_valid() and not _is_out_of_reach(request, connection):
        scopes.save_options(connection, **form.options(), actor=person(request))
        messages.success(request, _("Options saved."))
    return redirect("stripe:integration", mode)


def _is_out_of_reach(request: HttpRequest, connection: StripeConnection) -> bool:
    """A connection that is not connected neither matches nor rolls up, so there is nothing to preview or apply."""
    if connection.is_connected:
        return False
    notices.problem(request, IntegrationError("reauthorize"))
    return True

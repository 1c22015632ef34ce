"""Disconnecting, and the two separate choices it leaves: each on a page of its own that says what it does."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from integrations.errors import IntegrationError
from integrations.models import ConnectionState
from integrations.permissions import CONNECT
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.presenters.disconnecting import leave_taking
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.sync import connections, disconnecting


@admin_page(CONNECT)
@require_http_methods(["GET", "POST"])
def disconnect(request: HttpRequest, mode: str) -> HttpResponse:
    """Say what disconnecting does, then do it."""
    connection = connections.get(mode)
    if request.method == "POST":
        disconnecting.disconnect(connection, actor=person(request))
        messages.success(request, _("Disconnected. Our access is deleted; every figure stays, marked stale."))
        return redirect("stripe:integration", mode)
    context = {"leaving": leave_taking(connection)}
    return render_page(request, "stripe/disconnect.html", connection, context, here=_("Disconnect"))


@admin_page(CONNECT)
@require_http_methods(["GET", "POST"])
def clear_billing(request: HttpRequest, mode: str) -> HttpResponse:
    """Empty the five billing fields of every customer this connection filled."""
    connection = connections.get(mode)
    if connection.state != ConnectionState.DISCONNECTED:
        return redirect("stripe:disconnect", mode)
    if request.method == "POST":
        cleared = disconnecting.clear_billing(connection, actor=person(request))
        messages.success(
            request,
            ngettext(
                "Cleared the billing data of %(count)d customer.",
                "Cleared the billing data of %(count)d customers.",
                cleared,
            )
            % {"count": cleared},
        )
        return redirect("stripe:integration", mode)
    context = {"leaving": leave_taking(connection)}
    return render_page(request, "stripe/clear_billing.html", connection, context, here=_("Clear billing data"))


@admin_page(CONNECT)
@require_http_methods(["GET", "POST"])
def delete_mirror(request: HttpRequest, mode: str) -> HttpResponse:
    """Delete our copy of the account."""
    connection = connections.get(mode)
    if connection.state != ConnectionState.DISCONNECTED:
        return redirect("stripe:disconnect", mode)
    if request.method == "POST":
        try:
            disconnecting.delete_mirror(connection, actor=person(request))
        except IntegrationError as error:
            notices.problem(request, error)
        else:
            messages.success(request, _("Deleted our copy of this Stripe account."))
        return redirect("stripe:integration", mode)
    context = {"leaving": leave_taking(connection)}
    return render_page(request, "stripe/delete_mirror.html", connection, context, here=_("Delete mirrored data"))

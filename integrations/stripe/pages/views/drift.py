"""Drift: what the nightly runs found different."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from integrations.models import Notice
from integrations.permissions import CONNECT, READ_LOG
from integrations.stripe.pages.access import admin_page
from integrations.stripe.pages.presenters.drift import present_drift
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.sync import connections, notices


@admin_page(READ_LOG)
@require_GET
def drift(request: HttpRequest, mode: str) -> HttpResponse:
    """Thirty nights of differences."""
    connection = connections.get(mode)
    context = {"drift": present_drift(connection)}
    return render_page(request, "stripe/drift.html", connection, context, here=_("Drift"), tabs="stripe:drift")


@admin_page(CONNECT)
@require_POST
def notice_dismiss(request: HttpRequest, mode: str, notice_id: int) -> HttpResponse:
    """Somebody has seen a notice; it goes for all admins, and they stay on the page they were on."""
    notices.dismiss(get_object_or_404(Notice, pk=notice_id, connection=connections.get(mode)))
    address = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure()):
        return redirect("stripe:integration", mode)
    return redirect(address)

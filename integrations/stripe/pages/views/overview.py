"""Admin > Integrations > Stripe."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from integrations import holdings
from integrations.models import Mode
from integrations.permissions import READ_LOG
from integrations.stripe.pages.access import admin_page
from integrations.stripe.pages.presenters.overview import render_overview
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.sync import connections


@admin_page(READ_LOG)
@require_GET
def integration(request: HttpRequest, mode: str = Mode.LIVE) -> HttpResponse:
    """The state of the connection and the one thing to do next."""
    return render_overview(request, mode)


@admin_page(READ_LOG)
@require_GET
def what_we_store(request: HttpRequest) -> HttpResponse:
    """Every field that is read and kept, why and how long: for whoever must approve the connection."""
    connection = connections.get(Mode.LIVE)
    return render_page(
        request, "stripe/what_we_store.html", connection, {"stored": holdings.shown()}, here=_("What we store")
    )

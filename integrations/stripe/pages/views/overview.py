"""Admin > Integrations > Stripe."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from integrations.models import Mode
from integrations.permissions import READ_LOG
from integrations.stripe.pages.access import admin_page
from integrations.stripe.pages.presenters.overview import render_overview


@admin_page(READ_LOG)
@require_GET
def integration(request: HttpRequest, mode: str = Mode.LIVE) -> HttpResponse:
    """The state of the connection and the one thing to do next."""
    return render_overview(request, mode)

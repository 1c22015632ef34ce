"""Runs: start one, watch it, cancel it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from integrations.errors import IntegrationError
from integrations.models import RunKind, SyncRun
from integrations.permissions import CONNECT, READ_LOG
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, by_method, person
from integrations.stripe.pages.presenters.runs import present_active
from integrations.stripe.sync import connections, runs

STARTABLE = {RunKind.FULL.value, RunKind.PREVIEW.value}


@admin_page(CONNECT)
@require_POST
def _start(request: HttpRequest, mode: str) -> HttpResponse:
    """Start a preview or a run, or join the one under way."""
    connection = connections.get(mode)
    kind = request.POST.get("kind", RunKind.FULL)
    under_way = runs.active(connection)
    try:
        started = runs.start(connection, kind=kind if kind in STARTABLE else RunKind.FULL, actor=person(request))
    except IntegrationError as error:
        notices.problem(request, error)
    else:
        if under_way and under_way.pk == started.pk:
            notices.run_joined(request)
    return redirect("stripe:integration", mode)


@admin_page(READ_LOG)
@require_GET
def _progress(request: HttpRequest, mode: str) -> HttpResponse:
    """The bar, asked for every second while a run is active; the whole page when it has ended or needs a person."""
    if not request.htmx:  # type: ignore[attr-defined]  # set by HtmxMiddleware
        return redirect("stripe:integration", mode)
    connection = connections.get(mode)
    active = present_active(connection)
    if active is None or active.is_parked != ("parked" in request.GET):
        return HttpResponseClientRefresh()
    context = {
        "connection": connection,
        "active": active,
        "may_connect": person(request).has_perm(CONNECT),
        "announce": request.GET.get("said") != active.said,
    }
    return render(request, "stripe/includes/run.html", context)


run = by_method(GET=_progress, POST=_start)
"""One address for the run of a mode."""


@admin_page(CONNECT)
@require_POST
def cancel(request: HttpRequest, mode: str, run_id: int) -> HttpResponse:
    """Ask a run to stop at its next step; what it has read stays."""
    found = get_object_or_404(SyncRun, pk=run_id, connection=connections.get(mode))
    if found.is_active:
        runs.cancel(found, actor=person(request))
        messages.info(request, _("The run stops at its next step. What it has read stays."))
    return redirect("stripe:integration", mode)

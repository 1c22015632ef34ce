"""A decision about very many Stripe customers: its progress, and stopping it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from integrations.models import DecisionJob
from integrations.permissions import DECIDE
from integrations.stripe.pages.access import admin_page
from integrations.stripe.pages.presenters.jobs import present_job
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.sync import connections, decision_jobs


@admin_page(DECIDE)
@require_GET
def job(request: HttpRequest, mode: str, job_id: int) -> HttpResponse:
    """How far a job is. The bar is asked for every second, the whole page once when it has ended."""
    connection = connections.get(mode)
    found = get_object_or_404(
        DecisionJob.objects.select_related("decision__actor", "target"), connection=connection, pk=job_id
    )
    shown = present_job(found)
    context = {"job": shown, "connection": connection}
    if request.htmx:  # type: ignore[attr-defined]  # set by HtmxMiddleware
        if not found.is_active:
            return HttpResponseClientRefresh()
        announce = request.GET.get("said") != shown.said
        return render(request, "stripe/includes/job.html", {**context, "announce": announce})
    return render_page(request, "stripe/job.html", connection, context, here=_("Decision"))


@admin_page(DECIDE)
@require_POST
def stop(request: HttpRequest, mode: str, job_id: int) -> HttpResponse:
    """Stop a job; what it has decided stays, and can be undone."""
    connection = connections.get(mode)
    found = get_object_or_404(DecisionJob, connection=connection, pk=job_id)
    if decision_jobs.stop(found):
        messages.info(request, _("Stopped. What was decided so far stays, and Undo takes it back."))
    return redirect("stripe:decision_job", mode, job_id)

"""The log: what was attempted, what went wrong, and **Retry this record**."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from integrations.errors import IntegrationError
from integrations.models import RunKind, SyncIssue, SyncRun
from integrations.permissions import READ_LOG
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.presenters.log import last_calls, present_log, present_run
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.sync import connections, refresh


@admin_page(READ_LOG)
@require_GET
def log(request: HttpRequest, mode: str) -> HttpResponse:
    """Thirty days of runs, and the records that need attention."""
    connection = connections.get(mode)
    context = {"log": present_log(request, connection), "kinds": RunKind.choices}
    return render_page(request, "stripe/log.html", connection, context, here=_("Log"), tabs="stripe:log")


@admin_page(READ_LOG)
@require_GET
def run_detail(request: HttpRequest, mode: str, run_id: int) -> HttpResponse:
    """One run with every record it could not read."""
    connection = connections.get(mode)
    run = get_object_or_404(SyncRun.objects.select_related("started_by"), pk=run_id, connection=connection)
    context = {"page": present_run(request, connection, run)}
    return render_page(request, "stripe/run_detail.html", connection, context, here=_("Run %(id)d") % {"id": run.pk})


@admin_page(READ_LOG)
@require_GET
def calls(request: HttpRequest, mode: str) -> HttpResponse:
    """The last calls to Stripe: the proof that nothing is written there."""
    connection = connections.get(mode)
    context = {"calls": last_calls(connection)}
    return render_page(
        request, "stripe/calls.html", connection, context, here=_("Calls to Stripe"), tabs="stripe:calls"
    )


@admin_page(READ_LOG)
@require_POST
def issue_retry(request: HttpRequest, mode: str, issue_id: int) -> HttpResponse:
    """Read the record again, now, and say what came of it."""
    connection = connections.get(mode)
    issue = get_object_or_404(SyncIssue, pk=issue_id, connection=connection)
    try:
        notices.refreshed(request, [refresh.retry_issue(issue, actor=person(request))])
    except IntegrationError as error:
        notices.problem(request, error)
    back = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = reverse("stripe:log", args=[mode])
    return redirect(back)

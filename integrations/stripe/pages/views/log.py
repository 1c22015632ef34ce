"""The log: what was attempted, what went wrong, and **Retry this record**."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from integrations.errors import IntegrationError
from integrations.models import Attempt, SyncIssue, SyncRun
from integrations.permissions import READ_LOG
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.presenters.calls import last_calls
from integrations.stripe.pages.presenters.issues import present_run
from integrations.stripe.pages.presenters.log import KINDS, present_log
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.sync import connections, refresh, retries


@admin_page(READ_LOG)
@require_GET
def log(request: HttpRequest, mode: str) -> HttpResponse:
    """Thirty days of attempts, and the records that need attention."""
    connection = connections.get(mode)
    context = {"log": present_log(request, connection), "kinds": KINDS}
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
    return back(request, mode)


@admin_page(READ_LOG)
@require_POST
def attempt_retry(request: HttpRequest, mode: str, attempt_id: int) -> HttpResponse:
    """Read the Stripe customer of an attempt that failed again, now."""
    connection = connections.get(mode)
    attempt = get_object_or_404(Attempt.objects.exclude(stripe_customer_id=""), pk=attempt_id, connection=connection)
    try:
        found = refresh.refresh(connection, attempt.stripe_customer_id, actor=person(request))
        notices.refreshed(request, [found])
    except IntegrationError as error:
        notices.problem(request, error)
    return back(request, mode)


@admin_page(READ_LOG)
@require_POST
def issues_retry(request: HttpRequest, mode: str) -> HttpResponse:
    """Ask for another read of the ticked records, or of all; the worker does it."""
    connection = connections.get(mode)
    if not connection.is_connected:
        notices.problem(request, IntegrationError("reauthorize"))
        return back(request, mode)
    ticked = [int(value) for value in request.POST.getlist("issue") if value.isdecimal()]
    notices.retries_queued(request, retries.queue(connection, None if request.POST.get("all") else ticked))
    return back(request, mode)


def back(request: HttpRequest, mode: str) -> HttpResponse:
    """Back to where somebody came from, and never away from here."""
    address = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure()):
        address = reverse("stripe:log", args=[mode])
    return redirect(address)

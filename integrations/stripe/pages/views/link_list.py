"""Links from a CSV file: a dry run first, then one decision."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from integrations.errors import IntegrationError
from integrations.models import DecisionJob
from integrations.permissions import DECIDE
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.forms import ReasonForm
from integrations.stripe.pages.link_list import MOST_BYTES, UnreadableListError, check
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.sync import connections, jobs


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def link_list(request: HttpRequest, mode: str) -> HttpResponse:
    """Ask for the file, say what each line would do, and apply it with a reason; it is checked again then."""
    connection = connections.get(mode)
    text, problem, report = _text(request), "", None
    form = ReasonForm(request.POST if "reason" in request.POST else None)
    if request.method == "POST":
        try:
            report = check(connection, text)
        except UnreadableListError as error:
            problem = str(error)
    if report and report.targets and form.is_bound and form.is_valid():
        try:
            job = jobs.start(
                connection,
                action=DecisionJob.Action.LISTED,
                stripe_ids=list(report.targets),
                targets=list(report.targets.values()),
                reason=form.cleaned_data["reason"],
                actor=person(request),
            )
        except IntegrationError as error:
            notices.problem(request, error)
            return redirect("stripe:unmatched", mode)
        return redirect("stripe:job", mode, job.pk)
    context = {"report": report, "problem": problem, "csv_text": text, "form": form}
    return render_page(request, "stripe/link_list.html", connection, context, here=_("Links from a file"))


def _text(request: HttpRequest) -> str:
    """The file just sent, or the one that the report was about."""
    file = request.FILES.get("file")
    if file is not None and not isinstance(file, list):
        content: bytes = file.read(MOST_BYTES + 1)
        return content.decode("utf-8", "replace")
    return str(request.POST.get("csv", ""))

"""CSV in: which Stripe customer belongs to which customer, reported line by line before it is applied."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from customers import wording
from integrations.errors import IntegrationError
from integrations.models import StripeConnection
from integrations.permissions import DECIDE
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.forms import LinkFileForm, ReasonForm
from integrations.stripe.pages.presenters.page import render_page, trail
from integrations.stripe.sync import connections, decision_jobs, decisions, link_file
from integrations.stripe.sync.link_file import Report, UnreadableFileError

LINES_SHOWN = 200


@admin_page(DECIDE)
@require_http_methods(["GET", "POST"])
def link_from_file(request: HttpRequest, mode: str) -> HttpResponse:
    """**Bring links from a CSV**: first the file, then what it would do, then the reason; one address."""
    connection = connections.get(mode)
    if "pairs" in request.POST:
        return _apply(request, connection)
    form = LinkFileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            lines, mistakes, blank = link_file.read(form.cleaned_data["file"].read())
        except UnreadableFileError as error:
            form.add_error("file", str(error))
        else:
            report = link_file.judge(connection, lines)
            report.mistakes = sorted([*mistakes, *report.mistakes], key=lambda mistake: mistake.number)
            report.blank = blank
            return _report(request, connection, report, ReasonForm())
    context = {"form": form, "trail": _trail(connection), "columns": link_file.COLUMNS}
    return render_page(request, "stripe/link_file.html", connection, context)


def _report(request: HttpRequest, connection: StripeConnection, report: Report, form: ReasonForm) -> HttpResponse:
    form.fields["reason"].widget.attrs["placeholder"] = _("Checked with finance")
    context = {
        "report": report,
        "shown": report.links[:LINES_SHOWN],
        "hidden": max(0, len(report.links) - LINES_SHOWN),
        "mistakes": report.mistakes[:LINES_SHOWN],
        "more_mistakes": max(0, len(report.mistakes) - LINES_SHOWN),
        "is_job": len(report.links) > decision_jobs.AT_ONCE,
        "form": form,
        "trail": _trail(connection),
    }
    return render_page(request, "stripe/link_report.html", connection, context)


def _apply(request: HttpRequest, connection: StripeConnection) -> HttpResponse:
    """Apply what the report showed, as one decision; what no longer holds brings the report back, with nothing done."""
    lines = link_file.parse_pairs(request.POST["pairs"].replace("\x00", ""))
    report = link_file.judge(connection, lines)
    form = ReasonForm(request.POST)
    if report.mistakes or report.unchanged:
        messages.warning(request, _("This changed while you were looking, so nothing was decided."))
        return _report(request, connection, report, form)
    if not form.is_valid() or not report.links:
        return _report(request, connection, report, form)
    targets = {link.row.stripe_id: link.customer.pk for link in report.links}
    reason = form.cleaned_data["reason"]
    try:
        if len(targets) > decision_jobs.AT_ONCE:
            job = decision_jobs.start(
                connection=connection,
                action=decision_jobs.LINK_EACH,
                stripe_ids=list(targets),
                targets=list(targets.values()),
                reason=reason,
                actor=person(request),
            )
            return redirect("stripe:decision_job", connection.mode, job.pk)
        taken = decisions.link_each(
            connection=connection, targets=targets, reason=reason, actor=person(request), seen=None
        )
    except IntegrationError as error:
        notices.problem(request, error)
        return redirect("stripe:unmatched", connection.mode)
    said = ngettext("Linked %(number)s Stripe customer.", "Linked %(number)s Stripe customers.", len(targets)) % {
        "number": wording.number(len(targets))
    }
    undo = reverse("stripe:decide_undo", args=[connection.mode, taken.decision.pk])
    messages.success(request, format_html('{} <a href="{}">{}</a>', said, undo, _("Undo")))
    return redirect("stripe:unmatched", connection.mode)


def _trail(connection: StripeConnection) -> list[tuple[str, str]]:
    above = reverse("stripe:unmatched", args=[connection.mode])
    return [*trail(connection, _("Links from a file"))[:-1], (_("Unmatched"), above), (_("Links from a file"), "")]

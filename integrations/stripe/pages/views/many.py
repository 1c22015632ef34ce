"""Very many at once: one page that says what will be done, then a job whose progress everybody sees."""

from __future__ import annotations

from hashlib import sha256
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from customers import wording
from integrations.errors import IntegrationError
from integrations.models import ConnectionState, DecisionJob, StripeConnection
from integrations.permissions import DECIDE
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.forms import ReasonForm
from integrations.stripe.pages.presenters.jobs import present_job
from integrations.stripe.pages.presenters.many import present_sample
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.pages.views.choosing import Selection
from integrations.stripe.sync import connections, jobs

TITLES = {
    DecisionJob.Action.SUGGESTED: lambda: _("Link %(number)s Stripe customers to their first suggestion"),
    DecisionJob.Action.CREATE: lambda: _("Create customers from %(number)s Stripe customers"),
    DecisionJob.Action.IGNORE: lambda: _("Ignore %(number)s Stripe customers"),
}
BUTTONS = {
    DecisionJob.Action.SUGGESTED: lambda: _("Confirm: link"),
    DecisionJob.Action.CREATE: lambda: _("Confirm: create"),
    DecisionJob.Action.IGNORE: lambda: _("Confirm: ignore"),
}


def confirm_many(
    request: HttpRequest, connection: StripeConnection, chosen: Selection, action: DecisionJob.Action
) -> HttpResponse:
    """Show how many, what is at stake and a sample, and ask one reason; on a POST start the job.

    When the filter finds others by now the page comes back, and nothing is decided.
    """
    if connection.state == ConnectionState.DISCONNECTED:
        notices.problem(request, IntegrationError("decision_refused", _("Stripe is disconnected.")))
        return redirect(chosen.back)
    form = ReasonForm(request.POST or None)
    token = fingerprint(chosen.ids)
    is_changed = False
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["seen"] == token:
            job = jobs.start(
                connection,
                action=action,
                stripe_ids=chosen.ids,
                reason=form.cleaned_data["reason"],
                actor=person(request),
            )
            return redirect("stripe:job", connection.mode, job.pk)
        is_changed = True
    context = {
        "title": TITLES[action]() % {"number": wording.number(len(chosen.ids))},
        "button": BUTTONS[action](),
        "form": form,
        "seen": token,
        "is_changed": is_changed,
        "sample": present_sample(connection, chosen.ids, action),
        "back": chosen.back,
    }
    response = render_page(request, "stripe/decide_many.html", connection, context, here=_("Confirm"))
    if is_changed:
        response.status_code = HTTPStatus.CONFLICT
    return response


def fingerprint(stripe_ids: list[str]) -> str:
    """Who was chosen, as a form carries it."""
    return sha256("\n".join(sorted(stripe_ids)).encode()).hexdigest()


@admin_page(DECIDE)
@require_GET
def job(request: HttpRequest, mode: str, job_id: int) -> HttpResponse:
    """How far a job is; htmx asks for the card alone until it has ended."""
    connection = connections.get(mode)
    rows = DecisionJob.objects.select_related("decision__actor", "decision__undone_by")
    shown = present_job(get_object_or_404(rows, pk=job_id, connection=connection))
    context = {"connection": connection, "job": shown, "may_decide": True}
    if request.htmx:  # type: ignore[attr-defined]  # set by HtmxMiddleware
        return render(request, "stripe/includes/job.html", context)
    return render_page(request, "stripe/job.html", connection, context, here=_("Progress"))

"""Confirming a decision about more Stripe customers than a page holds: what it is about, one reason, one job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from integrations.errors import IntegrationError
from integrations.models import DecisionJob, StripeConnection
from integrations.stripe.pages.forms import ReasonForm
from integrations.stripe.pages.presenters.page import render_page, trail
from integrations.stripe.pages.views.confirming import ABOVE, refused


@dataclass(frozen=True, slots=True)
class Many:
    """What is about to be decided about ``stripe_ids``; ``start`` writes the decision and its job.

    ``facts`` say what happens, ``samples`` name some of whom or what it happens to, under ``samples_title``.
    """

    title: str
    lede: str
    button: str
    placeholder: str
    stripe_ids: Sequence[str]
    facts: Sequence[str]
    start: Callable[[str], DecisionJob]
    above: str
    back: str = ""
    samples_title: str = ""
    samples: Sequence[tuple[str, str]] = field(default_factory=list)

    @property
    def token(self) -> str:
        """Whom it is about, as the form carries it."""
        return sha256("\n".join(sorted(self.stripe_ids)).encode()).hexdigest()


def confirm_many(request: HttpRequest, connection: StripeConnection, proposal: Many) -> HttpResponse:
    """Say what happens and ask for a reason; on a POST start the job and show its progress.

    When the filter finds others by then, the page comes back with what it finds now, and nothing is decided.
    """
    form = ReasonForm(request.POST or None)
    form.fields["reason"].widget.attrs["placeholder"] = proposal.placeholder
    changed = False
    if request.method == "POST" and form.is_valid():
        changed = form.cleaned_data["seen"] != proposal.token
        if not changed:
            try:
                job = proposal.start(form.cleaned_data["reason"])
            except IntegrationError as error:
                return refused(request, connection, error, above=proposal.above)
            return redirect("stripe:decision_job", connection.mode, job.pk)
    above = reverse(proposal.above, args=[connection.mode])
    context = {
        "proposal": proposal,
        "form": form,
        "changed": changed,
        "back": proposal.back or above,
        "trail": [*trail(connection, _("Confirm"))[:-1], (str(ABOVE[proposal.above]), above), (_("Confirm"), "")],
    }
    response = render_page(request, "stripe/decide_many.html", connection, context)
    if changed:
        response.status_code = HTTPStatus.CONFLICT
    return response

"""The one page that confirms a decision: its effect on the headers, one reason, and what changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.errors import IntegrationError
from integrations.models import StripeConnection
from integrations.stripe.pages import notices
from integrations.stripe.pages.forms import NewCustomerForm, ReasonForm
from integrations.stripe.pages.presenters.effects import headline, present_effects, what_changed
from integrations.stripe.pages.presenters.page import render_page, trail
from integrations.stripe.sync import derive
from integrations.stripe.sync.decision_rows import Decided
from integrations.stripe.sync.effects import Effects, effects
from integrations.stripe.sync.scene import ChangedError, Difference, Scene, look

PREVIEW = "Preview"
"""The reason of the decision that is taken and rolled back to see its effect."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is about to be decided. ``act`` decides; ``about`` names its scene as :func:`look` takes it.

    ``above`` is the list it comes from, where a refusal leads back to.
    """

    title: str
    lede: str
    button: str
    placeholder: str
    act: Callable[[str, Scene | None], list[Decided]]
    about: Mapping[str, Any]
    notes: Sequence[str]
    back: str = ""
    new_customer: NewCustomerForm | None = None
    again: Mapping[str, Sequence[str]] = field(default_factory=dict)
    above: str = "stripe:ambiguous"


ABOVE = {
    "stripe:ambiguous": gettext_lazy("Ambiguous matches"),
    "stripe:unmatched": gettext_lazy("Unmatched"),
    "stripe:skipped": gettext_lazy("Skipped"),
}
"""The lists that decisions come from, by the view."""


def confirm(
    request: HttpRequest, connection: StripeConnection, proposal: Proposal, *, done: Callable[[], HttpResponse]
) -> HttpResponse:
    """Show the effect and ask for a reason; on a POST decide and go where ``done`` leads.

    What changed meanwhile, or a refusal of the name or the domain, brings the page back with nothing decided.
    """
    form = ReasonForm(request.POST or None)
    form.fields["reason"].widget.attrs["placeholder"] = proposal.placeholder
    difference: Difference | None = None
    new_customer_is_valid = proposal.new_customer is None or proposal.new_customer.is_valid()
    if request.method == "POST" and form.is_valid() and new_customer_is_valid:
        try:
            proposal.act(form.cleaned_data["reason"], Scene.parse(form.cleaned_data["seen"]))
        except ChangedError as error:
            difference = error.difference
        except IntegrationError as error:
            return refused(request, connection, error, above=proposal.above)
        except ValidationError as error:
            blame(proposal, error)
        else:
            return done()
    try:
        scene, found = look_ahead(connection, proposal)
    except IntegrationError as error:
        return refused(request, connection, error, difference, above=proposal.above)
    return _render(request, connection, proposal, form, scene, found, difference)


def look_ahead(connection: StripeConnection, proposal: Proposal) -> tuple[Scene, Effects | None]:
    """The scene and the effect of the decision on it, in one transaction; no effect while the new customer cannot be.

    Raises IntegrationError when it cannot be decided at all.
    """
    with derive.lock(connection):
        scene = look(connection, **proposal.about)
        if proposal.new_customer is not None and not proposal.new_customer.is_valid():
            return scene, None
        try:
            return scene, effects(connection, lambda: proposal.act(PREVIEW, None))
        except ValidationError as error:
            blame(proposal, error)
            return scene, None


def _render(
    request: HttpRequest,
    connection: StripeConnection,
    proposal: Proposal,
    form: ReasonForm,
    scene: Scene,
    found: Effects | None,
    difference: Difference | None,
) -> HttpResponse:
    preview = present_effects(found) if found else None
    above = reverse(proposal.above, args=[connection.mode])
    context = {
        "proposal": proposal,
        "form": form,
        "seen": scene.token,
        "preview": preview,
        "headline": headline(preview) if preview else "",
        "changed": what_changed(connection, difference) if difference else [],
        "is_changed": difference is not None,
        "back": proposal.back or above,
        "trail": [*trail(connection, _("Confirm"))[:-1], (str(ABOVE[proposal.above]), above), (_("Confirm"), "")],
    }
    response = render_page(request, "stripe/decide.html", connection, context)
    if difference is not None:
        response.status_code = HTTPStatus.CONFLICT
    return response


def blame(proposal: Proposal, error: ValidationError) -> None:
    """Put what the customer says about its name or domain on the form that asked for them."""
    form = proposal.new_customer
    if form is None:
        raise error
    known = error.message_dict if hasattr(error, "error_dict") else {"name": error.messages}
    for name, sentences in known.items():
        for sentence in sentences:
            if sentence not in form.errors.get(name, []):
                form.add_error(name if name in form.fields else None, sentence)


def refused(
    request: HttpRequest,
    connection: StripeConnection,
    error: IntegrationError,
    difference: Difference | None = None,
    *,
    above: str,
) -> HttpResponse:
    """Say on the list why it cannot be decided, or what changed meanwhile so that nothing is left to decide."""
    if difference is not None:
        error = IntegrationError("group_changed", " ".join(what_changed(connection, difference)))
    notices.problem(request, error)
    return redirect(above, connection.mode)

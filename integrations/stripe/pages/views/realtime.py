"""The signing secrets of an account's own webhook endpoint."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from integrations.errors import IntegrationError
from integrations.permissions import CONNECT
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.forms import SecretForm
from integrations.stripe.sync import connections, endpoint


@sensitive_post_parameters("secret")
@admin_page(CONNECT)
@require_POST
def secret_add(request: HttpRequest, mode: str) -> HttpResponse:
    """Accept a signing secret, beside the one there is."""
    form = SecretForm(request.POST)
    try:
        if not form.is_valid():
            raise IntegrationError("signature_invalid", _("No signing secret was given."))
        endpoint.add_secret(connections.get(mode), form.cleaned_data["secret"], actor=person(request))
    except IntegrationError as error:
        notices.problem(request, error)
    else:
        messages.success(request, _("The signing secret is stored; it is never shown again."))
    return card(mode)


@admin_page(CONNECT)
@require_POST
def rotation_finish(request: HttpRequest, mode: str) -> HttpResponse:
    """Accept the new secret alone from now on."""
    if endpoint.finish_rotation(connections.get(mode), actor=person(request)):
        messages.success(request, _("Only the new signing secret is accepted now."))
    return card(mode)


@admin_page(CONNECT)
@require_POST
def secrets_forget(request: HttpRequest, mode: str) -> HttpResponse:
    """Accept nothing at the account's own endpoint any more; polling and the nightly run remain."""
    endpoint.forget_secrets(connections.get(mode), actor=person(request))
    messages.success(request, _("The signing secrets are deleted. Changes arrive by polling."))
    return card(mode)


def card(mode: str) -> HttpResponse:
    """Back to the card."""
    return redirect(f"{reverse('stripe:integration', args=[mode])}#realtime")

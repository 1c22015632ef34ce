"""Connecting: Stripe's consent screen and back, or a restricted key."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from integrations.errors import IntegrationError
from integrations.permissions import CONNECT
from integrations.stripe.api import oauth
from integrations.stripe.api.presets import preset_for
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.addresses import redirect_address
from integrations.stripe.pages.forms import KeyForm
from integrations.stripe.pages.modes import wire_mode
from integrations.stripe.pages.oauth_state import open_consent, take_consent
from integrations.stripe.pages.presenters.overview import render_overview
from integrations.stripe.sync import connections, probing

ERROR_NAME = re.compile(r"[a-z_]{1,60}")


@admin_page(CONNECT)
@require_POST
def connect(request: HttpRequest, mode: str) -> HttpResponse:
    """Send the admin to Stripe's consent screen."""
    if preset_for(wire_mode(mode)) is None:
        notices.problem(request, IntegrationError("not_configured"))
        return redirect("stripe:integration", mode)
    return redirect(oauth.authorize_url(wire_mode(mode), open_consent(request, mode), redirect_address(request)))


@admin_page(CONNECT)
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Take Stripe's answer. Whatever is wrong with it has its own message, and then nothing is stored.

    The state is used up before anything else; the code is exchanged once and never again.
    """
    mode = ""
    try:
        mode = take_consent(request, request.GET.get("state", "")).mode
        code = _code(request)
        connection = connections.connect_by_code(
            mode, code=code, redirect_uri=redirect_address(request), actor=person(request)
        )
    except IntegrationError as error:
        notices.problem(request, error)
        return redirect("stripe:integration", mode) if mode else redirect("stripe:integration")
    notices.connected(request, connection)
    return redirect("stripe:integration", mode)


def _code(request: HttpRequest) -> str:
    """The authorization code of the answer; raises IntegrationError when it holds a refusal instead."""
    refusal = request.GET.get("error", "")
    if refusal:
        known = refusal if ERROR_NAME.fullmatch(refusal) and refusal != "access_denied" else ""
        raise IntegrationError("consent_denied", f"Stripe says: {known}." if known else "")
    code = request.GET.get("code", "")
    if not code:
        raise IntegrationError("consent_denied", "Stripe sent no authorization code.")
    return code


@sensitive_post_parameters("key")
@admin_page(CONNECT)
@require_POST
def connect_key(request: HttpRequest, mode: str) -> HttpResponse:
    """Connect with a pasted restricted key; the key itself is never shown again."""
    form = KeyForm(request.POST, mode=mode)
    if form.is_valid():
        try:
            connection = connections.connect_by_key(
                mode, key=form.cleaned_data["key"], account_id=form.cleaned_data["account_id"], actor=person(request)
            )
        except IntegrationError as error:
            form.add_error("key", notices.told(error))
        else:
            notices.connected(request, connection)
            return redirect("stripe:integration", mode)
    return render_overview(request, mode, key_form=form)


@admin_page(CONNECT)
@require_POST
def recheck(request: HttpRequest, mode: str) -> HttpResponse:
    """Ask Stripe again which permissions are granted, after somebody added one there."""
    try:
        probing.recheck_permissions(connections.get(mode))
    except IntegrationError as error:
        notices.problem(request, error)
    return redirect(f"{reverse('stripe:integration', args=[mode])}#permissions")

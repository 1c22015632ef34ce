"""Addresses other systems have to know."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse


def redirect_address(request: HttpRequest) -> str:
    """Where Stripe sends people back to after its consent screen; it has to be allowed in the Stripe App."""
    return absolute(request, reverse("stripe:callback"))


def endpoint_address(request: HttpRequest, mode: str) -> str:
    """Where an account's own webhook endpoint sends events to."""
    return absolute(request, reverse("stripe:account_webhook", args=[mode]))


def absolute(request: HttpRequest, path: str) -> str:
    """An address as others reach it: by PUBLIC_BASE_URL, else by the name this request came to."""
    if settings.PUBLIC_BASE_URL:
        return f"{settings.PUBLIC_BASE_URL.rstrip('/')}{path}"
    return request.build_absolute_uri(path)

"""Addresses other systems have to know."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse


def redirect_address(request: HttpRequest) -> str:
    """Where Stripe sends people back to after its consent screen; it has to be allowed in the Stripe App."""
    path = reverse("stripe:callback")
    if settings.PUBLIC_BASE_URL:
        return f"{settings.PUBLIC_BASE_URL.rstrip('/')}{path}"
    return request.build_absolute_uri(path)

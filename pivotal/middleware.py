"""What every answer has, an id and the word not to keep it; and a short way in for deliveries."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from integrations import context
from pivotal.addresses import client_address
from pivotal.logging import KNOWN_AS

HEADER = "X-Request-ID"
DELIVERIES = "/stripe/webhooks/"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{8,36}")


class RequestContextMiddleware:
    """Outermost of ours, so that everything a request causes can be found by its id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the id in X-Request-ID."""
        request_id = _request_id(request)
        request.META[KNOWN_AS] = request_id  # Django logs some answers when this middleware has been left
        with context.working_on(request=request_id, address=client_address(request)):
            response = self._get_response(request)
        response.headers[HEADER] = request_id
        return response


class NotKeptMiddleware:
    """Pages hold billing data: no browser and no proxy keeps one, unless its view says otherwise."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with `Cache-Control: private, no-store`."""
        response = self._get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


def _request_id(request: HttpRequest) -> str:
    """The proxy's id when there is a proxy of ours and it gave one, else a new one: a visitor's proves nothing."""
    given = request.headers.get(HEADER, "") if settings.BEHIND_PROXY else ""
    return given if _GIVEN.fullmatch(given) else str(uuid.uuid4())


class DeliveriesMiddleware:
    """Hands machine-to-machine deliveries to their view past everything that serves people.

    Hundreds come a second, and sessions, messages, login and page policies mean nothing to them. Stands behind what
    every answer needs: the request's id and the redirect to TLS.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a delivery here; anything else goes on inwards."""
        if not request.path_info.startswith(DELIVERIES):
            return self._get_response(request)
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return self._get_response(request)
        request.get_host()  # raises for a host that is not ours, as the pages' middleware does
        request.resolver_match = match
        return match.func(request, *match.args, **match.kwargs)

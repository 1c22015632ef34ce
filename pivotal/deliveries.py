"""A short way in for what machines deliver."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from pivotal.database_away import UNREACHABLE, database_away

DELIVERIES = "/stripe/webhooks/"


class DeliveriesMiddleware:
    """Hands machine-to-machine deliveries to their view past everything that serves people.

    Hundreds come a second, and sessions, messages, login and page policies mean nothing to them. Stands behind what
    every answer needs: the request's id and the redirect to TLS.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a delivery here; anything else goes on inwards, a GET of the same address too."""
        if request.method != "POST" or not request.path_info.startswith(DELIVERIES):
            return self._get_response(request)
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return self._get_response(request)
        request.get_host()  # raises for a host that is not ours, as the pages' middleware does
        request.resolver_match = match
        try:
            answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        except UNREACHABLE as error:
            answer = database_away(request, error)
        return answer

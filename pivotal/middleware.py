"""What every request has: an id that log lines and the answer carry, and an answer while the database is away."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from integrations import context
from pivotal import views
from pivotal.addresses import client_address
from pivotal.logging import KNOWN_AS

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
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


class DatabaseAwayMiddleware:
    """Answers 503 while the database cannot be asked: a page says so, and Stripe delivers again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Nothing by itself; errors of views come to ``process_exception``."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The answer for what a view, or its template, could not read or write; None for any other error."""
        if not isinstance(exception, (OperationalError, InterfaceError)):
            return None
        logger.error("The database could not be asked", exc_info=exception)
        return views.database_away(request)


def _request_id(request: HttpRequest) -> str:
    """The proxy's id when there is a proxy of ours and it gave one, else a new one: a visitor's proves nothing."""
    given = request.headers.get(HEADER, "") if settings.BEHIND_PROXY else ""
    return given if _GIVEN.fullmatch(given) else str(uuid.uuid4())

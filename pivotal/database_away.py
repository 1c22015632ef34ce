"""What a request is answered while the database is away."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from pivotal import views

logger = logging.getLogger(__name__)

UNREACHABLE = (OperationalError, InterfaceError)


def database_away(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer to a request whose view, or its template, could not read or write."""
    logger.error("The database could not be asked", exc_info=error)
    return views.database_away(request)


class DatabaseAwayMiddleware:
    """Answers 503 while the database cannot be asked: a page says so, and Stripe delivers again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Nothing by itself; errors of views come to ``process_exception``."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """None for any other error."""
        return database_away(request, exception) if isinstance(exception, UNREACHABLE) else None

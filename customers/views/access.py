"""Who may open which page: asked once here, by every view."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from customers.models import Customer
from customers.permissions import Needed, declare, visible_customers

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def needs(permission: str) -> Callable[[View[P]], View[P]]:
    """Let only signed-in people with ``permission`` in: others log in first, or get 403."""

    def decorate(view: View[P]) -> View[P]:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        declare(guarded, Needed(permission))
        return guarded

    return decorate


def person(request: HttpRequest) -> User:
    """The signed-in person of a guarded view."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def open_customer(request: HttpRequest, customer_id: int | str, *related: str) -> Customer:
    """The customer, when this person may see it; 404 otherwise, so that numbers give nothing away."""
    found: Any = visible_customers(request.user).select_related("owner", *related).filter(pk=customer_id).first()
    if found is None:
        raise Http404
    return found

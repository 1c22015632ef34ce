"""Who may open a page of the integration: staff of the site *and* the permission, on every view.

``admin_view`` alone lets every staff user in; each page names the permission it needs beside it
(docs/architecture.md section 8). Somebody who is signed in and may not enter gets the 403 page, not another login.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_http_methods

from customers.permissions import Needed, declare

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def admin_page(permission: str) -> Callable[[View[P]], View[P]]:
    """Guard a view of Admin > Integrations > Stripe with the admin's own check and ``permission``."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def permitted(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.user.is_authenticated and not admin.site.has_permission(request):
                raise PermissionDenied
            return admin.site.admin_view(permitted)(request, *args, **kwargs)

        declare(guarded, Needed(permission, staff=True))
        return guarded

    return decorate


def by_method(**views: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """One address whose methods ask for different permissions: a view that hands over to the one of the method."""

    @require_http_methods(list(views))
    def chosen(request: HttpRequest, /, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return views[str(request.method)](request, *args, **kwargs)

    vars(chosen)["by_method"] = views
    return chosen


def person(request: HttpRequest) -> User:
    """The signed-in user behind a guarded view, for ``actor`` arguments."""
    assert isinstance(request.user, User)  # noqa: S101 (every caller stands behind a login check)
    return request.user


def may(request: HttpRequest, permission: str) -> bool:
    """Whether the person may enter Django admin and has the permission."""
    user = request.user
    return bool(user.is_active and getattr(user, "is_staff", False) and user.has_perm(permission))

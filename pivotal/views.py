"""Pages that belong to no app: the root, the style guide, the errors."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.template.loader import render_to_string

from pivotal import guides
from pivotal.styleguide import samples
from pivotal.version import version

COME_AGAIN_SECONDS = 30


def root(request: HttpRequest) -> HttpResponse:
    """The customer list is the front page."""
    return HttpResponseRedirect(resolve_url("customers:list"))


@login_required
def guide(request: HttpRequest, name: str) -> HttpResponse:
    """One guide of docs/; error codes link to its sections."""
    try:
        shown = guides.guide(name)
    except KeyError:
        raise Http404 from None
    others = [(guides.address(each), title) for each, title in guides.GUIDES.items() if each != name]
    return render(request, "guide.html", {"guide": shown, "title": guides.GUIDES[name], "others": others})


def style_guide(request: HttpRequest) -> HttpResponse:
    """Every component on one page; routed in DEBUG only."""
    return render(request, "styleguide.html", samples())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, in the product's look."""
    return render(request, "403.html", status=HTTPStatus.FORBIDDEN)


def form_too_old(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose token is not this session's; ``reason`` is for developers and stays in the log."""
    return render(request, "form_too_old.html", status=HTTPStatus.FORBIDDEN)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, in the product's look."""
    return render(request, "404.html", status=HTTPStatus.NOT_FOUND)


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: object) -> HttpResponse:
    """429 for a login that failed too often; called by django-axes, whose own answer to scripts allows any origin."""
    pause = {"minutes": settings.AXES_COOLOFF_TIME.seconds // 60}
    return render(request, "locked_out.html", pause, status=HTTPStatus.TOO_MANY_REQUESTS)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, for whatever nobody foresaw."""
    return _without_database(request, "500.html", HTTPStatus.INTERNAL_SERVER_ERROR)


def database_away(request: HttpRequest) -> HttpResponse:
    """503 with when to come again."""
    response = _without_database(request, "503.html", HTTPStatus.SERVICE_UNAVAILABLE)
    response.headers["Retry-After"] = str(COME_AGAIN_SECONDS)
    return response


def _without_database(request: HttpRequest, template: str, status: HTTPStatus) -> HttpResponse:
    """An error page, without context processors: they ask the database, which may be what failed."""
    context = {"support_email": settings.SUPPORT_EMAIL, "product_version": version(), "request": request}
    return HttpResponse(render_to_string(template, context), status=status)

"""The product's addresses, the style guide as in DEBUG, and a page that fails."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from pivotal import urls, views


def broken(request: HttpRequest) -> HttpResponse:
    """Fail, as any page might."""
    raise RuntimeError("made to fail")


handler403, handler404, handler500 = urls.handler403, urls.handler404, urls.handler500
urlpatterns = [
    path("broken", broken),
    path("styleguide/", views.style_guide),
    *urls.urlpatterns,
]

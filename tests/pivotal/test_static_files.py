"""Static files in production: compressed once, named by their content, kept by browsers for good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpResponse
from django.test import RequestFactory
from whitenoise.middleware import WhiteNoiseMiddleware

STYLE = "pivotal/components.css"


@pytest.fixture
def served(settings: Any, tmp_path: Path) -> WhiteNoiseMiddleware:
    """What answers for static files where DEBUG is off and `collectstatic` was run."""
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = False
    production = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": production}}
    call_command("collectstatic", interactive=False, verbosity=0)
    return WhiteNoiseMiddleware(lambda _request: HttpResponse(status=404))


def asked(served: WhiteNoiseMiddleware, address: str, **headers: str) -> tuple[int, Any]:
    """The status and the headers that a request gets."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    response: Any = served(RequestFactory().get(address, headers=names))
    request_finished.disconnect(close_old_connections)  # as Django's own test client does
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)
    return response.status_code, response.headers


def test_a_style_sheet_comes_compressed_and_is_kept(served: WhiteNoiseMiddleware) -> None:
    address = staticfiles_storage.url(STYLE)
    _status, plain = asked(served, address)
    _status, packed = asked(served, address, accept_encoding="gzip")

    assert address != f"/static/{STYLE}"  # its content is in the name
    assert packed["Content-Encoding"] == "gzip"
    assert int(packed["Content-Length"]) < int(plain["Content-Length"]) / 2
    assert packed["Cache-Control"] == "max-age=315360000, public, immutable"
    assert packed["Vary"] == "Accept-Encoding"


def test_a_file_under_its_plain_name_is_asked_for_again(served: WhiteNoiseMiddleware) -> None:
    address = f"/static/{STYLE}"
    _status, first = asked(served, address)
    assert "immutable" not in first["Cache-Control"]
    status, _headers = asked(served, address, if_modified_since=first["Last-Modified"])
    assert status == 304

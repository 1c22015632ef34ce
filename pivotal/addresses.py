"""Where a request comes from."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address of whoever asks; empty where there is none (a unix socket without a proxy that names it).

    Behind our proxy (BEHIND_PROXY) it is the last entry of X-Forwarded-For: the one the proxy itself added. What stands
    before it was sent by the visitor and proves nothing; without a proxy the whole header does.
    """
    if settings.BEHIND_PROXY:
        named = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if _is_address(named):
            return named
    direct = request.META.get("REMOTE_ADDR", "")
    return direct if _is_address(direct) else ""


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

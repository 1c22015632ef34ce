"""Which base addresses a key may be sent to."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def is_loopback(url: str) -> bool:
    """Whether ``url`` leads to this very machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_private(url: str, *, loopback: bool = True) -> str:
    """``url``, without a slash at its end. Raises ImproperlyConfigured unless it is https, or http on loopback.

    ``loopback`` tells whether plain http to this machine is good enough here.
    """
    if urlsplit(url).scheme == "https" or (loopback and urlsplit(url).scheme == "http" and is_loopback(url)):
        return url.rstrip("/")
    raise ImproperlyConfigured(f"{url} must be https: keys and tokens are sent to it.")

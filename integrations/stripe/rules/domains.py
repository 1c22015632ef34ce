"""From a Stripe customer's e-mail address to what it is matched by (docs/rules.md section 2)."""

from __future__ import annotations

from customers.domains import split_address


def email_domain(email: str | None) -> str | None:
    """Return the domain of an address in lower-case ASCII, or None when there is no usable one."""
    parts = _parts(email)
    return parts[1] if parts else None


def email_address(email: str | None) -> str | None:
    """Return the whole address, lower-cased with its domain in ASCII and its plus tag, or None when it is unusable."""
    parts = _parts(email)
    return f"{parts[0]}@{parts[1]}" if parts else None


def _parts(email: str | None) -> tuple[str, str] | None:
    try:
        return split_address(email or "")
    except ValueError:
        return None

"""What is recorded because somebody else announces it: sign-ins, exports, exchange rates, personal domains."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from integrations import audit
from integrations.models import AuditAction, ExchangeRate, RateSource


def on_exported(
    sender: Any, *, actor: AbstractBaseUser | None, subject: str, details: dict[str, Any], **kwargs: Any
) -> None:
    """Somebody took data out."""
    audit.record(AuditAction.EXPORT, actor=actor, subject=subject, details=details)


def on_signed_in(sender: Any, *, user: AbstractBaseUser, **kwargs: Any) -> None:
    """Somebody signed in."""
    audit.record(AuditAction.SIGNED_IN, actor=user)


def on_rate_changed(sender: Any, *, instance: ExchangeRate, created: bool | None = None, **kwargs: Any) -> None:
    """Somebody entered, changed or deleted a rate; those of the ECB come by themselves."""
    if instance.source != RateSource.ADMIN:
        return
    what = "deleted" if created is None else "added" if created else "changed"
    audit.record(
        AuditAction.RATE,
        actor=instance.entered_by,
        subject=f"{instance.currency} {instance.date}",
        details={"what": what, "usd_per_unit": str(instance.usd_per_unit)},
    )


def on_personal_domains_changed(
    sender: Any, *, actor: AbstractBaseUser | None, domains: dict[str, tuple[str, str]], **kwargs: Any
) -> None:
    """The list of personal domains has other entries; inside the transaction that changed it."""
    for domain, (before, after) in domains.items():
        details = {"before": before, "after": after}
        audit.record(AuditAction.PERSONAL_DOMAIN, actor=actor, subject=domain, details=details)

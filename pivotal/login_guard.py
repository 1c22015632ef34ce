"""Pauses logins that fail too often (docs/security.md): django-axes counts, this decides what is too often."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username, get_failure_limit
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone

from integrations import audit
from integrations.models import AuditAction, AuditEntry

KNOWN_FOR = timedelta(days=30)


class LoginGuard(AxesDatabaseHandler):
    """Three limits: a name from one address, an address with many names, and a name from many addresses.

    The two wide ones would let anybody lock anybody out. So they do not count where the name has signed in from that
    very address lately: there only the narrow one does.
    """

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """What axes compares to its limit: failures of name and address; its limit once a wide one is over."""
        narrow = int(super().get_failures(request, credentials))
        if self._is_over_a_wide_limit(request, get_client_username(request, credentials) or ""):
            return max(narrow, get_failure_limit(request, credentials))
        return narrow

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        """Count and record it; what comes during a pause is neither, so that nobody can fill the audit log."""
        if request is None or getattr(request, "axes_locked_out", False):
            super().user_login_failed(sender, credentials, request, **kwargs)
            return
        with transaction.atomic():
            super().user_login_failed(sender, credentials, request, **kwargs)
            name = get_client_username(request, credentials) or ""
            # What is nobody's name may be a password in the wrong field: it is not kept.
            known = get_user_model().objects.filter(username=name).exists()
            audit.record(AuditAction.LOGIN_FAILED, actor=None, subject=name if known else "")
            if request.axes_locked_out:  # type: ignore[attr-defined]
                audit.record(AuditAction.LOCKED_OUT, actor=None, subject=name if known else "")

    def _is_over_a_wide_limit(self, request: HttpRequest, name: str) -> bool:
        address = request.axes_ip_address  # type: ignore[attr-defined]
        recent = AccessAttempt.objects.filter(attempt_time__gte=get_cool_off_threshold(request))
        over = (
            _sum(recent.filter(ip_address=address)) >= settings.LOGIN_FAILURES_OF_AN_ADDRESS
            or _sum(recent.filter(username=name)) >= settings.LOGIN_FAILURES_OF_A_NAME
        )
        return over and not _has_signed_in(name, address)


def _sum(attempts: Any) -> int:
    return int(attempts.aggregate(total=Sum("failures_since_start"))["total"] or 0)


def _has_signed_in(name: str, address: str | None) -> bool:
    """Whether this name signed in from this address lately."""
    if not address:
        return False
    return AuditEntry.objects.filter(
        action=AuditAction.SIGNED_IN, actor_name=name, address=address, at__gte=timezone.now() - KNOWN_FOR
    ).exists()

"""The audit log: who did what that an operator may have to answer for; append-only, which the database enforces."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class AuditAction(models.TextChoices):
    """What was done."""

    CONNECTED = "connected", _("Connected Stripe")
    DISCONNECTED = "disconnected", _("Disconnected Stripe")
    SCOPE = "scope", _("Changed the scope")
    OPTIONS = "options", _("Switched an option")
    SECRET = "secret", _("Changed a signing secret")
    KEYS_ROTATED = "keys_rotated", _("Rotated the encryption keys")
    RATE = "rate", _("Changed an exchange rate")
    DECISION = "decision", _("Decided a match")
    EXPORT = "export", _("Exported data")
    BILLING_CLEARED = "billing_cleared", _("Cleared billing data")
    MIRROR_DELETED = "mirror_deleted", _("Deleted the mirror")
    CUSTOMER_FORGOTTEN = "customer_forgotten", _("Deleted a customer's data")
    SIGNED_IN = "signed_in", _("Signed in")
    LOGIN_FAILED = "login_failed", _("Failed to sign in")
    LOCKED_OUT = "locked_out", _("Locked out after failed logins")
    PEOPLE = "people", _("Changed people or groups")
    PERSONAL_DOMAIN = "personal_domain", _("Changed a personal domain")


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete an entry of the audit log; nothing was done."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Entries are added and read."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Always raises AppendOnlyError."""
        raise AppendOnlyError("The audit log is append-only.")

    def delete(self) -> NoReturn:
        """Always raises AppendOnlyError."""
        raise AppendOnlyError("The audit log is append-only.")


class AuditEntry(models.Model):
    """One deed. A trigger refuses every UPDATE and DELETE, so nothing here may point to rows that come and go.

    ``actor_id`` and ``actor_name`` say who, as they were; both empty means an operator's command or the product itself.
    ``mode`` is the connection's, ``subject`` what it was done to, ``details`` what changed, without secrets and without
    anything Stripe said about a person. ``request_id`` finds the log lines, ``address`` where the request came from.
    """

    at = models.DateTimeField(_("at"), db_default=Now())
    actor_id = models.BigIntegerField(null=True, blank=True)
    actor_name = models.CharField(_("who"), max_length=150, blank=True, default="")
    action = models.CharField(_("what"), max_length=20, choices=AuditAction)
    mode = models.CharField(_("mode"), max_length=4, blank=True, default="")
    subject = models.CharField(_("of what"), max_length=255, blank=True, default="")
    details = models.JSONField(_("details"), default=dict, blank=True)
    request_id = models.CharField(max_length=36, blank=True, default="")
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["-at"], name="audit_at"),
            models.Index(fields=["action", "-id"], name="audit_action"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or 'operator'} {self.action} {self.subject}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add; raises AppendOnlyError for an entry that exists."""
        if not self._state.adding:
            raise AppendOnlyError("The audit log is append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Always raises AppendOnlyError."""
        raise AppendOnlyError("The audit log is append-only.")

"""Attempts beside runs: polls, drains of the inbox, single refreshes, refused webhooks; what the log lists."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class AttemptKind(models.TextChoices):
    """What was attempted."""

    POLL = "poll", _("Events poll")
    INBOX = "inbox", _("Changes from Stripe")
    REFRESH = "refresh", _("Resync")
    WEBHOOK = "webhook", _("Webhook refused")


class AttemptState(models.TextChoices):
    """How it ended; partial when some of it has to be tried again."""

    SUCCEEDED = "succeeded", _("Succeeded")
    PARTIAL = "partial", _("Partial")
    FAILED = "failed", _("Failed")


class Attempt(models.Model):
    """One attempt that was no run, written when it has ended.

    ``events`` it dealt with, ``customers`` it refreshed, ``changed`` Pivotal customers whose fields moved.
    ``answer`` is what Stripe said, without secrets.
    """

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="attempts")
    kind = models.CharField(max_length=8, choices=AttemptKind)
    state = models.CharField(max_length=9, choices=AttemptState)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    api_requests = models.PositiveIntegerField(default=0)
    events = models.PositiveIntegerField(default=0)
    customers = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    stripe_customer_id = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    error_code = models.CharField(max_length=30, blank=True, default="")
    error_detail = models.TextField(blank=True, default="")
    answer = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-started_at", "-id"]
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        indexes = [models.Index(fields=["connection", "-started_at", "-id"], name="attempt_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"

"""Notices to admins: what was already said by e-mail, so that nobody hears it twice."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class NoticeKind(models.TextChoices):
    """What admins are told."""

    REAUTHORIZE = "reauthorize", _("Reauthorize needed")
    NIGHTLY_FAILED = "nightly_failed", _("Nightly run failed")
    DRIFT = "drift", _("Drift found")


class Notice(models.Model):
    """One notice: a banner until it is over or dismissed, and one e-mail; ``about`` makes it said once."""

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=14, choices=NoticeKind)
    about = models.CharField(max_length=100)
    detail = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    mailed_at = models.DateTimeField(null=True, blank=True)
    over_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [models.UniqueConstraint(fields=["connection", "kind", "about"], name="notice_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.about}"

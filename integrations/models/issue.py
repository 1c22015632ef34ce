"""Sync issues: one record each that needs attention."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Severity(models.TextChoices):
    """An error was not read, decoded or stored; a warning is mirrored, but a figure is incomplete."""

    ERROR = "error", _("Error")
    WARNING = "warning", _("Warning")


class IssueState(models.TextChoices):
    """Open until a later look finds nothing wrong."""

    OPEN = "open", _("Open")
    RETRIED = "retried", _("Retried")
    RESOLVED = "resolved", _("Resolved")


class SyncIssue(models.Model):
    """What is wrong with one record, by a code of ``integrations.errors.ERRORS``.

    ``answer`` is what Stripe said, without secrets; for an object that could not be decoded it is the path and the type
    of the field, never the object. ``stripe_customer_id`` is empty when not even that could be read.
    """

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="issues")
    run = models.ForeignKey(
        "integrations.SyncRun", null=True, blank=True, on_delete=models.SET_NULL, related_name="issues"
    )
    code = models.CharField(max_length=30)
    severity = models.CharField(max_length=7, choices=Severity)
    state = models.CharField(max_length=8, choices=IssueState, default=IssueState.OPEN)
    object_type = models.CharField(max_length=30)
    object_id = models.CharField(max_length=255, db_collation="C")
    stripe_customer_id = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    detail = models.TextField(blank=True, default="")
    answer = models.TextField(blank=True, default="")
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-last_seen_at", "-id"]
        verbose_name = _("sync issue")
        verbose_name_plural = _("sync issues")
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "code", "object_id"],
                condition=models.Q(state=IssueState.OPEN),
                name="one_open_issue_per_record_and_code",
            )
        ]
        indexes = [
            models.Index(fields=["connection", "stripe_customer_id"], name="issue_of_stripe_customer"),
            models.Index(fields=["run"], name="issue_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.object_id}"

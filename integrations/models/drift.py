"""Drift: what a nightly walk found different from what we had, although nobody told us."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class DriftKind(models.TextChoices):
    """In which way the mirror was wrong."""

    MISSING = "missing", _("Missing here")
    EXTRA = "extra", _("No longer in Stripe")
    DIFFERENT = "different", _("Different")


class DriftReport(models.Model):
    """One night's report; ``has_events`` False means that changes could not be told from drift.

    Then the page calls it "changes found" (docs/architecture.md section 4 "Incremental"). ``concluded_at`` is empty
    while the run is under way or what it found is still to be compared with what was told. ``different`` counts
    customers.
    """

    connection = models.ForeignKey(
        "integrations.StripeConnection", on_delete=models.CASCADE, related_name="drift_reports"
    )
    run = models.OneToOneField(
        "integrations.SyncRun", null=True, on_delete=models.SET_NULL, related_name="drift_report"
    )
    created_at = models.DateTimeField(db_default=Now())
    concluded_at = models.DateTimeField(null=True, blank=True)
    has_events = models.BooleanField(default=True)
    checked = models.PositiveIntegerField(default=0, help_text=_("Subscriptions that were compared."))
    missing = models.PositiveIntegerField(default=0)
    extra = models.PositiveIntegerField(default=0)
    different = models.PositiveIntegerField(default=0)
    by_field = models.JSONField(default=dict, help_text=_("How many customers differ, by billing field."))

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = _("drift report")
        verbose_name_plural = _("drift reports")

    def __str__(self) -> str:
        return f"drift report {self.pk}"

    @property
    def total(self) -> int:
        """Everything that was different."""
        return self.missing + self.extra + self.different


class DriftEntry(models.Model):
    """One difference of a report: an object of Stripe's, or a billing field of a customer from old to new."""

    report = models.ForeignKey(DriftReport, on_delete=models.CASCADE, related_name="entries")
    kind = models.CharField(max_length=9, choices=DriftKind)
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    stripe_customer_id = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    object_id = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    field = models.CharField(max_length=40, blank=True, default="")
    old = models.TextField(blank=True, default="")
    new = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["id"]
        verbose_name = _("difference")
        verbose_name_plural = _("differences")

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id or self.field}"

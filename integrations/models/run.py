"""Sync runs: the row is the truth, whatever the queue loses, repeats or delays."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class RunKind(models.TextChoices):
    """Why the account is walked."""

    INITIAL = "initial", _("Initial")
    FULL = "full", _("Full")
    NIGHTLY = "nightly", _("Nightly")
    PREVIEW = "preview", _("Preview")


class RunState(models.TextChoices):
    """A run is as good as its worst part."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    PARTIAL = "partial", _("Partial")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


ACTIVE_STATES = (RunState.QUEUED, RunState.RUNNING)


class SyncRun(models.Model):
    """One walk of the account, from queued to finished.

    ``checkpoint`` is the phase and its lanes or cursor; ``lease_token`` fences every write: who lost the lease writes
    nothing more. ``claims`` counts claims since anything moved. ``read`` and ``expected`` are the progress bar.
    A preview fills the mirror and writes no customer.
    """

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=8, choices=RunKind)
    state = models.CharField(max_length=9, choices=RunState, default=RunState.QUEUED)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)

    phase = models.CharField(max_length=40, blank=True, default="")
    checkpoint = models.JSONField(default=dict, blank=True)
    checkpoint_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    claims = models.PositiveIntegerField(default=0)
    throttled_at = models.DateTimeField(null=True, blank=True)

    read = models.PositiveIntegerField(default=0)
    expected = models.PositiveIntegerField(default=0)
    api_requests = models.PositiveIntegerField(default=0)
    own_reads = models.PositiveIntegerField(default=0)
    subscriptions = models.PositiveIntegerField(default=0)
    stripe_customers = models.PositiveIntegerField(default=0)
    matched = models.PositiveIntegerField(default=0)
    unmatched = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    ambiguous = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    warnings = models.PositiveIntegerField(default=0)
    rows_written = models.PositiveIntegerField(default=0)

    error_code = models.CharField(max_length=30, blank=True, default="")
    error_detail = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
        verbose_name = _("sync run")
        verbose_name_plural = _("sync runs")
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=models.Q(state__in=ACTIVE_STATES), name="one_active_run_per_connection"
            )
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def is_active(self) -> bool:
        """Whether the run still has work to do."""
        return self.state in ACTIVE_STATES


class SeenId(models.Model):
    """An id a walk has met; a logged table, so that a crash cannot make a live object look ended."""

    class Kind(models.IntegerChoices):
        """What was met."""

        SUBSCRIPTION = 1
        OPEN_INVOICE = 2
        OPEN_PAYMENT = 3

    pk = models.CompositePrimaryKey("run_id", "kind", "stripe_id")
    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="+")
    kind = models.SmallIntegerField(choices=Kind)
    stripe_id = models.CharField(max_length=255, db_collation="C")

    def __str__(self) -> str:
        return self.stripe_id

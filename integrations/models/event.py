"""The inbox: Stripe's notifications, each only a hint that a customer changed."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class StripeEvent(models.Model):
    """One event, by webhook or by poll; done only after what it asks for succeeded.

    ``object_type`` and ``object_id`` name what it is about, ``stripe_customer_id`` whose it is; empty for a product or
    a price, which concern whoever has them. ``attempts`` failed so far; ``retry_at`` is the earliest next one.
    """

    class State(models.TextChoices):
        """How far the event has come."""

        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    class Source(models.TextChoices):
        """Which way it came; the first one counts."""

        WEBHOOK = "webhook", _("Webhook")
        POLL = "poll", _("Events poll")
        ASKED = "asked", _("Retry asked for here")

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="events")
    event_id = models.CharField(max_length=255, db_collation="C")
    type = models.CharField(max_length=100)
    source = models.CharField(max_length=8, choices=Source)
    object_type = models.CharField(max_length=40, blank=True, default="")
    object_id = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    stripe_customer_id = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    created = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    done_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=30, blank=True, default="")

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [models.UniqueConstraint(fields=["connection", "event_id"], name="event_once")]
        indexes = [
            models.Index(
                fields=["connection", "stripe_customer_id", "id"],
                condition=models.Q(state="waiting"),
                name="event_waiting",
            ),
            models.Index(fields=["connection", "received_at"], name="event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

"""The inbox: Stripe's notifications, each only a hint that a customer changed."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class StripeEvent(models.Model):
    """One event, by webhook or by poll; done only after the refresh it asks for succeeded."""

    class State(models.TextChoices):
        """How far the event has come."""

        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="events")
    event_id = models.CharField(max_length=255, db_collation="C")
    type = models.CharField(max_length=100)
    source = models.CharField(max_length=8)
    object_id = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    stripe_customer_id = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    created = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [models.UniqueConstraint(fields=["connection", "event_id"], name="event_once")]
        indexes = [
            models.Index(
                fields=["connection", "stripe_customer_id", "id"],
                condition=models.Q(state="waiting"),
                name="event_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

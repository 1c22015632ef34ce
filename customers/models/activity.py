"""Activity: what changed on a customer, from what to what, and who or what did it."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Activity(models.Model):
    """One entry of a customer's history; written once, never changed."""

    class ActorType(models.TextChoices):
        """A person, a provider, or the clock."""

        USER = "user", _("person")
        INTEGRATION = "integration", _("integration")
        CLOCK = "clock", _("clock")

    customer = models.ForeignKey("customers.Customer", on_delete=models.CASCADE, related_name="activities")
    at = models.DateTimeField(db_default=Now())
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    actor_type = models.CharField(max_length=11, choices=ActorType)
    event_type = models.CharField(max_length=40, default="customer.field_changed")
    field = models.CharField(max_length=40, blank=True, default="")
    old = models.TextField(blank=True, default="")
    new = models.TextField(blank=True, default="")
    origin = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        indexes = [
            models.Index(fields=["customer", "-at", "-id"], name="activity_of_customer"),
            # Who changed since: answered from the index alone.
            models.Index(fields=["at"], include=["customer", "field"], name="activity_since"),
        ]

    def __str__(self) -> str:
        return f"{self.field or self.event_type} {self.old} → {self.new}"

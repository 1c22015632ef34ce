"""MRR history: one point for each change, with its cause."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class MrrPoint(models.Model):
    """The MRR of a customer from ``at`` on, USD a month, and why it moved.

    Nothing before the first sync is guessed. Causes come from the difference of two receipts.
    """

    class Cause(models.TextChoices):
        """Why the figure moved."""

        FIRST_SYNC = "first_sync", _("First sync")
        SEATS = "seats", _("Seats")
        PRICE = "price", _("Price")
        DISCOUNT = "discount", _("Discount")
        ADDED = "added", _("Subscription added")
        ENDED = "ended", _("Subscription ended")
        EXCHANGE_RATE = "exchange_rate", _("Exchange rate")
        DECISION = "decision", _("Decision")
        OTHER = "other", _("Changed in Stripe")

    customer = models.ForeignKey("customers.Customer", on_delete=models.CASCADE, related_name="mrr_points")
    at = models.DateTimeField(db_default=Now())
    mrr = models.DecimalField(max_digits=18, decimal_places=2)
    cause = models.CharField(max_length=16, choices=Cause)

    class Meta:
        ordering = ["at", "id"]
        verbose_name = _("MRR point")
        verbose_name_plural = _("MRR points")
        indexes = [models.Index(fields=["customer", "at", "id"], name="mrr_point_of_customer")]

    def __str__(self) -> str:
        return f"{self.mrr} at {self.at}"

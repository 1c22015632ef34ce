"""Why a customer's billing fields say what they say."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class BillingSummary(models.Model):
    """What the roll-up found for one customer beside the five fields themselves.

    ``payment_reason`` is the deciding invoice and why, ``also_open`` what a newer invoice hides, ``incomplete`` the
    problem codes of what the MRR leaves out with how often;
    ``problems`` what the payment status could not judge, as ``code subject``. ``mrr_exact`` is the sum before rounding.
    ``computed_from`` says which versions of which rows a run computed this from (``sync.unmoved``), empty when unknown.
    """

    customer = models.OneToOneField(
        "customers.Customer", on_delete=models.CASCADE, related_name="billing_summary", primary_key=True
    )
    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="+")
    payment_reason = models.JSONField(default=dict)
    also_open = models.JSONField(null=True, blank=True)
    incomplete = models.JSONField(default=list)
    problems = ArrayField(models.CharField(max_length=300), default=list)
    mrr_exact = models.DecimalField(max_digits=30, decimal_places=12, default=Decimal(0))
    primary_subscription = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    live_subscriptions = models.PositiveIntegerField(default=0)
    computed_at = models.DateTimeField()
    computed_from = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    class Meta:
        verbose_name = _("billing summary")
        verbose_name_plural = _("billing summaries")

    def __str__(self) -> str:
        return f"billing of customer {self.pk}"

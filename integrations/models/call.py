"""The calls made to Stripe: the last ones as proof that nothing is written there, and how many a month."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ApiCall(models.Model):
    """One call: method, path with its parameters (they hold no secrets), status, and how long it took."""

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="calls")
    at = models.DateTimeField()
    method = models.CharField(max_length=6)
    path = models.TextField()
    status = models.PositiveSmallIntegerField(help_text=_("0: no answer came."))
    duration_ms = models.PositiveIntegerField()
    request_id = models.CharField(max_length=100, blank=True, default="")
    error_code = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = _("call to Stripe")
        verbose_name_plural = _("calls to Stripe")
        indexes = [models.Index(fields=["connection", "-at", "-id"], name="call_newest")]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"


class MonthlyReads(models.Model):
    """How many reads of Stripe a connection made in a calendar month (UTC), beside Stripe's allowance."""

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="reads")
    month = models.DateField(help_text=_("The first day of the month."))
    reads = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("reads of a month")
        verbose_name_plural = _("reads by month")
        constraints = [models.UniqueConstraint(fields=["connection", "month"], name="reads_once_a_month")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.reads}"

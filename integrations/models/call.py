"""The last calls made to Stripe: the proof that nothing is written there."""

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

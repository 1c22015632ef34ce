"""Scope filters: which subscriptions of the account are this workspace's business."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ScopeKind(models.TextChoices):
    """What a filter names."""

    PRODUCT = "product", _("Product")
    LOOKUP_KEY = "lookup_key", _("Lookup key")


class ScopeFilter(models.Model):
    """One product or lookup key in scope; a connection without any has all subscriptions in scope."""

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="scope")
    kind = models.CharField(max_length=10, choices=ScopeKind)
    value = models.CharField(max_length=255, db_collation="C")
    label = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        ordering = ["kind", "value"]
        constraints = [models.UniqueConstraint(fields=["connection", "kind", "value"], name="scope_filter_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"

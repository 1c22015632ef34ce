"""Figures kept because adding up a large mirror takes longer than a page may."""

from django.db import models


class KeptFigures(models.Model):
    """Figures of a connection by name, as they were when ``mark`` had the value ``taken_mark``.

    Whoever writes what is added up moves ``mark`` in the same transaction, so figures taken before that transaction was
    committed are recognised as old whenever they arrive.
    """

    connection = models.ForeignKey(
        "integrations.StripeConnection", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    name = models.CharField(max_length=20)
    mark = models.BigIntegerField(default=0)
    taken_mark = models.BigIntegerField(null=True)
    taken_at = models.DateTimeField(null=True)
    figures = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="kept_figures_key")]

    def __str__(self) -> str:
        return f"{self.name} of {self.connection_id}"

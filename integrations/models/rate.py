"""Exchange rates: the ECB's reference rates and what admins enter for other currencies."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class RateSource(models.TextChoices):
    """Where a rate comes from; an admin's wins."""

    ECB = "ecb", _("ECB reference rate")
    ADMIN = "admin", _("Entered by an admin")


class ExchangeRate(models.Model):
    """One currency's rate of one day.

    An ECB row holds ``units_per_euro``, so that the cross rate is computed and never rounded; an admin's row holds
    ``usd_per_unit``. Exactly one of the two is set (docs/rules.md section 4.11).
    """

    date = models.DateField(_("date"))
    currency = models.CharField(_("currency"), max_length=3, db_collation="C")
    source = models.CharField(max_length=5, choices=RateSource, default=RateSource.ADMIN)
    units_per_euro = models.DecimalField(
        max_digits=24, decimal_places=10, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    usd_per_unit = models.DecimalField(
        _("USD per unit"), max_digits=24, decimal_places=12, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )

    class Meta:
        ordering = ["-date", "currency"]
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        constraints = [
            models.UniqueConstraint(fields=["source", "date", "currency"], name="one_rate_per_day_and_source"),
            models.CheckConstraint(
                name="rate_of_one_kind",
                condition=models.Q(source=RateSource.ECB, units_per_euro__gt=0, usd_per_unit__isnull=True)
                | models.Q(source=RateSource.ADMIN, usd_per_unit__gt=0, units_per_euro__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.date}"


class RateConversion(models.Model):
    """Figures that are being converted again with new rates, in chunks by the worker.

    ``currencies`` says which, and is empty for all but US dollars. ``reached`` is the last Stripe customer behind us;
    the row goes with the last chunk.
    """

    connection = models.ForeignKey("integrations.StripeConnection", on_delete=models.CASCADE, related_name="+")
    currencies = ArrayField(models.CharField(max_length=3, db_collation="C"), default=list, blank=True)
    reached = models.CharField(max_length=255, db_collation="C", blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        verbose_name = _("conversion with new rates")
        verbose_name_plural = _("conversions with new rates")

    def __str__(self) -> str:
        return f"conversion {self.pk}"

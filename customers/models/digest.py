"""The opt-in daily mail to owners about their customers' billing."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class DailyMail(models.Model):
    """Somebody who wants a mail a day; ``sent_through`` is up to when changes were told or found to be none."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="daily_mail", primary_key=True
    )
    sent_through = models.DateTimeField()

    class Meta:
        verbose_name = _("daily mail")
        verbose_name_plural = _("daily mails")

    def __str__(self) -> str:
        return f"daily mail to {self.pk}"

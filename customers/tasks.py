"""What django-q2 calls for the CRM side: one call, nothing else."""

from __future__ import annotations

from customers import daily_mail


def send_daily_mails() -> None:
    """Each minute: this morning's mails that were not sent yet."""
    daily_mail.send_due()

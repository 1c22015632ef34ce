"""What django-q2 calls for the CRM side: one call, nothing else."""

from __future__ import annotations

from customers import daily_mail, tallies


def send_daily_mails() -> None:
    """Each minute: this morning's mails that were not sent yet."""
    daily_mail.send_due()


def fold_tallies() -> None:
    """Each minute: the sums over all customers, where many were added."""
    tallies.fold()


def recount_tallies() -> None:
    """Each day: the sums over all customers, from the customers."""
    tallies.recount()

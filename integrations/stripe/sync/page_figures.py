"""The figures of pages that a worker adds up, so that nobody who opens a page waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from integrations.models import StripeConnection
from integrations.stripe.sync import counts, kept, mrr, scope

FIGURES: Mapping[str, Callable[[StripeConnection], object]] = {
    counts.KEPT_AS: counts.count,
    scope.KEPT_AS: scope.figures,
    mrr.KEPT_AS: mrr.mirrored,
}


def renew(connection: StripeConnection) -> None:
    """Take anew what something was written into since; nothing of an account that was never read."""
    if connection.last_look_at is None:
        return
    for name, take in FIGURES.items():
        kept.renew(connection, name, take)


def renew_after(connection: StripeConnection, counting_took: float) -> None:
    """Take them right behind a run whose counts took so many seconds, where that says that the mirror is large."""
    if counting_took >= kept.WORTH_KEEPING_SECONDS:
        kept.begin(connection, FIGURES)
        renew(StripeConnection.objects.get(pk=connection.pk))

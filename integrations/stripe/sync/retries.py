"""Another try for records that need attention, many at once: through the inbox, so that no page waits for Stripe."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from integrations.models import IssueState, StripeConnection, SyncIssue
from integrations.stripe.sync import inbox

NOT_BY_RETRY = ("no_exchange_rate", "permission_missing")
"""What reading a record again cannot help: a rate or a permission is missing."""


def retryable(connection: StripeConnection) -> QuerySet[SyncIssue]:
    """The open issues whose Stripe customer can be read again."""
    found = SyncIssue.objects.filter(connection=connection, state=IssueState.OPEN)
    return found.exclude(stripe_customer_id="").exclude(code__in=NOT_BY_RETRY)


def queue(connection: StripeConnection, issue_ids: Iterable[int] | None = None) -> int:
    """Ask for a refresh of the Stripe customers behind these issues, or behind all that can be retried.

    Returns how many customers wait to be read now. An issue resolves when its refresh finds nothing wrong.
    """
    found = retryable(connection)
    if issue_ids is not None:
        found = found.filter(pk__in=list(issue_ids))
    stripe_ids = sorted(set(found.values_list("stripe_customer_id", flat=True)))
    inbox.ask(connection, stripe_ids)
    return len(stripe_ids)

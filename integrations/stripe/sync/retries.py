"""Another try for records that need attention, many at once: through the inbox, so that no page waits for Stripe."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db.models import QuerySet

from integrations.models import IssueState, Mode, StripeConnection, StripeEvent, SyncIssue
from integrations.stripe.api.events import Hint
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
    hints = [hint(connection, stripe_id) for stripe_id in stripe_ids]
    inbox.receive(connection, hints, source=StripeEvent.Source.ASKED)
    return len(stripe_ids)


def hint(connection: StripeConnection, stripe_customer_id: str) -> Hint:
    """A hint of our own: nobody says that the customer changed, and no moment of Stripe's clock is told."""
    return Hint(
        taken=True,
        event_id=f"asked_{uuid.uuid4().hex}",
        type="pivotal.retry",
        created=0,
        livemode=connection.mode == Mode.LIVE,
        account=connection.account_id,
        object_type="retry",
        object_id=stripe_customer_id,
        customer_id=stripe_customer_id,
    )

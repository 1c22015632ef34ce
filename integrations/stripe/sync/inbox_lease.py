"""Who may work on a connection's inbox, and telling the worker that there is work.

The lease is on the connection row, in database time. A token with a time is a drain at work; a time without a token is
a drain that was queued, believed in until then; neither means that nobody is coming. So events arriving by the hundred
queue one drain (docs/architecture.md section 4 "Incremental").
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models.functions import Now
from django_q.tasks import async_task

from integrations.models import StripeConnection
from integrations.stripe.sync.lease import LEASE_SECONDS, LeaseLostError

DRAIN = "integrations.stripe.tasks.drain_inbox"
QUEUED_SECONDS = 60  # longer than two slices of other work: then the task is taken for lost

FREE = "(inbox_until IS NULL OR inbox_until < clock_timestamp())"

QUEUE = f"""
UPDATE integrations_stripeconnection
SET inbox_token = NULL, inbox_until = clock_timestamp() + make_interval(secs => %(seconds)s),
    webhook_at = CASE WHEN %(webhook)s THEN clock_timestamp() ELSE webhook_at END
WHERE id = %(connection)s AND {FREE} RETURNING id
"""  # noqa: S608 - nothing from outside

CLAIM = """
UPDATE integrations_stripeconnection
SET inbox_token = %(token)s, inbox_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = %(connection)s AND (inbox_token IS NULL OR inbox_until IS NULL OR inbox_until < clock_timestamp())
RETURNING id
"""

RENEW = """
UPDATE integrations_stripeconnection SET inbox_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = %(connection)s AND inbox_token = %(token)s
RETURNING EXISTS (SELECT 1 FROM integrations_syncrun WHERE connection_id = %(connection)s AND state = 'running')
"""

RELEASE = """
UPDATE integrations_stripeconnection SET inbox_token = NULL, inbox_until = NULL
WHERE id = %(connection)s AND inbox_token = %(token)s RETURNING id
"""


@dataclass(slots=True)
class InboxLease:
    """The right to drain one inbox; ``beside_a_run`` says that a run was calling Stripe at the last renewal."""

    connection: StripeConnection
    token: uuid.UUID
    beside_a_run: bool = False

    def renew(self) -> None:
        """Keep the inbox; raises LeaseLostError when it is no longer ours."""
        row = execute(RENEW, self.connection.pk, token=self.token, seconds=LEASE_SECONDS)
        if row is None:
            raise LeaseLostError
        self.beside_a_run = bool(row[0])

    def release(self) -> None:
        """Let the next drain begin at once; nothing when the lease went to somebody else."""
        execute(RELEASE, self.connection.pk, token=self.token)


def claim(connection_id: int) -> InboxLease | None:
    """Take an inbox that nobody works on; None otherwise."""
    token = uuid.uuid4()
    if execute(CLAIM, connection_id, token=token, seconds=LEASE_SECONDS) is None:
        return None
    held = InboxLease(StripeConnection.objects.get(pk=connection_id), token)
    held.renew()
    return held


def wake(connection_id: int, *, webhook: bool = False) -> bool:
    """Queue a drain unless one is queued or at work; True when it was queued here.

    Call it when what is to be drained is committed: a drain at work looks again after it gave the inbox back.
    """
    if execute(QUEUE, connection_id, seconds=QUEUED_SECONDS, webhook=webhook) is None:
        return False
    transaction.on_commit(lambda: async_task(DRAIN, connection_id))
    return True


def execute(sql: str, connection_id: int, **values: Any) -> tuple[object, ...] | None:
    """One statement about one connection; its row, if any."""
    with database.cursor() as cursor:
        cursor.execute(sql, {**values, "connection": connection_id})
        row: tuple[object, ...] | None = cursor.fetchone()
        return row


def is_held(connection_id: int) -> bool:
    """Whether a drain is at work on the inbox, or was a moment ago."""
    held = StripeConnection.objects.filter(pk=connection_id, inbox_token__isnull=False, inbox_until__gte=Now())
    return held.exists()

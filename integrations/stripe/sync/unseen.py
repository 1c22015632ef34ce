"""Unseen is not ended: what a complete walk did not meet is read by id and the answer stored.

Candidates are mirrored live subscriptions that the walk did not see, observed and created before it began, not on a
test clock. One object without a readable id in the walk, or too many candidates, and nothing is concluded.
"""

from __future__ import annotations

from typing import Any

from django.db import connection as database

from integrations.errors import IntegrationError
from integrations.stripe.api.decode import DecodeError
from integrations.stripe.api.expansion import expand_object
from integrations.stripe.api.objects import Subscription
from integrations.stripe.api.query import object_path
from integrations.stripe.sync.rows import Batch, Problem
from integrations.stripe.sync.single_reads import read_each
from integrations.stripe.sync.walks import complete_items
from integrations.stripe.sync.work import Work

AT_MOST = 50
AT_MOST_SHARE = 0.05

CANDIDATES = """
SELECT s.stripe_id, s.customer_id FROM integrations_stripesubscription s
WHERE s.connection_id = %(connection)s AND s.live AND s.observed_at < %(began)s AND s.created < %(began)s
  AND s.data->>'test_clock' IS NULL AND s.stripe_id > %(after)s
  AND NOT EXISTS (SELECT 1 FROM integrations_seenid seen
                  WHERE seen.run_id = %(run)s AND seen.kind = 1 AND seen.stripe_id = s.stripe_id)
ORDER BY s.stripe_id LIMIT %(limit)s
"""


def candidates(work: Work, *, after: str, limit: int) -> list[tuple[str, str]]:
    """The next candidates behind ``after``: subscription id and Stripe customer id."""
    values: dict[str, Any] = {
        "connection": work.connection.pk,
        "began": work.began,
        "after": after,
        "run": work.run.pk,
        "limit": limit,
    }
    with database.cursor() as cursor:
        cursor.execute(CANDIDATES, values)
        return list(cursor.fetchall())


def read_unseen(work: Work) -> bool:
    """Read each candidate by id; True when all were read, or nothing may be concluded."""
    if work.checkpoint.get("unreadable"):
        work.checkpoint["incomplete"] = "An object without a readable id came; nothing was marked as ended."
        return True
    if "unseen" not in work.checkpoint["cursors"] and too_many(work):
        return True
    while True:
        found = candidates(work, after=work.checkpoint["cursors"].get("unseen", ""), limit=AT_MOST)
        if not found:
            return True
        pairs = [(stripe_id, (stripe_id, customer_id)) for stripe_id, customer_id in found]
        if not read_each(work, "unseen", pairs, lambda pair: read(work, *pair), last=found[-1][0], about=unread):
            return False


def unread(pair: tuple[str, str]) -> Problem:
    """What is said about one that Stripe does not answer for."""
    return Problem("stripe_unavailable", "subscription", *pair)


def too_many(work: Work) -> bool:
    """Whether so much is missing that the walk, not the account, must be wrong; says so in the checkpoint."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM integrations_stripesubscription WHERE connection_id = %s AND live",
            [work.connection.pk],
        )
        known = cursor.fetchone()[0]
    limit = max(AT_MOST, int(known * AT_MOST_SHARE))
    missing = len(candidates(work, after="", limit=limit + 1))
    if missing <= limit:
        return False
    work.checkpoint["incomplete"] = (
        f"More than {limit} of {known} live subscriptions were missing from Stripe's list; none was marked as ended."
    )
    return True


def read(work: Work, stripe_id: str, customer_id: str) -> Batch:
    """One subscription as Stripe has it now; one that is gone for good is stored as canceled."""
    batch = Batch(work.overrides)
    connection = work.connection
    expand = expand_object("subscriptions", connection.permissions, can_expand=connection.can_expand)
    try:
        found = work.reader.get_object(object_path("subscriptions", stripe_id), {"expand": expand}, Subscription)
        observed_at = work.clock.from_local(work.reader.sent_at)
        found = complete_items(work.reader, connection, found)
    except DecodeError as error:
        batch.problems.append(Problem("invalid_response", "subscription", stripe_id, customer_id, detail=error.detail))
    except IntegrationError as error:
        if error.code != "record_gone":
            raise
        batch.bury("subscription", stripe_id, work.clock.from_local(work.reader.sent_at))
    else:
        batch.add_subscription(found, observed_at)
    return batch

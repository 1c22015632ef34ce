"""Pages paid invoices, newest first, as far back as that costs fewer requests than reading customers one by one.

A paid invoice matters to customers whose newest speaking invoice is not a paid one, and only if it is newer than that
one. Once everything since a moment was paged, all of them whose deciding invoice is from after it are settled, whether
anything was found or not. How far back that pays is reckoned from how dense the list is where it was paged to; what
lies behind is read customer by customer (``sync.invoices``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import connection as database

from integrations.stripe.api.pages import cursor_of
from integrations.stripe.sync.examined import since_last
from integrations.stripe.sync.lanes import Stored, stored_lane
from integrations.stripe.sync.rows import Batch, Row
from integrations.stripe.sync.unsettled import TO_EXAMINE, number_to_examine, number_unsettled, unsettled, values_of
from integrations.stripe.sync.walks import PAID_INVOICES
from integrations.stripe.sync.work import Work

WORTH_PAGING = 3  # so few customers are read one by one for what a page and a look at its density cost
LONGEST_STRETCH = 250  # pages, before the density is looked at again

# The invoice that decides about a customer is settled once paging is past it. Who has none that speaks is settled by
# the payment before: a month earlier, as a guess.
HOW_FAR = f"""
WITH doubt AS (
    SELECT d.customer_id, coalesce(max(i.created) FILTER (WHERE i.status IN ('open', 'uncollectible')),
                                   max(i.created) - interval '31 days') AS decided
    FROM (SELECT s.customer_id {TO_EXAMINE}) d
    JOIN integrations_stripeinvoice i ON i.connection_id = %(connection)s AND i.customer_id = d.customer_id
    GROUP BY d.customer_id
), ranked AS (
    SELECT extract(epoch FROM decided)::bigint AS decided, row_number() OVER (ORDER BY decided DESC) AS settled
    FROM doubt WHERE decided < to_timestamp(%(reached)s)
)
SELECT decided FROM ranked
WHERE (%(reached)s - decided) / %(seconds_a_page)s <= %(longest)s
  AND settled * %(scale)s > (%(reached)s - decided) / %(seconds_a_page)s
ORDER BY settled * %(scale)s - (%(reached)s - decided) / %(seconds_a_page)s DESC LIMIT 1
"""  # noqa: S608 - text of ours

# The newest paid invoice the mirror has of each of these customers, one look-up each: a run's tables have no statistics
# yet, and to reckon with a thousand customers in one condition takes the planner longer than to find them all.
NEWEST_KNOWN = """
SELECT c.id, i.created, i.stripe_id FROM jsonb_array_elements_text(%(customers)s::jsonb) AS c(id)
CROSS JOIN LATERAL (
    SELECT created, stripe_id FROM integrations_stripeinvoice
    WHERE connection_id = %(connection)s AND customer_id = c.id AND status = 'paid'
    ORDER BY created DESC, stripe_id DESC LIMIT 1
) AS i
"""

OF_NOBODY = """
DELETE FROM integrations_stripeinvoice i
WHERE i.connection_id = %(connection)s AND i.status = 'paid' AND i.observed_at >= %(began)s
  AND NOT EXISTS (SELECT 1 FROM integrations_stripesubscription s
                  WHERE s.connection_id = i.connection_id AND s.customer_id = i.customer_id)
"""

WalkPaid = Callable[[Work], bool]
Sift = Callable[[Work, Batch], None]


@dataclass(frozen=True, slots=True)
class Paged:
    """What of the paid invoices a run has paged: all created at ``since`` or later; ``since`` 0 is nothing."""

    since: int = 0
    complete: bool = False

    @classmethod
    def by(cls, work: Work) -> Paged:
        """As the checkpoint says."""
        lanes: list[Stored] = work.checkpoint["walks"].get(PAID_INVOICES.name, [])
        if not lanes:
            return cls()
        if any(lane["from"] is None for lane in lanes):
            return cls(complete=True)
        return cls(since=min(lane["from"] for lane in lanes))


def skim_paid_invoices(work: Work, walk: WalkPaid) -> bool:
    """Stretch by stretch, until the next one would cost more than it saves; True when that is reached.

    The last lane of the checkpoint is the frontier: its beginning is unknown until it was decided how far to go.
    """
    lanes: list[Stored] = work.checkpoint["walks"].setdefault(PAID_INVOICES.name, [])
    begin_with_news(work, lanes)
    if not lanes and number_to_examine(work) <= WORTH_PAGING:
        return True
    while True:
        if lanes and lanes[-1]["from"] is not None and not all(lane["done"] for lane in lanes) and not walk(work):
            return False
        if lanes[-1:] and lanes[-1]["from"] is not None and number_to_examine(work) <= WORTH_PAGING:
            return True
        if not next_stretch(work, lanes, keep_newest_of_unsettled):
            frontier = lanes[-1]
            if not frontier["done"]:
                frontier.update({"from": frontier["created"] + 1, "done": True})
            return True
        if work.is_over:
            return False


def begin_with_news(work: Work, lanes: list[Stored]) -> None:
    """Page what was created since the last successful run in any case, where that run is relied on.

    It is not where so few are unsettled that reading each costs no more.
    """
    since = since_last(work)
    if since is None or lanes:
        return
    if number_unsettled(work) <= WORTH_PAGING:
        work.checkpoint["relied_on"] = None
    else:
        lanes.append(stored_lane(since, int(work.began.timestamp()) + 1))


def next_stretch(work: Work, lanes: list[Stored], sift: Sift, *, phase: str = "", scale: float = 1) -> bool:
    """Decide how far to page from where everything is paged to; False when it does not pay, or there is no more.

    ``scale`` is how many customers there will be for each that is unsettled by now.
    """
    if not lanes or lanes[-1]["from"] is not None:
        reached = min((lane["from"] for lane in lanes), default=int(work.began.timestamp()) + 1)
        lanes.append(stored_lane(None, reached))
    frontier = lanes[-1]
    if not frontier["after"] and not frontier["done"]:
        read_frontier(work, frontier, sift, phase=phase)
    if frontier["done"]:
        return False
    since = how_far(work, frontier, scale=scale)
    if since is None:
        return False
    frontier["from"] = since
    lanes.sort(key=lambda lane: -lane["from"])
    work.commit(phase or PAID_INVOICES.name)  # how far to go is decided once, however short the slices are
    return True


def read_frontier(work: Work, frontier: Stored, sift: Sift, *, phase: str = "") -> None:
    """Read the page behind what was paged: it tells how dense the list is there."""
    page = work.reader.get_page(PAID_INVOICES.path, {"status": "paid", "created": {"lt": frontier["to"]}, "limit": 100})
    batch = PAID_INVOICES.read_page(
        page,
        batch=Batch(work.overrides),
        reader=work.reader,
        connection=work.connection,
        observed_at=work.clock.from_local(work.reader.sent_at),
    )
    sift(work, batch)
    cursor = cursor_of(page)
    if cursor is not None:
        frontier.update(after=cursor.id, created=cursor.created)
    frontier["done"] = not page.has_more or cursor is None
    work.commit(phase or PAID_INVOICES.name, batch)


def how_far(work: Work, frontier: Stored, *, scale: float = 1) -> int | None:
    """The moment down to which paging settles the most customers for its pages; None when it does not pay."""
    if not frontier["created"]:
        return None
    values: dict[str, Any] = {
        **values_of(work),
        "reached": frontier["created"],
        "seconds_a_page": max(1, frontier["to"] - frontier["created"]),
        "longest": LONGEST_STRETCH,
        "scale": scale,
    }
    with database.cursor() as cursor:
        cursor.execute(HOW_FAR, values)
        row = cursor.fetchone()
    return int(row[0]) if row else None


def keep_newest_of_unsettled(work: Work, batch: Batch) -> None:
    """Leave in the batch one invoice, the newest, of each customer that needs one."""
    rows = newest_of_each(batch)
    wanted = set(unsettled(work, sorted(rows)))
    batch.tables["invoice"] = {row["stripe_id"]: row for customer_id, row in rows.items() if customer_id in wanted}


def keep_news(work: Work, batch: Batch) -> None:
    """Leave in the batch one invoice, the newest, of each customer of whom the mirror has none as new.

    While subscriptions are still to come nobody can say who will need it, so everybody's is kept.
    """
    rows = newest_of_each(batch)
    with database.cursor() as cursor:
        customers = msgspec.json.encode(sorted(rows)).decode()
        cursor.execute(NEWEST_KNOWN, {"connection": work.connection.pk, "customers": customers})
        known = {customer_id: rest for customer_id, *rest in cursor.fetchall()}
    batch.tables["invoice"] = {
        row["stripe_id"]: row
        for customer_id, row in rows.items()
        if customer_id not in known or [row["created"], row["stripe_id"]] > known[customer_id]
    }


def newest_of_each(batch: Batch) -> dict[str, Row]:
    """The newest invoice of each customer in a batch."""
    newest: dict[str, Row] = {}
    for row in batch.tables.get("invoice", {}).values():
        known = newest.get(row["customer_id"])
        if known is None or (row["created"], row["stripe_id"]) > (known["created"], known["stripe_id"]):
            newest[row["customer_id"]] = row
    return newest


def drop_paid_of_nobody(work: Work) -> None:
    """Forget the paid invoices of this run whose customers turned out to have no subscription."""
    with work.fenced(), database.cursor() as cursor:
        cursor.execute(OF_NOBODY, {"connection": work.connection.pk, "began": work.began})

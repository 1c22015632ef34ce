"""Contributions that a first run stores along with its subscriptions, in the statement that inserts them.

What a contribution is computed from is at hand when a page has been decoded, so nothing has to be read back and no row
is written twice. Only while nobody's billing has a history yet: then no roll-up asks which receipts moved, since every
first point of MRR has the same cause. A row the mirror has already keeps what was computed of it. The roll-up computes
whatever has changed since, so nothing rests on this but the time a first run takes.
"""

from __future__ import annotations

from customers.models import MrrPoint
from integrations.stripe.sync import rates
from integrations.stripe.sync.contributions import Contributions
from integrations.stripe.sync.rows import Batch
from integrations.stripe.sync.work import Work


class Carried:
    """Adds to the subscriptions of a batch what they contribute; for one slice of a walk."""

    def __init__(self, work: Work) -> None:
        self.contributions = Contributions(work.connection, rates=rates.frozen(work.checkpoint), now=work.began)

    def __call__(self, work: Work, batch: Batch) -> None:
        """Compute what has come; a customer that did not come along counts as one without a discount of its own."""
        rows = batch.tables.get("subscription", {})
        customers = batch.tables.get("customer", {}).values()
        discounts = {row["stripe_id"]: row["data"].discount for row in customers if row["data"].discount is not None}
        for computed in self.contributions.rows_of([row["data"] for row in rows.values()], discounts):
            rows[computed["stripe_id"]].update(computed)


def is_worth_it(work: Work) -> bool:
    """Whether no customer of the connection's environment has a history of MRR that a receipt could explain."""
    return not MrrPoint.objects.filter(customer__environment=work.connection.environment).exists()

"""Contributions computed while the subscriptions are still being walked, in the time the walk waits for Stripe.

Only while nobody's billing has a history yet: then no roll-up asks which receipts moved, since every first point of
MRR has the same cause. The roll-up computes whatever has changed since, and whatever was not reached, so nothing rests
on this but the time a first run takes.
"""

from __future__ import annotations

from customers.models import MrrPoint
from integrations.models import StripeSubscription
from integrations.stripe.sync import derive, rates
from integrations.stripe.sync.contributions import Contributions
from integrations.stripe.sync.walking import Companion
from integrations.stripe.sync.work import Work

AT_ONCE = 500  # subscriptions; small enough that the fetchers' queue is not full before this is done


class Ahead:
    """Beside one slice of a walk: what another companion does, and contributions behind every few pages."""

    def __init__(self, work: Work, beside: Companion | None) -> None:
        self.work = work
        self.beside = beside
        self._computed_at = work.read

    def write_ready(self) -> None:
        """Let the other companion write, then compute what has been stored by now, a limited number at a time."""
        if self.beside is not None:
            self.beside.write_ready()
        if self.work.read - self._computed_at >= AT_ONCE and not self.work.is_over:
            self._computed_at += self.compute()

    def finish(self) -> None:
        """The rest is computed by the roll-up."""
        if self.beside is not None:
            self.beside.finish()

    def close(self, *, failed: bool) -> None:
        """Nothing is held back here."""
        if self.beside is not None:
            self.beside.close(failed=failed)

    def compute(self) -> int:
        """Compute the next subscriptions in the order they were stored; returns how many, at least one."""
        work, cursors = self.work, self.work.checkpoint["cursors"]
        with work.fenced(), derive.lock(work.connection):
            mirrored = StripeSubscription.objects.filter(connection=work.connection, pk__gt=cursors.get("ahead", 0))
            rows = list(mirrored.order_by("pk").values_list("pk", "customer_id")[:AT_ONCE])
            if rows:
                used = rates.frozen(work.checkpoint)
                owners = {owner for _number, owner in rows}
                Contributions(work.connection, rates=used, now=work.began).compute(owners)
        if rows:
            cursors["ahead"] = rows[-1][0]
        return max(1, len(rows))


def is_worth_it(work: Work) -> bool:
    """Whether no customer of the connection's environment has a history of MRR that a receipt could explain."""
    return not MrrPoint.objects.filter(customer__environment=work.connection.environment).exists()

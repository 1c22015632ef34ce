"""The three steps after connecting: scope, preview, **Run initial sync**."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.models import StripeConnection
from integrations.stripe.pages.presenters.connection import Customers, matchable_customers
from integrations.stripe.sync.counts import Counts
from integrations.stripe.sync.customers_from_stripe import WouldBe, missing


@dataclass(frozen=True, slots=True)
class Setup:
    """How far the setup is. ``low`` is set when a preview found that fewer than half would match."""

    previewed: bool
    counts: Counts
    customers: Customers
    low: WouldBe | None

    @property
    def nobody_to_match(self) -> bool:
        """Whether no customer has a domain, so that nothing could match."""
        return self.customers.with_domain == 0


def present_setup(connection: StripeConnection, counts: Counts, *, previewed: bool) -> Setup:
    """The steps, and what to do first when few would match."""
    low = previewed and counts.stripe_customers > 0 and counts.matched * 2 < counts.stripe_customers
    return Setup(
        previewed=previewed,
        counts=counts,
        customers=matchable_customers(connection),
        low=missing(connection) if low else None,
    )

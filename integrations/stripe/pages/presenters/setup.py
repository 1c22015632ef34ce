"""The three steps after connecting: scope, preview, **Run initial sync**."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.models import MatchState, Standing, StripeConnection, StripeCustomer
from integrations.stripe.pages.presenters.connection import Customers, matchable_customers
from integrations.stripe.sync.counts import Counts

SAMPLE_NAMES = 10


@dataclass(frozen=True, slots=True)
class Missing:
    """Company domains in Stripe that no customer has: how many, and some of the names they would be created under."""

    domains: int
    names: list[str]

    @property
    def more(self) -> int:
        """How many names are not listed."""
        return self.domains - len(self.names)


@dataclass(frozen=True, slots=True)
class Setup:
    """How far the setup is. ``low`` is set when a preview found that fewer than half would match."""

    previewed: bool
    counts: Counts
    customers: Customers
    low: Missing | None

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
        low=_missing(connection) if low else None,
    )


def _missing(connection: StripeConnection) -> Missing:
    """The oldest Stripe customer on a domain gives the name; a nameless one is called by its domain."""
    oldest = (
        StripeCustomer.objects.filter(
            connection=connection,
            standing=Standing.LIVE,
            match_state=MatchState.UNMATCHED,
            match_reason="no_customer",
        )
        .order_by("email_domain", "created", "stripe_id")
        .distinct("email_domain")
    )
    rows = list(oldest.values_list("name", "email_domain")[:SAMPLE_NAMES])
    return Missing(domains=oldest.count(), names=[name or domain for name, domain in rows])

"""What a decision may be about: checks every id against the connection, its environment and the group.

Every function raises IntegrationError (``decision_refused``) for what is not of this connection, or no longer there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from django.contrib.auth.models import User

from customers import services
from customers.models import Customer, Status
from integrations.errors import IntegrationError
from integrations.models import MatchState, MemberEffect, Standing, StripeConnection, StripeCustomer
from integrations.stripe.sync.decision_rows import ORIGIN, Member


def group_on(connection: StripeConnection, customer: Customer) -> list[StripeCustomer]:
    """The Stripe customers of the live set that meet on a customer. Raises IntegrationError when there are none."""
    rows = StripeCustomer.objects.filter(
        connection=connection, customer=customer, standing=Standing.LIVE, match_state=MatchState.MATCHED
    )
    group = list(rows.order_by("stripe_id"))
    if not group:
        raise IntegrationError("decision_refused", "No Stripe customer with a live subscription is on it any more.")
    return group


def waiting_on(connection: StripeConnection, customer: Customer) -> list[StripeCustomer]:
    """The group on a customer while it waits for a decision. Raises IntegrationError once it does not."""
    group = group_on(connection, customer)
    if not any(row.ambiguous_kind for row in group):
        raise IntegrationError("decision_refused", f"Nothing waits for a decision on {customer.name[:80]}.")
    return group


def require(stripe_ids: Iterable[str], group: Iterable[StripeCustomer]) -> None:
    """Raise IntegrationError unless all of these belong to the group."""
    if set(stripe_ids) - {row.stripe_id for row in group}:
        raise IntegrationError("decision_refused", "A chosen Stripe customer does not belong to this group.")


def rows_here(connection: StripeConnection, stripe_ids: Collection[str]) -> list[StripeCustomer]:
    """These Stripe customers of the connection. Raises IntegrationError when one is unknown, or none is named."""
    wanted = set(stripe_ids)
    rows = list(StripeCustomer.objects.filter(connection=connection, stripe_id__in=wanted).order_by("stripe_id"))
    if not wanted or len(rows) != len(wanted):
        raise IntegrationError("decision_refused", "A chosen Stripe customer does not belong to this connection.")
    return rows


def customer_here(connection: StripeConnection, customer_id: int) -> Customer:
    """A customer of the connection's environment. Raises IntegrationError for any other."""
    customer = Customer.objects.filter(pk=customer_id, environment=connection.environment).first()
    if customer is None:
        raise IntegrationError("decision_refused", "That customer does not belong to this connection's environment.")
    return customer


def target_of(connection: StripeConnection, customer_id: int, *, actor: User | None, restore: bool) -> Customer:
    """The customer to link to, restored when it is archived and that was asked for. Raises IntegrationError."""
    customer = customer_here(connection, customer_id)
    if customer.status == Status.ARCHIVED:
        if not restore:
            raise IntegrationError("decision_refused", "That customer is archived; restore it to link to it.")
        services.update_customer(customer, actor=actor, origin=ORIGIN, status=Status.ACTIVE)
    return customer


def create_here(connection: StripeConnection, *, name: str, domain: str, actor: User | None) -> Customer:
    """A new customer in the connection's environment, matched by the decision itself. Raises ValidationError."""
    return services.create_customer(
        actor=actor, origin=ORIGIN, announced=False, name=name, domain=domain, environment=connection.environment
    )


def created_members(
    connection: StripeConnection, rows: Sequence[StripeCustomer], *, actor: User | None
) -> list[Member]:
    """Create the customers these Stripe customers need, and say who is pinned to which."""
    by_domain: dict[str, list[StripeCustomer]] = defaultdict(list)
    for row in rows:
        by_domain[customer_domain(row) or f"no domain {row.stripe_id}"].append(row)
    members = []
    for group in by_domain.values():
        oldest = min(group, key=lambda row: (row.created is None, row.created, row.stripe_id))
        domain = customer_domain(oldest)
        name = (oldest.name.strip() or domain or oldest.stripe_id)[:255]
        created = create_here(connection, name=name, domain=domain, actor=actor)
        members += [Member(row.stripe_id, MemberEffect.PINNED, created.pk, created=True) for row in group]
    return members


def customer_domain(row: StripeCustomer) -> str:
    """The domain a customer made from this Stripe customer has: its company's, or its whole personal address."""
    return row.email_address if row.personal else row.email_domain


def customers_of(rows: Iterable[StripeCustomer]) -> list[int]:
    """The Pivotal customers these rows are on."""
    return sorted({row.customer_id for row in rows if row.customer_id is not None})

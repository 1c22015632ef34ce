"""Edits on the CRM side match again, after the commit and from the mirror (docs/architecture.md section 4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from customers import personal_domains, services
from customers.models import Customer, Environment, MrrPoint, PersonalDomain, Status
from integrations.models import ConnectionState, DecisionKind, MemberEffect, Mode, StripeConnection, StripeCustomer
from tests.factories import (
    CustomerDomainFactory,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
    decide,
)
from tests.integrations.stripe.sync.derived import derive_all, flags, outcome

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def row(live: StripeConnection) -> StripeCustomer:
    """A Stripe customer at acme.com that brings $100."""
    found = StripeCustomerFactory(connection=live, email="billing@acme.com")
    StripeSubscriptionFactory(owner=found)
    return found


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Any:
    """A block after which what waits for the commit has run."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def mrr(*customers: Customer) -> list[Decimal]:
    for customer in customers:
        customer.refresh_from_db()
    return [customer.mrr for customer in customers]


def test_a_new_customer_gets_the_billing_that_waits_for_it(
    live: StripeConnection, row: StripeCustomer, committed: Any
) -> None:
    derive_all(live)

    with committed():
        acme = services.create_customer(actor=None, name="Acme", domain="acme.com")

    assert mrr(acme) == [Decimal(100)]


def test_an_edited_domain_moves_the_billing_and_both_are_rolled_up(
    live: StripeConnection, row: StripeCustomer, committed: Any
) -> None:
    old, new = CustomerFactory(domain="acme.com"), CustomerFactory(domain="new.com")
    derive_all(live)

    with committed():
        services.update_customer(old, actor=None, domain="former.com")
    with committed():
        services.update_customer(new, actor=None, domain="acme.com")

    assert mrr(old, new) == [Decimal(0), Decimal(100)]
    assert list(MrrPoint.objects.filter(customer=old).order_by("id").values_list("cause", flat=True)) == [
        "first_sync",
        "decision",
    ]


def test_an_alias_joins_and_leaves(live: StripeConnection, row: StripeCustomer, committed: Any) -> None:
    umbrella = CustomerFactory(domain="umbrella.com")
    derive_all(live)
    with committed():
        extra = services.add_domain(umbrella, "acme.com", actor=None)
    assert mrr(umbrella) == [Decimal(100)]

    with committed():
        services.remove_domain(extra, actor=None)
    assert mrr(umbrella) == [Decimal(0)]


def test_archiving_hands_the_billing_to_the_next_and_restoring_takes_it_back(
    live: StripeConnection, row: StripeCustomer, committed: Any
) -> None:
    first, second = CustomerFactory(domain="acme.com"), CustomerFactory(domain="acme.com")
    derive_all(live)
    assert flags(row) == ["several_customers"]
    with committed():
        services.archive_customers([first], actor=None)
    assert (mrr(first, second), flags(row)) == ([Decimal(0), Decimal(100)], [""])

    with committed():
        services.set_status(first, Status.ACTIVE, actor=None)
    assert (mrr(first, second), flags(row)) == ([Decimal(100), Decimal(0)], ["several_customers"])


def test_deleting_a_customer_frees_what_was_on_it(live: StripeConnection, row: StripeCustomer, committed: Any) -> None:
    acme = CustomerFactory(domain="acme.com")
    pinned = StripeCustomerFactory(connection=live, email="x@elsewhere.com")
    StripeSubscriptionFactory(owner=pinned)
    decide(DecisionKind.PIN, {pinned: MemberEffect.PINNED}, to=acme)
    derive_all(live)

    with committed():
        services.delete_customers([acme])

    assert outcome(row) == ("unmatched", "no_customer", "")
    assert outcome(pinned) == ("unmatched", "pin_suspended", "")


def test_a_move_to_staging_takes_the_extra_domains_along(
    live: StripeConnection, row: StripeCustomer, committed: Any
) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    in_test = StripeCustomerFactory(connection=test, email="x@alias.com")
    StripeSubscriptionFactory(owner=in_test, amount=700)
    acme = CustomerFactory(domain="acme.com")
    CustomerDomainFactory(customer=acme, domain="alias.com")
    for connection in (live, test):
        derive_all(connection)

    with committed():
        services.update_customer(acme, actor=None, environment=Environment.STAGING)

    assert (mrr(acme), outcome(row)[1], outcome(in_test)[0]) == ([Decimal(7)], "no_customer", "matched")


def test_the_personal_list_is_followed_in_both_directions(
    live: StripeConnection, row: StripeCustomer, committed: Any
) -> None:
    acme = CustomerFactory(domain="acme.com")
    derive_all(live)
    with committed():
        personal_domains.save(PersonalDomain(domain="acme.com"))
    assert (mrr(acme), outcome(row)[1]) == ([Decimal(0)], "personal_email")

    with committed():
        personal_domains.delete(list(PersonalDomain.objects.all()))
    assert mrr(acme) == [Decimal(100)]


def test_a_personal_address_as_domain_is_followed_where_personal_emails_match(
    live: StripeConnection, committed: Any
) -> None:
    StripeConnection.objects.update(match_personal_emails=True)
    jane = StripeCustomerFactory(connection=live, email="jane@gmail.com")
    StripeSubscriptionFactory(owner=jane)
    derive_all(live)

    with committed():
        customer = services.create_customer(actor=None, name="Jane", domain="jane@gmail.com")

    assert mrr(customer) == [Decimal(100)]


@pytest.mark.parametrize(
    ("state", "expected"), [(ConnectionState.DISCONNECTED, Decimal(100)), (ConnectionState.REAUTHORIZE, Decimal(0))]
)
def test_only_a_disconnected_connection_leaves_everything_as_it_is(
    live: StripeConnection, row: StripeCustomer, committed: Any, state: ConnectionState, expected: Decimal
) -> None:
    acme = CustomerFactory(domain="acme.com")
    derive_all(live)
    StripeConnection.objects.update(state=state)

    with committed():
        services.update_customer(acme, actor=None, domain="former.com")

    assert mrr(acme) == [expected]


def test_other_edits_match_nothing_again(live: StripeConnection, row: StripeCustomer, committed: Any) -> None:
    acme = CustomerFactory(domain="acme.com")
    derive_all(live)
    StripeCustomer.objects.update(match_reason="untouched")

    with committed():
        services.update_customer(acme, actor=None, name="Acme Corporation")

    assert outcome(row)[1] == "untouched"

"""The list's Stale filter finds exactly the customers whose header is grey."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customers.models import Customer
from integrations.models import Mode, StripeConnection, StripeCustomer, StripeEvent, SyncIssue
from tests.factories import CustomerFactory, UserFactory
from tests.integrations.stripe.pages.factories import (
    BillingSummaryFactory,
    ConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(days=3)


@pytest.fixture
def connection() -> StripeConnection:
    return ConnectionFactory(last_look_at=timezone.now())


@pytest.fixture
def acme(connection: StripeConnection) -> StripeCustomer:
    """One of two customers with figures; a third has none."""
    CustomerFactory(name="Never billed")
    billed(connection, "Bolt")
    return billed(connection, "Acme")


def billed(connection: StripeConnection, name: str) -> StripeCustomer:
    customer = CustomerFactory(name=name, billed=True, billing_as_of=timezone.now())
    stripe = StripeCustomerFactory(connection=connection, customer=customer)
    StripeSubscriptionFactory(connection=connection, customer_id=stripe.stripe_id)
    BillingSummaryFactory(connection=connection, customer=customer, live_subscriptions=1)
    return stripe


def stale(client: Client) -> list[str]:
    """Who is found, after the headers of all were asked too."""
    client.force_login(UserFactory())
    listed = client.get(reverse("customers:list"), {"stale": "on", "sort": "name", "whose": "all"})
    names = [row.customer.name for row in listed.context["rows"]]
    grey = [
        each.name
        for each in Customer.objects.order_by("name")
        if "data-stale" in client.get(each.get_absolute_url()).content.decode() and each.billing_source
    ]
    assert names == grey
    return names


def event(acme: StripeCustomer, **fields: Any) -> None:
    values = {"event_id": "evt_1", "type": "invoice.paid", "source": "poll", "created": timezone.now()}
    StripeEvent.objects.create(
        connection=acme.connection,
        stripe_customer_id=acme.stripe_id,
        **{**values, "received_at": timezone.now()},
        **fields,
    )


def issue(acme: StripeCustomer, **fields: Any) -> None:
    values = {"code": "invalid_response", "object_type": "customer", "object_id": acme.stripe_id, "severity": "error"}
    SyncIssue.objects.create(connection=acme.connection, stripe_customer_id=acme.stripe_id, **{**values, **fields})


def looked_at(connection: StripeConnection, moment: datetime) -> None:
    StripeConnection.objects.filter(pk=connection.pk).update(last_look_at=moment)


def test_nobody_is_while_everything_is_fresh(client: Client, acme: StripeCustomer) -> None:
    event(acme, state="waiting")
    assert stale(client) == []


@pytest.mark.parametrize("state", ["disconnected", "reauthorize"])
def test_everybody_is_without_access(client: Client, acme: StripeCustomer, state: str) -> None:
    StripeConnection.objects.update(state=state)
    assert stale(client) == ["Acme", "Bolt"]


def test_the_other_environment_has_a_connection_of_its_own(client: Client, acme: StripeCustomer) -> None:
    ConnectionFactory(mode=Mode.TEST, state="disconnected")
    assert stale(client) == []


def test_whoever_is_read_again_and_again_in_vain_is(client: Client, acme: StripeCustomer) -> None:
    event(acme, state="waiting", attempts=2)
    assert stale(client) == ["Acme"]


def test_whoever_was_given_up_is_until_it_is_settled(client: Client, acme: StripeCustomer) -> None:
    issue(acme)
    assert stale(client) == ["Acme"]
    SyncIssue.objects.update(state="resolved")
    assert stale(client) == []


def test_a_warning_is_no_reason(client: Client, acme: StripeCustomer) -> None:
    issue(acme, severity="warning", code="no_exchange_rate")
    assert stale(client) == []


def test_whoever_nobody_has_looked_at_for_long_is(client: Client, acme: StripeCustomer) -> None:
    looked_at(acme.connection, timezone.now() - LONG_AGO)
    assert stale(client) == []
    Customer.objects.filter(name="Bolt").update(billing_as_of=None)
    assert stale(client) == ["Bolt"]
    issue(acme)
    assert stale(client) == ["Acme", "Bolt"]

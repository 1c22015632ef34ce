"""Whatever happens to deliveries, the next poll leaves what a walk of the account would."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from integrations.models import StripeConnection, StripeCustomer, StripeEvent, StripePrice, StripeSubscription
from integrations.stripe.api.events import Hint, read_hint
from integrations.stripe.sync import inbox, polling
from sandbox.testing import Running
from tests.integrations.stripe.sync.syncing import billing, connect, mirror, sync

pytestmark = pytest.mark.django_db

CHANGES = ("status", "quantity", "email", "lookup_key", "product", "open_invoice", "paid_invoice", "delete", "new")


@pytest.fixture
def connection(stripe: Running, crm: None) -> StripeConnection:
    """A connection whose mirror is complete."""
    connection = connect(stripe)
    sync(connection)
    return connection


def pick(rows: Any, number: int) -> Any:
    """One of the rows, the same for the same number as long as the rows stay."""
    ordered = list(rows.order_by("stripe_id"))
    return ordered[number % len(ordered)]


def change(stripe: Running, kind: str, number: int) -> None:
    """Change something in Stripe, with the event Stripe would send."""
    subscription = pick(StripeSubscription.objects.filter(live=True), number)
    owner = subscription.customer_id
    if kind == "status":
        status = ("active", "past_due", "unpaid", "canceled", "trialing")[number % 5]
        stripe.patch("subscriptions", subscription.stripe_id, {"status": status})
    elif kind == "quantity":
        items = [
            {"price": one["price"]["id"], "quantity": 1 + number % 9} for one in subscription.data["items"]["data"]
        ]
        stripe.patch("subscriptions", subscription.stripe_id, {"items": items})
    elif kind == "email":
        other = pick(StripeCustomer.objects.filter(standing="live").exclude(email=""), number + 1)
        stripe.patch("customers", owner, {"email": other.email, "name": f"Renamed {number}"})
    elif kind == "lookup_key":
        price = pick(StripePrice.objects.exclude(lookup_key=""), number)
        stripe.patch("prices", price.stripe_id, {"lookup_key": f"plan_{number}_monthly"})
    elif kind == "product":
        stripe.patch("products", subscription.product_ids[0], {"name": f"Product {number}"})
    elif kind == "open_invoice":
        value = {"customer": owner, "currency": "usd", "total": 5000, "status": "open", "attempt_count": number % 3}
        stripe.put("invoices", f"in_{number}", {**value, "payment_intent_status": "requires_payment_method"})
        stripe.event("invoice.finalized", {"id": f"in_{number}", "object": "invoice", "customer": owner})
    elif kind == "paid_invoice":
        stripe.put("invoices", f"in_p{number}", {"customer": owner, "currency": "usd", "total": 500, "status": "paid"})
        stripe.event("invoice.paid", {"id": f"in_p{number}", "object": "invoice", "customer": owner})
    elif kind == "delete":
        stripe.delete("customers", owner)
    else:
        stripe.put("customers", f"cus_{number}", {"email": f"x@new{number}.example"})
        price = pick(StripePrice.objects.filter(data__currency="usd", data__recurring__interval="month"), number)
        value = {"customer": f"cus_{number}", "currency": "usd", "status": "active"}
        stripe.put("subscriptions", f"sub_{number}", {**value, "items": [{"price": price.stripe_id}]})


def recent_hints(stripe: Running) -> list[Hint]:
    """What Stripe would have delivered lately, the newest first."""
    events = stripe.get("/v1/events", limit=100).json()["data"]
    return [hint for hint in (read_hint(json.dumps(event).encode()) for event in events) if hint.taken]


@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_lost_doubled_and_shuffled_deliveries_are_made_up_for_by_the_next_poll(
    stripe: Running, connection: StripeConnection, data: st.DataObject
) -> None:
    for _round in range(2):
        changes = st.tuples(st.sampled_from(CHANGES), st.integers(0, 10_000))
        for kind, number in data.draw(st.lists(changes, min_size=1, max_size=5)):
            change(stripe, kind, number)
        hints = recent_hints(stripe)[:12]
        delivered = data.draw(st.lists(st.sampled_from(hints), max_size=15))
        for position, hint in enumerate(delivered):
            inbox.receive(connection, [hint], source="webhook")
            if data.draw(st.booleans()) and position % 4 == 0:
                inbox.drain(connection.pk, queue=False)
    connection.refresh_from_db()
    polling.poll(connection, wake=False)
    inbox.drain_now(connection)

    assert set(StripeEvent.objects.values_list("state", flat=True)) == {"done"}
    header, rows = billing(), mirror(connection)
    run = sync(connection)
    assert (run.state, run.rows_written) == ("succeeded", 0)
    assert (billing(), mirror(connection)) == (header, rows)

"""Whatever happens to deliveries, the next poll leaves what a walk of the account would."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from integrations.models import StripeConnection, StripeEvent
from integrations.stripe.api.events import Hint, read_hint
from integrations.stripe.sync import inbox, polling
from sandbox.testing import Running
from tests.integrations.stripe.sync.syncing import billing, connect, mirror, sync

pytestmark = pytest.mark.django_db

Document = dict[str, Any]

CHANGES = ("status", "quantity", "email", "lookup_key", "product", "open_invoice", "paid_invoice", "delete", "new")
KNOWN = 10  # of the newest events, which are the ones that may be delivered


@pytest.fixture
def connection(stripe: Running, crm: None) -> StripeConnection:
    """A connection whose mirror is complete."""
    connection = connect(stripe)
    sync(connection)
    return connection


@contextmanager
def undone(stripe: Running) -> Iterator[None]:
    """Let every example begin with the same account and the same rows."""
    stripe.reset()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def live(data: dict[str, list[Document]]) -> list[Document]:
    """The subscriptions that have not ended, in a fixed order."""
    there = [one for one in data["subscriptions"] if one["status"] not in ("canceled", "incomplete_expired")]
    return sorted(there, key=lambda one: str(one["id"]))


def change(stripe: Running, kind: str, number: int) -> None:
    """Change something in Stripe, with the event Stripe would send."""
    data = stripe.data()
    subscriptions = live(data)
    subscription = subscriptions[number % len(subscriptions)]
    owner, items = subscription["customer"], subscription["items"]["data"]
    if kind == "status":
        status = ("active", "past_due", "unpaid", "canceled", "trialing")[number % 5]
        stripe.patch("subscriptions", subscription["id"], {"status": status})
    elif kind == "quantity":
        rows = [{"price": one["price"]["id"], "quantity": 1 + number % 9} for one in items]
        stripe.patch("subscriptions", subscription["id"], {"items": rows})
    elif kind == "email":
        addresses = sorted(one["email"] for one in data["customers"] if one.get("email"))
        value = {"email": addresses[number % len(addresses)], "name": f"Renamed {number}"}
        stripe.patch("customers", owner, value)
    elif kind == "lookup_key":
        stripe.patch("prices", items[0]["price"]["id"], {"lookup_key": f"plan_{number}_monthly"})
    elif kind == "product":
        stripe.patch("products", items[0]["price"]["product"], {"name": f"Product {number}"})
    elif kind == "open_invoice":
        value = {"customer": owner, "currency": "usd", "total": 5000, "status": "open", "attempt_count": number % 3}
        stripe.put("invoices", f"in_{number}", {**value, "payment_intent_status": "requires_payment_method"})
        stripe.event("invoice.finalized", {"id": f"in_{number}", "object": "invoice", "customer": owner})
    elif kind == "paid_invoice":
        value = {"customer": owner, "currency": "usd", "total": 500, "status": "paid"}
        stripe.put("invoices", f"in_p{number}", value)
        stripe.event("invoice.paid", {"id": f"in_p{number}", "object": "invoice", "customer": owner})
    elif kind == "delete":
        stripe.delete("customers", owner)
    else:
        stripe.put("customers", f"cus_{number}", {"email": f"x@new{number}.example"})
        value = {"customer": f"cus_{number}", "currency": subscription["currency"], "status": "active"}
        price = items[0]["price"]["id"]
        stripe.put("subscriptions", f"sub_{number}", {**value, "items": [{"price": price}]})


THEN: dict[str, Callable[[StripeConnection], object]] = {
    "": lambda _connection: None,
    "drain": lambda connection: inbox.drain(connection.pk, queue=False),
    "poll": lambda connection: polling.poll(connection, wake=False),
    "walk": sync,
}


def newest_hints(stripe: Running) -> list[Hint]:
    """What Stripe would have delivered lately."""
    events = stripe.get("/v1/events", limit=100).json()["data"]
    hints = [read_hint(json.dumps(event).encode()) for event in events]
    return [hint for hint in hints if hint.taken][:KNOWN]


changes = st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(0, 10_000)), min_size=1, max_size=5)
# Which event is delivered, and what happens right after: mostly nothing, so that events pile up.
deliveries = st.lists(
    st.tuples(st.integers(0, KNOWN - 1), st.sampled_from(["", "", "", "drain", "drain", "poll", "walk"])), max_size=12
)


@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.tuples(changes, deliveries), min_size=1, max_size=3))
def test_lost_doubled_and_shuffled_deliveries_are_made_up_for_by_the_next_poll(
    stripe: Running,
    connection: StripeConnection,
    rounds: list[tuple[list[tuple[str, int]], list[tuple[int, str]]]],
) -> None:
    with undone(stripe):
        for changed, delivered in rounds:
            for kind, number in changed:
                change(stripe, kind, number)
            hints = newest_hints(stripe)
            for position, then in delivered:
                inbox.receive(connection, [hints[position % len(hints)]], source="webhook")
                THEN[then](connection)
        polling.poll(connection, wake=False)
        inbox.drain_now(connection)

        assert set(StripeEvent.objects.values_list("state", flat=True)) == {"done"}
        header, rows = billing(), mirror(connection)
        run = sync(connection)
        assert (run.state, run.rows_written) == ("succeeded", 0)
        assert (billing(), mirror(connection)) == (header, rows)

"""The inbox: hints in, fresh figures out, nothing closed that was not read."""

from __future__ import annotations

import pytest

from integrations.models import StripeConnection, StripeEvent
from integrations.stripe.sync import inbox, polling
from sandbox.testing import Running
from tests.integrations.stripe.sync.syncing import billing, connect, mirror, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(stripe: Running, crm: None) -> StripeConnection:
    """A connection whose mirror is complete."""
    connection = connect(stripe)
    sync(connection)
    connection.refresh_from_db()
    return connection


def test_a_poll_brings_a_change_into_the_header(stripe: Running, connection: StripeConnection) -> None:
    data = stripe.data()["subscriptions"]
    one = next(s for s in data if s["status"] == "active")
    doubled = [{"price": i["price"]["id"], "quantity": 2 * (i["quantity"] or 1)} for i in one["items"]["data"]]
    stripe.patch("subscriptions", one["id"], {"items": doubled})
    before = billing()
    result = polling.poll(connection, wake=False)
    print(result)
    drained = inbox.drain_now(connection)
    print(drained)
    print(StripeEvent.objects.values_list("type", "state", "attempts"))
    after = billing()
    assert before != after
    rows = mirror(connection)
    sync(connection)
    assert billing() == after
    assert mirror(connection) == rows

"""Changes as they arrive: deliveries accepted, customers refreshed, and the time from a delivery to the header.

Everything happens in one process: the endpoint through Django's test client, behind it the inbox as a worker drains it.
What a queue and a web server add is the worker's poll of half a second at most, and the network.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

from django.conf import settings
from django.test import Client

from bench.measure import measured, percentile
from customers.models import Customer
from integrations.models import Mode, StripeConnection, StripeSubscription
from integrations.stripe.sync import connections, inbox
from sandbox.testing import Running

SECRET = "whsec_bench"  # noqa: S105 - made up for the length of this measurement
PAGES_TO_WALK = 2  # deliveries for each page of subscriptions: from three on, a run is cheaper and takes over
CHANGES = 30


def incremental(url: str) -> dict[str, Any]:
    """On the account the last sync of this database has read; ``url`` is the sandbox it came from."""
    settings.ALLOWED_HOSTS = ["*"]
    connection = connections.get(Mode.LIVE)
    connection.webhook_secret = SECRET
    connection.save(update_fields=["webhook_secret"])
    sender = Sender()
    deliveries = PAGES_TO_WALK * StripeSubscription.objects.filter(connection=connection).count() // 100
    # One subscription each, so that every delivery makes another customer dirty.
    chosen = list(
        StripeSubscription.objects.filter(connection=connection, status="active", plan="growth_monthly")
        .order_by("customer_id")
        .distinct("customer_id")
        .values_list("stripe_id", "customer_id")[:deliveries]
    )
    with measured() as accepting:
        for subscription_id, customer_id in chosen:
            sender.deliver(subscription_id, customer_id)
    with measured() as refreshing:
        refreshed = drain(connection)
    waits = [changed(Running(url, None), connection, sender, *pair) for pair in chosen[:CHANGES]]  # type: ignore[arg-type]
    return {
        "accepted": len(chosen),
        "accepted_a_second": len(chosen) / accepting.wall,
        "statements_a_delivery": accepting.statements / len(chosen),
        "refreshed": refreshed,
        "refreshed_a_second": refreshed / refreshing.wall,
        "p50": percentile(waits, 0.5),
        "p95": percentile(waits, 0.95),
    }


class Sender:
    """Delivers signed events, each once."""

    def __init__(self) -> None:
        self.client = Client()
        self.number = 0

    def deliver(self, subscription_id: str, customer_id: str) -> None:
        """Say that a subscription has changed. Raises RuntimeError when the endpoint does not take it."""
        self.number += 1
        body, signature = signed(subscription_id, customer_id, f"evt_bench_{time.time_ns()}_{self.number}")
        answer = self.client.post(
            "/stripe/webhooks/live/account/",
            body,
            content_type="application/json",
            headers={"Stripe-Signature": signature},
        )
        if answer.status_code != 200 or answer.json()["done"] != "received":
            raise RuntimeError(f"the endpoint answered {answer.status_code} {answer.content[:200]!r}")


def signed(subscription_id: str, customer_id: str, event_id: str) -> tuple[str, str]:
    """The body of an event that says that a subscription has changed, and its signature."""
    now = int(time.time())
    subject = {"id": subscription_id, "object": "subscription", "customer": customer_id}
    event = {
        "id": event_id,
        "object": "event",
        "type": "customer.subscription.updated",
        "created": now,
        "livemode": True,
        "data": {"object": subject},
    }
    body = json.dumps(event)
    digest = hmac.new(SECRET.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
    return body, f"t={now},v1={digest}"


def drain(connection: StripeConnection) -> int:
    """Work on the inbox until nothing is due; the number of Stripe customers read."""
    read = 0
    while (result := inbox.drain(connection.pk, queue=False)) is not None:
        if result.run is not None or result.error is not None:
            raise RuntimeError(f"the inbox was left to run {result.run} ({result.error})")
        read += result.customers
    return read


def changed(
    stripe: Running, connection: StripeConnection, sender: Sender, subscription_id: str, customer_id: str
) -> float:
    """Change a quantity in Stripe, deliver the event, and wait for the header; the seconds between."""
    [item] = stripe.get(f"/v1/subscriptions/{subscription_id}").json()["items"]["data"][:1]
    items = [{"id": item["id"], "price": item["price"]["id"], "quantity": item["quantity"] + 1}]
    before = Customer.objects.filter(stripe_customers__stripe_id=customer_id).values_list("mrr", flat=True).first()
    stripe.patch("subscriptions", subscription_id, {"items": items}, event="none")
    began = time.perf_counter()
    sender.deliver(subscription_id, customer_id)
    drain(connection)
    waited = time.perf_counter() - began
    after = Customer.objects.filter(stripe_customers__stripe_id=customer_id).values_list("mrr", flat=True).first()
    if before is not None and before == after:
        raise RuntimeError(f"the header of {customer_id} did not change")
    return waited

"""Events and their signed deliveries."""

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest
import stripe as stripe_sdk

from sandbox.accounts import FIELDNOTE
from sandbox.testing import Running
from tests.sandbox.helpers import ids, walk
from tests.sandbox.test_oauth import _installed

SECRET = "whsec_of_the_test"
PATIENCE_SECONDS = 15


class Delivery(NamedTuple):
    """One webhook request as it arrived."""

    body: bytes
    signature: str


class Receiver:
    """A web server that keeps what it is sent; it answers with the statuses it is given, then 200."""

    def __init__(self) -> None:
        self.deliveries: queue.Queue[Delivery] = queue.Queue()
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.deliveries.put(Delivery(body, self.headers["Stripe-Signature"]))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def next(self) -> Delivery:
        """The next delivery, waited for."""
        return self.deliveries.get(timeout=PATIENCE_SECONDS)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    thread = threading.Thread(target=started.server.serve_forever)
    thread.start()
    yield started
    started.server.shutdown()
    thread.join()
    started.server.server_close()


def _customer(stripe: Running) -> str:
    return str(stripe.get("/v1/customers").json()["data"][0]["id"])


def test_a_delivery_verifies_with_stripes_own_verifier(own: Running, receiver: Receiver) -> None:
    own.add_webhook(receiver.url, SECRET, connect=False)
    own.patch("customers", _customer(own), {"email": "new@address.example"})
    delivery = receiver.next()
    event = stripe_sdk.Webhook.construct_event(delivery.body, delivery.signature, SECRET)
    assert event.type == "customer.updated"
    with pytest.raises(stripe_sdk.SignatureVerificationError):
        stripe_sdk.Webhook.construct_event(delivery.body, delivery.signature, "whsec_another")


def test_connected_accounts_are_named_in_what_the_app_receives(own: Running, receiver: Receiver) -> None:
    own.add_webhook(receiver.url, SECRET)
    _installed(own)
    assert json.loads(receiver.next().body)["type"] == "account.application.authorized"
    own.patch("customers", _customer(own), {"name": "Renamed"})
    event = json.loads(receiver.next().body)
    assert event["account"] == FIELDNOTE.id
    assert event["data"]["object"]["name"] == "Renamed"
    assert "name" in event["data"]["previous_attributes"]


def test_an_app_hears_of_its_uninstall(own: Running, receiver: Receiver) -> None:
    _installed(own)
    own.add_webhook(receiver.url, SECRET)
    own.uninstall()
    event = json.loads(receiver.next().body)
    assert event["type"] == "account.application.deauthorized"
    assert event["data"]["object"]["id"] == "ca_sandbox_live"


def test_a_failed_delivery_is_tried_again(own: Running, receiver: Receiver) -> None:
    receiver.statuses = [500]
    own.add_webhook(receiver.url, SECRET, connect=False)
    own.patch("customers", _customer(own), {"name": "Again"})
    first, second = receiver.next(), receiver.next()
    assert first.body == second.body


def test_test_events_reach_the_test_and_the_live_endpoint(own: Running, receiver: Receiver) -> None:
    _installed(own)
    own.add_webhook(receiver.url, SECRET, mode="live")
    own.add_webhook(receiver.url, SECRET, mode="test")
    customer = own.get("/v1/customers", "rk_test_all").json()["data"][0]["id"]
    own.patch("customers", customer, {"name": "In test mode"}, mode="test")
    events = [json.loads(receiver.next().body) for _ in range(2)]
    assert [event["livemode"] for event in events] == [False, False]
    assert events[0]["id"] == events[1]["id"]


def test_changes_are_listed_newest_first_and_can_be_narrowed(own: Running) -> None:
    customer = _customer(own)
    own.patch("customers", customer, {"name": "Listed"})
    (newest,) = own.get("/v1/events", type="customer.updated", limit=1).json()["data"]
    assert newest["data"]["object"]["id"] == customer
    assert ids(own, "/v1/events", **{"types[]": ["customer.updated"]}) == [newest["id"]]
    assert ids(own, "/v1/events", type="customer.updated", **{"created[gt]": newest["created"]}) == []


def test_events_are_listed_for_thirty_days(own: Running) -> None:
    own.patch("customers", _customer(own), {"name": "Long ago"})
    assert ids(own, "/v1/events", type="customer.updated")
    own.advance_clock(31 * 86_400)
    assert ids(own, "/v1/events", type="customer.updated") == []


@pytest.mark.parametrize(
    ("kind", "changes", "event"),
    [
        ("subscriptions", {"status": "canceled"}, "customer.subscription.deleted"),
        ("subscriptions", {"status": "paused"}, "customer.subscription.paused"),
        ("subscriptions", {"cancel_at_period_end": True}, "customer.subscription.updated"),
        ("invoices", {"status": "void"}, "invoice.voided"),
        ("invoices", {"status": "uncollectible"}, "invoice.marked_uncollectible"),
        ("invoices", {"attempt_count": 9}, "invoice.payment_failed"),
        ("payment_intents", {"status": "processing"}, "payment_intent.processing"),
        ("prices", {"lookup_key": "renamed"}, "price.updated"),
        ("products", {"name": "Renamed"}, "product.updated"),
    ],
)
def test_a_change_records_the_event_stripe_would(own: Running, kind: str, changes: dict[str, Any], event: str) -> None:
    settled = {"subscriptions": "active", "invoices": "paid", "payment_intents": "succeeded"}
    wanted = settled.get(kind)
    chosen = next(one for one in own.data()[kind] if wanted is None or one["status"] == wanted)
    own.patch(kind, chosen["id"], changes)
    types = {
        one["type"] for one in walk(own, "/v1/events", limit=100)
        if one["data"]["object"]["id"] == chosen["id"] and "previous_attributes" in one["data"]
    }  # fmt: skip
    assert event in types


def test_a_change_can_be_made_silently(own: Running) -> None:
    before = ids(own, "/v1/events", limit=100)
    own.patch("customers", _customer(own), {"name": "Hush"}, event="none")
    assert ids(own, "/v1/events", limit=100) == before


def test_a_reset_gives_up_what_is_under_way_and_counts_anew(own: Running, receiver: Receiver) -> None:
    receiver.statuses = [500] * 3
    own.add_webhook(receiver.url, SECRET, connect=False)
    customer = own.data()["customers"][0]["id"]
    own.patch("customers", customer, {"name": "Renamed"})
    receiver.deliveries.get(timeout=PATIENCE_SECONDS)  # the first of three tries
    own.reset()
    own.add_webhook(receiver.url, SECRET, connect=False)
    receiver.statuses = []
    own.patch("customers", customer, {"name": "Renamed again"})
    assert b"Renamed again" in receiver.deliveries.get(timeout=PATIENCE_SECONDS).body
    assert own.webhooks()["failed"] == 0

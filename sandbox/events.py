"""Events: which one a change makes, what it carries, and where it is kept."""

import secrets
from typing import Any

from sandbox import API_VERSION
from sandbox.clock import Clock
from sandbox.identifiers import make_id
from sandbox.kinds import KINDS
from sandbox.shapes import Json, build
from sandbox.store import Dataset

_PREFIX = {"subscriptions": "customer.subscription"}
_INVOICE_EVENTS = {
    "open": "invoice.finalized",
    "paid": "invoice.paid",
    "void": "invoice.voided",
    "uncollectible": "invoice.marked_uncollectible",
}
_INTENT_EVENTS = {
    "processing": "payment_intent.processing",
    "requires_action": "payment_intent.requires_action",
    "requires_payment_method": "payment_intent.payment_failed",
    "succeeded": "payment_intent.succeeded",
    "canceled": "payment_intent.canceled",
}


def type_of_change(kind: str, before: Json | None, after: Json | None) -> str | None:
    """The event Stripe records when an object goes from `before` to `after`; None where it records nothing."""
    if kind == "invoice_payments":
        return "invoice_payment.paid" if _became(before, after, "status") == "paid" else None
    prefix = _PREFIX.get(kind, KINDS[kind].resource)
    if before is None:
        return f"{prefix}.created"
    if after is None:
        return f"{prefix}.deleted"
    special = {"subscriptions": _subscription, "invoices": _invoice, "payment_intents": _intent}.get(kind)
    return special(before, after) if special else f"{prefix}.updated"


def _became(before: Json | None, after: Json | None, name: str) -> Any:
    held = None if before is None else before[name]
    return after[name] if after is not None and after[name] != held else None


def _subscription(before: Json, after: Json) -> str:
    status = _became(before, after, "status")
    if status == "canceled":
        return "customer.subscription.deleted"
    if status == "paused":
        return "customer.subscription.paused"
    if before["status"] == "paused" and status:
        return "customer.subscription.resumed"
    return "customer.subscription.updated"


def _invoice(before: Json, after: Json) -> str:
    status = _became(before, after, "status")
    if status in _INVOICE_EVENTS:
        return _INVOICE_EVENTS[status]
    if after["attempt_count"] > before["attempt_count"]:
        return "invoice.payment_failed"
    return "invoice.updated"


def _intent(before: Json, after: Json) -> str | None:
    return _INTENT_EVENTS.get(_became(before, after, "status") or "")


def record(dataset: Dataset, clock: Clock, event_type: str, snapshot: Json, previous: Json | None = None) -> Json:
    """Store a new event about `snapshot` and return it; `previous` holds the old values of changed fields."""
    data: Json = {"object": snapshot}
    if previous is not None:
        data["previous_attributes"] = previous
    event = build(
        "event",
        id=make_id("event", secrets.token_hex(16)),
        api_version=API_VERSION,
        created=clock.now(),
        data=data,
        livemode=dataset.livemode,
        request={"id": make_id("request", secrets.token_hex(8)), "idempotency_key": None},
        type=event_type,
    )
    dataset.write("events", event)
    return event


def previous_attributes(before: Json, after: Json) -> Json:
    """The old values of the top-level fields that differ."""
    return {name: before.get(name) for name in after if before.get(name) != after[name]}

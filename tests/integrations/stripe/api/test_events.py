"""Hints: what an event is about and whose it is, and nothing else of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings

from integrations.errors import IntegrationError
from integrations.stripe.api.events import POLLED, TAKEN, Hint, read_hint


def event(kind: str = "customer.subscription.updated", **fields: Any) -> bytes:
    """An event as Stripe sends it; ``object`` is what it is about."""
    subject = fields.pop("object", {"id": "sub_1", "object": "subscription", "customer": "cus_1"})
    whole = {
        "id": "evt_1",
        "object": "event",
        "api_version": "2019-02-19",
        "created": 1_790_000_000,
        "livemode": True,
        "type": kind,
        "data": {"object": subject, "previous_attributes": {"status": "active"}},
        **fields,
    }
    return json.dumps(whole).encode()


def about(kind: str, subject: dict[str, Any]) -> tuple[str, str, str]:
    hint = read_hint(event(kind, object=subject))
    return hint.object_type, hint.object_id, hint.customer_id


def test_an_event_becomes_a_hint() -> None:
    assert read_hint(event(account="acct_1")) == Hint(
        taken=True,
        event_id="evt_1",
        type="customer.subscription.updated",
        created=1_790_000_000,
        livemode=True,
        account="acct_1",
        object_type="subscription",
        object_id="sub_1",
        customer_id="cus_1",
    )


@pytest.mark.parametrize(
    ("kind", "named", "expected"),
    [
        ("customer.updated", {}, ("customer", "x_1", "x_1")),
        ("customer.deleted", {"deleted": True}, ("customer", "x_1", "x_1")),
        ("invoice.paid", {"customer": {"id": "cus_1"}}, ("invoice", "x_1", "cus_1")),
        ("invoice_payment.paid", {"invoice": "in_1"}, ("invoice", "in_1", "")),
        ("payment_intent.processing", {"customer": None}, ("payment_intent", "x_1", "")),
        ("customer.discount.created", {"object": "discount", "customer": "cus_1"}, ("discount", "x_1", "cus_1")),
        ("price.updated", {}, ("price", "x_1", "")),
        ("product.updated", {}, ("product", "x_1", "")),
    ],
)
def test_each_kind_says_whose_it_is_in_its_own_way(
    kind: str, named: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert about(kind, {"object": kind.partition(".")[0], "id": "x_1", **named}) == expected


@pytest.mark.parametrize("kind", ["charge.succeeded", "coupon.updated", "invoice.created", "something.new", ""])
def test_what_cannot_change_a_figure_is_not_looked_into(kind: str) -> None:
    hint = read_hint(event(kind, object={"id": 5, "customer": [1]}))

    assert (hint.taken, hint.object_id) == (False, "")


def test_a_poll_asks_for_no_more_types_than_one_request_takes() -> None:
    assert len(POLLED) == len(set(POLLED)) <= 20
    assert set(POLLED) < set(TAKEN)
    said = (settings.BASE_DIR / "docs" / "architecture.md").read_text()
    assert [kind for kind in TAKEN if kind not in POLLED and f"`{kind}`" not in said] == []


def test_a_thin_event_is_refused_with_a_reason() -> None:
    with pytest.raises(IntegrationError, match="Thin"):
        read_hint(b'{"id":"evt_1","object":"v2.core.event","type":"v1.customer.updated"}')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"null",
        b"[]",
        b"{}",
        b'{"id":"evt_1","object":"charge"}',
        event(id=7),
        event(id=""),
        event(id="evt_\0"),
        event(id="e" * 300),
        event(created="now"),
        event(created=10**18),
        event(livemode="yes"),
        event(data=[]),
        event(object={"id": 5, "object": "subscription"}),
        event(object={"id": "sub_1", "object": "subscription", "customer": "c" * 300}),
        event(object={"id": "sub_1", "object": "s" * 50, "customer": "cus_1"}),
        event(object=[]),
        b'{"object":"event","data":' + b"[" * 100_000,
        b"\xff\xfe",
    ],
    ids=range(20),
)
def test_anything_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(IntegrationError) as caught:
        read_hint(body)
    assert caught.value.code == "invalid_response"

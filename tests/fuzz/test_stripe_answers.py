"""Whatever Stripe answers, each object becomes a row or an issue, and nothing falls over."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.errors import IntegrationError
from integrations.models import StripeConnection, StripeCustomer, StripeSubscription
from integrations.stripe.api import objects
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.decode import DecodeError, decode, reference
from integrations.stripe.api.governor import Governor
from integrations.stripe.api.objects import Invoice, Page, Subscription
from integrations.stripe.api.retry import RetryPolicy
from integrations.stripe.rules.money import Rates
from integrations.stripe.rules.mrr import contribution
from integrations.stripe.rules.payment_status import payment_status, sentence
from integrations.stripe.rules.reckoning import Catalog
from integrations.stripe.sync import derive, store
from integrations.stripe.sync.rows import Batch
from integrations.stripe.sync.walks import SUBSCRIPTIONS
from tests.fuzz.values import COUPON, INVOICE, PRICE, SUBSCRIPTION, anything, mutated, often
from tests.integrations.stripe.pages.factories import ConnectionFactory

NOW = datetime(2026, 11, 24, tzinfo=UTC)
STRUCTS = [getattr(objects, name) for name in ("Customer", "Subscription", "Invoice", "Price", "Coupon", "Account")]


def as_bytes(value: Any) -> bytes:
    """JSON as a careless sender would write it: NaN and lone surrogates included."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


@often
@given(value=anything, struct=st.sampled_from(STRUCTS))
def test_any_json_is_an_object_or_a_decode_error(value: Any, struct: Any) -> None:
    with suppress(DecodeError):
        decode(as_bytes(value), struct)
    reference(as_bytes(value))


@often
@given(raw=st.binary(max_size=200), struct=st.sampled_from(STRUCTS))
def test_any_bytes_are_an_object_or_a_decode_error(raw: bytes, struct: Any) -> None:
    with pytest.raises(DecodeError):
        decode(raw, struct)
    assert reference(raw) is None


@often
@given(value=mutated(SUBSCRIPTION))
def test_whatever_decodes_has_a_receipt_that_adds_up(value: Any) -> None:
    try:
        subscription = decode(as_bytes(value), Subscription)
    except DecodeError:
        return
    found = contribution(subscription, customer_discount=None, catalog=Catalog(), rates=Rates(), now=NOW)
    assert sum(line.usd or 0 for line in found.receipt.lines) == found.receipt.contribution
    assert decode(msgspec.json.encode(subscription), Subscription) == subscription


@often
@given(values=st.lists(mutated(INVOICE), min_size=1, max_size=3))
def test_whatever_decodes_has_a_payment_status(values: list[Any]) -> None:
    invoices = []
    for value in values:
        try:
            invoices.append(decode(as_bytes(value), Invoice))
        except DecodeError:
            continue
    found = payment_status(invoices, intents={}, subscriptions=[], now=NOW)
    if found.reason:
        assert sentence(found.reason)


@often
@given(body=st.binary(max_size=120) | anything.map(as_bytes))
def test_any_body_of_a_list_is_a_page_or_an_error_with_a_code(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.stripe.api.client.get_bytes", lambda *args: (body, {}))
    reader = StripeReader(
        "rk_live_x",
        base_url="http://127.0.0.1:9",
        governor=Governor(0, 0, sleep=lambda _seconds: None),
        retry=RetryPolicy(tries=1, base_seconds=0, sleep=lambda _seconds: None),
    )
    with suppress(IntegrationError):
        reader.get_page("/v1/customers")


@pytest.fixture(scope="module")
def live(django_db_setup: Any, django_db_blocker: Any) -> Any:
    """A connection that stays for the module: hypothesis runs many cases in one test."""
    with django_db_blocker.unblock():
        connection = ConnectionFactory()
        yield connection
        StripeConnection.objects.filter(pk=connection.pk).delete()


@pytest.mark.django_db
@often
@given(values=st.lists(mutated(SUBSCRIPTION), min_size=1, max_size=4))
def test_a_page_of_anything_is_stored_and_rolled_up(values: list[Any], live: StripeConnection) -> None:
    page = Page(data=[msgspec.Raw(as_bytes(value)) for value in values], has_more=False)
    batch = SUBSCRIPTIONS.read_page(
        page,
        batch=Batch.empty(),
        reader=None,
        connection=live,
        observed_at=NOW,  # type: ignore[arg-type]
    )
    assert batch.read == len(values)
    StripeSubscription.objects.filter(connection=live).delete()
    StripeCustomer.objects.filter(connection=live).delete()
    store.write(live.pk, batch)
    stored = StripeSubscription.objects.filter(connection=live).count()
    assert stored + len(batch.problems) >= 1
    derive.rematch_all(live)


def test_the_objects_that_are_changed_are_good_to_begin_with() -> None:
    decode(as_bytes(SUBSCRIPTION), Subscription)
    decode(as_bytes(INVOICE), Invoice)
    decode(as_bytes(PRICE), objects.Price)
    decode(as_bytes(COUPON), objects.Coupon)

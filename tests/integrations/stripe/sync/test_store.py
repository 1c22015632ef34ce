"""What an observation may overwrite, and what becomes of a row the database refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from integrations.models import (
    StripeConnection,
    StripeCustomer,
    StripeInvoice,
    StripeProduct,
    StripeSubscription,
)
from integrations.stripe.api.objects import (
    Customer,
    Invoice,
    InvoicePayment,
    InvoicePayments,
    Price,
    Product,
    Recurring,
    Subscription,
    SubscriptionItem,
    SubscriptionItems,
)
from integrations.stripe.sync import store
from integrations.stripe.sync.rows import Batch

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)
CREATED = 1_700_000_000


@pytest.fixture
def connection() -> StripeConnection:
    return StripeConnection.objects.create(mode="live")


def product(name: str, at: datetime, stripe_id: str = "prod_1") -> Batch:
    batch = Batch.empty()
    batch.add_product(Product(id=stripe_id, name=name), at)
    return batch


def subscription(stripe_id: str = "sub_1", status: str = "active") -> Subscription:
    price = Price(
        id="price_1", currency="usd", product="prod_1", recurring=Recurring(interval="month"), unit_amount=1000
    )
    items = SubscriptionItems(data=[SubscriptionItem(id="si_1", price=price, quantity=1)])
    return Subscription(
        id=stripe_id,
        customer="cus_1",
        status=status,
        created=CREATED,
        start_date=CREATED,
        currency="usd",
        items=items,
        latest_invoice="in_1",
    )


def stored() -> tuple[str, datetime]:
    row = StripeProduct.objects.get(stripe_id="prod_1")
    return row.name, row.observed_at


@pytest.mark.parametrize(
    ("name", "at", "refresh", "expected"),
    [
        ("new", LATER, False, ("new", LATER)),
        ("old", LATER, False, ("old", NOW)),  # says the same: left unwritten
        ("new", NOW, False, ("old", NOW)),  # at the same time, a walk gives way
        ("new", EARLIER, False, ("old", NOW)),
        ("new", LATER, True, ("new", LATER)),
        ("old", LATER, True, ("old", LATER)),  # a refresh always moves it
        ("new", NOW, True, ("new", NOW)),  # at the same time, a refresh wins
        ("new", EARLIER, True, ("old", NOW)),
    ],
)
def test_an_older_observation_never_overwrites_a_newer_one(
    connection: StripeConnection, name: str, at: datetime, refresh: bool, expected: tuple[str, datetime]
) -> None:
    store.write(connection.pk, product("old", NOW))
    written = store.write(connection.pk, product(name, at), refresh=refresh)

    assert stored() == expected
    assert written == (expected != ("old", NOW))


def test_the_same_id_in_live_and_in_test_mode_is_two_rows(connection: StripeConnection) -> None:
    other = StripeConnection.objects.create(mode="test")
    store.write(connection.pk, product("live", NOW))
    store.write(other.pk, product("test", NOW))

    assert set(StripeProduct.objects.values_list("connection_id", "name")) == {
        (connection.pk, "live"),
        (other.pk, "test"),
    }


def test_a_batch_keeps_the_newest_of_several_observations() -> None:
    batch = product("newest", LATER)
    batch.merge(product("older", NOW))

    assert [row["name"] for row in batch.tables["product"].values()] == ["newest"]


def test_a_subscription_brings_its_customer_and_its_latest_invoice(connection: StripeConnection) -> None:
    whole = subscription()
    batch = Batch.empty()
    payment = InvoicePayment(id="inpay_1", status="open", created=CREATED)
    invoice = Invoice(
        id="in_1",
        created=CREATED,
        currency="usd",
        customer="cus_1",
        status="open",
        payments=InvoicePayments(data=[payment]),
    )
    expanded = msgspec.structs.replace(
        whole, customer=Customer(id="cus_1", email="Ann@Acme.COM"), latest_invoice=invoice
    )
    batch.add_subscription(expanded, NOW)
    store.write(connection.pk, batch)

    assert StripeCustomer.objects.get().email_domain == "acme.com"
    assert StripeInvoice.objects.get().customer_id == "cus_1"
    row = StripeSubscription.objects.get()
    assert (row.customer_id, row.latest_invoice_id, row.data["customer"]) == ("cus_1", "in_1", "cus_1")


def test_one_row_the_database_refuses_does_not_spoil_the_batch(connection: StripeConnection) -> None:
    batch = Batch.empty()
    for number in range(5):
        # Longer than the column: such a value passes the decoder, which knows no columns of text.
        status = "x" * 60 if number == 3 else "active"
        batch.add_subscription(subscription(f"sub_{number}", status), NOW)
    written = store.write(connection.pk, batch)

    assert written == 4
    assert sorted(StripeSubscription.objects.values_list("stripe_id", flat=True)) == [
        "sub_0",
        "sub_1",
        "sub_2",
        "sub_4",
    ]
    assert [(each.code, each.object_id, each.stripe_customer_id) for each in batch.problems] == [
        ("invalid_response", "sub_3", "cus_1")
    ]


def test_a_deleted_customer_keeps_its_last_values(connection: StripeConnection) -> None:
    batch = Batch.empty()
    batch.add_customer(Customer(id="cus_1", email="ann@acme.com", name="Acme", created=CREATED), NOW)
    store.write(connection.pk, batch)
    gone = Batch.empty()
    gone.add_customer(Customer(id="cus_1", deleted=True), LATER)
    store.write(connection.pk, gone)

    row = StripeCustomer.objects.get()
    assert (row.deleted, row.email, row.name, row.data["email"]) == (True, "ann@acme.com", "Acme", "ann@acme.com")


def test_a_customer_that_is_first_met_deleted_leaves_a_tombstone(connection: StripeConnection) -> None:
    batch = Batch.empty()
    batch.add_customer(Customer(id="cus_1", deleted=True), NOW)
    store.write(connection.pk, batch)

    assert list(StripeCustomer.objects.values_list("stripe_id", "deleted", "email")) == [("cus_1", True, "")]


def test_a_subscription_that_is_gone_ends_and_keeps_its_last_values(connection: StripeConnection) -> None:
    batch = Batch.empty()
    batch.add_subscription(subscription(), NOW)
    store.write(connection.pk, batch)
    gone = Batch.empty()
    gone.bury("subscription", "sub_1", LATER)
    store.write(connection.pk, gone)

    row = StripeSubscription.objects.get()
    assert (row.status, row.live, row.data["status"], row.observed_at) == ("canceled", False, "canceled", LATER)
    assert row.data["items"]["data"][0]["price"]["id"] == "price_1"


@pytest.mark.parametrize(("at", "deleted"), [(EARLIER, False), (LATER, True)])
def test_an_old_answer_that_something_is_gone_does_not_overrule_a_newer_one(
    connection: StripeConnection, at: datetime, deleted: bool
) -> None:
    batch = Batch.empty()
    batch.add_customer(Customer(id="cus_1", email="ann@acme.com"), NOW)
    store.write(connection.pk, batch)
    gone = Batch.empty()
    gone.bury("customer", "cus_1", at)
    store.write(connection.pk, gone)

    assert StripeCustomer.objects.get().deleted is deleted


def test_the_statements_of_a_batch_do_not_grow_with_it(connection: StripeConnection) -> None:
    def statements(rows: int) -> int:
        batch = Batch.empty()
        for number in range(rows):
            batch.add_product(Product(id=f"prod_{rows}_{number}", name="x"), NOW)
            batch.add_subscription(subscription(f"sub_{rows}_{number}"), NOW)
        with CaptureQueriesContext(database) as asked:
            store.write(connection.pk, batch)
        return len(asked)

    assert statements(2) == statements(200)

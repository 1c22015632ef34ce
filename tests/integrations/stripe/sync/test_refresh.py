"""One Stripe customer, read fresh: everything that speaks for it, up to the header."""

from __future__ import annotations

from decimal import Decimal

import pytest

from customers.models import Customer
from integrations.errors import IntegrationError
from integrations.models import (
    ApiCall,
    ConnectionState,
    IssueState,
    StripeConnection,
    StripeCustomer,
    StripeInvoice,
    StripePrice,
    StripeSubscription,
    SyncIssue,
)
from integrations.stripe.sync.refresh import refresh, retry_issue
from sandbox.testing import Running
from tests.factories import CustomerFactory, UserFactory
from tests.integrations.stripe.sync.syncing import billing, connect, mirror, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(stripe: Running, crm: None) -> StripeConnection:
    """A connection whose mirror is complete."""
    connection = connect(stripe)
    sync(connection)
    return connection


def somebody(**more: object) -> StripeSubscription:
    """A subscription in US dollars whose Stripe customer is the only one on its Pivotal customer."""
    alone = StripeCustomer.objects.filter(match_state="matched", ambiguous_kind="", standing="live")
    ids = alone.values_list("stripe_id", flat=True)
    found = StripeSubscription.objects.filter(customer_id__in=ids, status="active", currency="usd", mrr__gt=0, **more)
    return next(one for one in found.order_by("stripe_id") if found.filter(customer_id=one.customer_id).count() == 1)


def owner_of(subscription: StripeSubscription) -> Customer:
    owner = StripeCustomer.objects.get(stripe_id=subscription.customer_id).customer
    assert owner is not None
    return owner


@pytest.mark.parametrize("key", ["rk_live_all", "rk_live_four_noexpand"])
def test_a_refresh_after_a_run_changes_nothing(stripe: Running, crm: None, key: str) -> None:
    connection = connect(stripe, key)
    sync(connection)
    before = billing()
    some = list(StripeCustomer.objects.order_by("stripe_id").values_list("stripe_id", flat=True))[::4]
    changed = {
        stripe_id: result.changed
        for stripe_id in some
        if (result := refresh(connection, stripe_id)).changed or result.issues
    }

    assert changed == {}
    assert billing() == before


def test_a_change_in_stripe_arrives_in_the_header(stripe: Running, connection: StripeConnection) -> None:
    subscription = somebody()
    owner = owner_of(subscription)
    items = subscription.data["items"]["data"]
    doubled = [{"price": one["price"]["id"], "quantity": 2 * one["quantity"]} for one in items]
    stripe.patch("subscriptions", subscription.stripe_id, {"items": doubled, "status": "past_due"}, event="none")
    result = refresh(connection, subscription.customer_id, actor=UserFactory.create(username="csm"))

    before = owner.mrr
    owner.refresh_from_db()
    assert "mrr" in result.changed
    assert list(result.by_customer) == [owner.pk]
    assert owner.mrr > before
    assert owner.billing_as_of == result.as_of
    assert owner.activities.filter(field="mrr").latest("at").origin == "Resync by csm"


def test_a_refresh_moves_the_time_of_rows_that_say_the_same(stripe: Running, connection: StripeConnection) -> None:
    subscription = somebody()
    before, rows = subscription.observed_at, mirror(connection)
    result = refresh(connection, subscription.customer_id)

    subscription.refresh_from_db()
    assert subscription.observed_at > before
    assert subscription.observed_at >= result.as_of
    assert result.changed == []
    assert mirror(connection) == rows


def test_a_run_after_a_refresh_writes_nothing(stripe: Running, connection: StripeConnection) -> None:
    refresh(connection, somebody().customer_id)

    assert sync(connection).rows_written == 0


def test_a_new_subscription_brings_a_price_the_mirror_does_not_have(
    stripe: Running, connection: StripeConnection
) -> None:
    subscription = somebody()
    product = subscription.product_ids[0]
    price = {"product": product, "unit_amount": 12300, "currency": "usd", "recurring": {"interval": "month"}}
    stripe.put("prices", "price_new", {**price, "lookup_key": "new_monthly"}, event="none")
    value = {"customer": subscription.customer_id, "currency": "usd", "status": "active"}
    stripe.put("subscriptions", "sub_new", {**value, "items": [{"price": "price_new"}]}, event="none")
    owner = owner_of(subscription)
    refresh(connection, subscription.customer_id)

    before = owner.mrr
    owner.refresh_from_db()
    assert StripePrice.objects.filter(stripe_id="price_new").exists()
    assert owner.mrr == before + Decimal("123.00")


def test_all_items_of_a_large_subscription_are_read(stripe: Running, connection: StripeConnection) -> None:
    large = next(one for one in StripeSubscription.objects.all() if len(one.data["items"]["data"]) > 10)
    items, mrr = len(large.data["items"]["data"]), large.mrr
    refresh(connection, large.customer_id)
    large.refresh_from_db()
    assert (len(large.data["items"]["data"]), large.mrr) == (items, mrr)

    # Left out of the list, it is read by id, which brings the first items only as well.
    stripe.patch("subscriptions", large.stripe_id, {"test_clock": "clock_1"}, event="none")
    refresh(connection, large.customer_id)
    large.refresh_from_db()
    assert (len(large.data["items"]["data"]), large.mrr) == (items, mrr)


def test_a_deleted_customer_leaves_the_header(stripe: Running, connection: StripeConnection) -> None:
    subscription = somebody()
    owner = owner_of(subscription)
    stripe.delete("customers", subscription.customer_id, event="none")
    refresh(connection, subscription.customer_id)

    owner.refresh_from_db()
    row = StripeCustomer.objects.get(stripe_id=subscription.customer_id)
    assert (row.deleted, bool(row.email)) == (True, True)
    assert (owner.mrr, owner.plan, owner.stripe_customer_id) == (0, "", "")


def test_a_customer_stripe_has_never_heard_of_is_no_error(stripe: Running, connection: StripeConnection) -> None:
    result = refresh(connection, "cus_unheard")

    assert (result.changed, result.issues) == ([], [])


def test_a_new_address_moves_the_figures_from_one_customer_to_another(
    stripe: Running, connection: StripeConnection
) -> None:
    subscription = somebody()
    old, new = owner_of(subscription), CustomerFactory.create(domain="moved-here.com")
    mrr = old.mrr
    stripe.patch("customers", subscription.customer_id, {"email": "new@moved-here.com"}, event="none")
    result = refresh(connection, subscription.customer_id)

    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.mrr, new.mrr) == (0, mrr)
    assert set(result.by_customer) == {old.pk, new.pk}


def test_a_broken_subscription_becomes_an_issue_and_the_rest_is_stored(
    stripe: Running, connection: StripeConnection
) -> None:
    subscription = somebody()
    stripe.patch("customers", subscription.customer_id, {"name": "Renamed"}, event="none")
    query = {"customer": subscription.customer_id}
    stripe.fault("broken_object", "/v1/subscriptions", query=query)
    result = refresh(connection, subscription.customer_id)

    assert [(issue.code, issue.object_id) for issue in result.issues] == [("invalid_response", subscription.stripe_id)]
    assert StripeCustomer.objects.get(stripe_id=subscription.customer_id).name == "Renamed"
    subscription.refresh_from_db()
    assert subscription.live


def test_retrying_a_record_resolves_its_issue(stripe: Running, connection: StripeConnection) -> None:
    subscription = somebody()
    stripe.fault("broken_object", "/v1/subscriptions", query={"customer": subscription.customer_id})
    (issue,) = refresh(connection, subscription.customer_id).issues
    result = retry_issue(issue, actor=None)

    assert result.issues == []
    assert issue.state == IssueState.RESOLVED


def test_a_record_whose_customer_is_unknown_cannot_be_retried(connection: StripeConnection) -> None:
    issue = SyncIssue.objects.create(
        connection=connection, code="invalid_response", severity="error", object_id="(no id)"
    )

    with pytest.raises(IntegrationError) as caught:
        retry_issue(issue, actor=None)
    assert "run a sync" in caught.value.message


def test_a_broken_open_invoice_stays_in_the_mirror(stripe: Running, connection: StripeConnection) -> None:
    customer_id = somebody().customer_id
    one_off = {"customer": customer_id, "currency": "usd", "total": 5000, "status": "open", "attempt_count": 2}
    stripe.put("invoices", "in_one_off", one_off, event="none")
    refresh(connection, customer_id)
    stripe.patch("invoices", "in_one_off", {"status": "void"}, event="none")
    stripe.fault("broken_object", "/v1/invoices/in_one_off")
    result = refresh(connection, customer_id)

    assert [issue.object_id for issue in result.issues] == ["in_one_off"]
    assert StripeInvoice.objects.filter(stripe_id="in_one_off", status="open").exists()


def test_access_that_is_over_asks_for_reauthorisation(stripe: Running, connection: StripeConnection) -> None:
    stripe.revoke_key("rk_live_all")
    with pytest.raises(IntegrationError) as caught:
        refresh(connection, somebody().customer_id)
    connection.refresh_from_db()

    assert caught.value.code == "reauthorize"
    assert connection.state == ConnectionState.REAUTHORIZE


def test_what_a_refresh_asked_is_listed_among_the_calls(stripe: Running, connection: StripeConnection) -> None:
    ApiCall.objects.all().delete()
    subscription = somebody()
    refresh(connection, subscription.customer_id)

    paths = list(ApiCall.objects.order_by("pk").values_list("method", "path"))
    assert paths[0][0] == "GET"
    assert paths[0][1].startswith(f"/v1/customers/{subscription.customer_id}")
    assert len(paths) >= 5

"""Connecting the right account in the right mode, and leaving it again."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database
from pytest_django.fixtures import Settings

from customers.models import Customer
from integrations.errors import IntegrationError
from integrations.models import (
    ApiCall,
    AuthKind,
    ConnectionState,
    RunState,
    ScopeFilter,
    StripeConnection,
    StripeCustomer,
    StripePrice,
    StripeProduct,
)
from integrations.stripe.sync import connections, disconnecting, polling, probing
from sandbox.accounts import FIELDNOTE, OTHER
from sandbox.testing import Running
from tests.factories import AdminFactory, CustomerFactory
from tests.integrations.stripe.sync.syncing import EIGHT, FIELDS, FOUR, billing, connect, start, sync

pytestmark = pytest.mark.django_db

BACK = "http://127.0.0.1:8000/callback/"


def consent(stripe: Running, **where: str) -> str:
    return parse_qs(urlsplit(stripe.authorize(BACK, **where)).query)["code"][0]


def connect_app(stripe: Running, mode: str = "live", **where: str) -> StripeConnection:
    code = consent(stripe, mode=mode, **where)
    return connections.connect_by_code(mode, code=code, redirect_uri=BACK, actor=AdminFactory.create())


def untouched(mode: str = "live") -> bool:
    """Whether nothing of a refused access was stored."""
    row = StripeConnection.objects.get(mode=mode)
    return (row.state, row.access_token, row.account_id, row.permissions) == (ConnectionState.DISCONNECTED, "", "", [])


# --- by consent ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", ["stripe_app", "connect"])
@pytest.mark.parametrize("mode", ["live", "test"])
def test_a_consent_connects(stripe: Running, settings: Settings, flow: str, mode: str) -> None:
    settings.STRIPE_OAUTH_PRESET = flow
    connection = connect_app(stripe, mode, flow=flow)

    assert (connection.state, connection.auth_kind) == (ConnectionState.CONNECTED, flow)
    assert (connection.account_id, connection.account_name) == (FIELDNOTE.id, "Fieldnote Inc")
    assert connection.permissions == EIGHT
    assert connection.can_expand
    assert connection.connected_by is not None


def test_a_code_used_twice_is_refused_and_said_so(stripe: Running) -> None:
    code = consent(stripe)
    connections.connect_by_code("live", code=code, redirect_uri=BACK, actor=None)
    with pytest.raises(IntegrationError) as caught:
        connections.connect_by_code("live", code=code, redirect_uri=BACK, actor=None)

    assert caught.value.code == "code_used"


def test_a_code_that_is_refused_stores_nothing_but_the_call(stripe: Running) -> None:
    with pytest.raises(IntegrationError):
        connections.connect_by_code("live", code="ac_made_up", redirect_uri=BACK, actor=None)

    assert untouched()
    assert list(ApiCall.objects.values_list("method", "path")) == [("POST", "/v1/oauth/token")]


def test_a_mode_without_an_app_says_that_it_is_not_configured(stripe: Running, settings: Settings) -> None:
    settings.STRIPE_CLIENT_ID_LIVE = ""
    with pytest.raises(IntegrationError) as caught:
        connections.connect_by_code("live", code="ac_x", redirect_uri=BACK, actor=None)

    assert caught.value.code == "not_configured"


def test_a_consent_without_the_two_needed_permissions_is_refused(stripe: Running) -> None:
    stripe.consent_to(["invoice_read"])
    with pytest.raises(IntegrationError) as caught:
        connect_app(stripe)

    assert caught.value.code == "permission_missing"
    assert "Customers" in caught.value.message
    assert untouched()


# --- by key ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "permissions", "can_expand"),
    [("rk_live_all", EIGHT, True), ("rk_live_four", FOUR, True), ("rk_live_four_noexpand", FOUR, False)],
)
def test_a_restricted_key_connects_with_what_it_may_read(
    stripe: Running, key: str, permissions: list[str], can_expand: bool
) -> None:
    connection = connect(stripe, key)

    assert (connection.state, connection.auth_kind) == (ConnectionState.CONNECTED, AuthKind.RESTRICTED_KEY)
    assert (connection.permissions, connection.can_expand) == (permissions, can_expand)
    assert connection.key_last4 == key[-4:]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("sk_live_0000000000", "invalid_key"),
        ("pk_live_0000000000", "invalid_key"),
        ("", "invalid_key"),
        ("rk_test_all", "wrong_mode"),
        ("rk_live_unheard", "reauthorize"),
    ],
)
def test_any_other_key_is_refused_and_nothing_is_stored(stripe: Running, key: str, code: str) -> None:
    with pytest.raises(IntegrationError) as caught:
        connect(stripe, key)

    assert caught.value.code == code
    assert untouched()
    if key:
        assert key not in str(caught.value) + caught.value.message + caught.value.answer


def test_an_unreachable_stripe_connects_nothing(stripe: Running, settings: Settings) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    settings.STRIPE_RETRY_TRIES = 2
    with pytest.raises(IntegrationError) as caught:
        connections.connect_by_key("live", key="rk_live_all", actor=None)

    assert caught.value.code == "stripe_unavailable"
    assert untouched()


def test_connecting_reads_what_a_scope_can_be_chosen_from(stripe: Running) -> None:
    connect(stripe)

    assert StripeProduct.objects.exists()
    assert StripePrice.objects.exclude(lookup_key="").exists()


def test_a_catalogue_that_cannot_be_read_right_now_does_not_stop_the_connection(
    stripe: Running, settings: Settings
) -> None:
    settings.STRIPE_RETRY_TRIES = 1
    stripe.fault("500", "/v1/products", query={"limit": "100"}, times=0)

    assert connect(stripe).state == ConnectionState.CONNECTED


# --- the account -----------------------------------------------------------------------------------------------------


def test_the_same_account_is_accepted_again(stripe: Running, crm: None) -> None:
    connection = connect_app(stripe)
    sync(connection)
    StripeConnection.objects.update(state=ConnectionState.REAUTHORIZE, state_reason="Stripe says so.")
    again = connect_app(stripe)

    assert (again.state, again.state_reason) == (ConnectionState.CONNECTED, "")
    assert sync(again).rows_written == 0


def test_another_account_is_refused_with_both_names(stripe: Running) -> None:
    sync(connect_app(stripe))
    disconnecting.disconnect(connections.get("live"), actor=None)
    with pytest.raises(IntegrationError) as caught:
        connect_app(stripe, account=OTHER.id)

    assert caught.value.code == "wrong_account"
    assert all(word in caught.value.message for word in ("Fieldnote Inc", FIELDNOTE.id, OTHER.id))
    assert connections.get("live").state == ConnectionState.DISCONNECTED


def test_a_key_that_cannot_name_its_account_is_compared_by_what_is_mirrored(stripe: Running, crm: None) -> None:
    sync(connect(stripe))
    with pytest.raises(IntegrationError) as caught:
        connect(stripe, "rk_live_other")
    assert caught.value.code == "wrong_account"
    assert connections.get("live").key_last4 == "_all"

    assert connect(stripe, "rk_live_four").permissions == FOUR


def test_a_key_of_another_account_than_the_one_named_is_refused(stripe: Running) -> None:
    sync(connect_app(stripe))
    with pytest.raises(IntegrationError) as caught:
        connections.connect_by_key("live", key="rk_live_all", account_id=OTHER.id, actor=None)

    assert caught.value.code == "wrong_account"


def test_another_account_may_be_connected_once_the_mirror_is_deleted(stripe: Running, crm: None) -> None:
    connection = connect_app(stripe)
    sync(connection)
    disconnecting.disconnect(connection, actor=None)
    disconnecting.delete_mirror(connection, actor=None)

    assert connect_app(stripe, account=OTHER.id).account_id == OTHER.id


def test_an_account_that_was_never_synced_leaves_nothing_to_another(stripe: Running) -> None:
    connection = connect_app(stripe)
    ScopeFilter.objects.create(connection=connection, kind="product", value="prod_x", label="X")
    before = set(StripeProduct.objects.values_list("stripe_id", flat=True))
    disconnecting.disconnect(connection, actor=None)
    other = connect_app(stripe, account=OTHER.id)

    assert other.account_id == OTHER.id
    assert not before & set(StripeProduct.objects.values_list("stripe_id", flat=True))
    assert not ScopeFilter.objects.exists()


def test_live_and_test_mode_are_two_connections_with_rows_of_their_own(stripe: Running, crm: None) -> None:
    live, test = connect(stripe), connect(stripe, "rk_test_all", mode="test")
    sync(live)
    before = billing("live")
    sync(test)

    assert billing("live") == before
    assert any(fields[1] for fields in billing("test").values())
    assert StripeCustomer.objects.filter(connection=live).exists()
    assert not StripeCustomer.objects.filter(connection=test, customer__environment="production").exists()


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_tokens_are_encrypted_at_rest(stripe: Running) -> None:
    connection = connect_app(stripe)
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM integrations_stripeconnection")
        (row,) = cursor.fetchall()

    stored = " ".join(str(value) for value in row)
    assert connection.access_token not in stored
    assert connection.refresh_token not in stored
    assert StripeConnection.objects.get().access_token == connection.access_token


def test_no_secret_is_among_the_calls(stripe: Running) -> None:
    connection = connect_app(stripe)
    sync(connection)

    listed = " ".join(ApiCall.objects.values_list("path", flat=True))
    assert connection.access_token not in listed
    assert connection.refresh_token not in listed


# --- permissions -----------------------------------------------------------------------------------------------------


def test_permissions_added_in_stripe_are_found(stripe: Running) -> None:
    key = stripe.create_key("rk_live_growing", FOUR)
    connection = connect(stripe, key)
    stripe.create_key(key, EIGHT)
    result = probing.recheck_permissions(connection)
    connection.refresh_from_db()

    assert list(result.granted) == connection.permissions == EIGHT
    assert StripeProduct.objects.exists()


# --- leaving ---------------------------------------------------------------------------------------------------------


def test_disconnecting_wipes_every_secret_and_keeps_every_value(stripe: Running, crm: None) -> None:
    connection = connect_app(stripe)
    sync(connection)
    StripeConnection.objects.update(webhook_secret="whsec_1", webhook_secret_next="whsec_2")
    before = billing()
    disconnecting.disconnect(connection, actor=AdminFactory.create(username="admin"))

    with database.cursor() as cursor:
        cursor.execute(
            "SELECT access_token || refresh_token || webhook_secret || webhook_secret_next"
            " FROM integrations_stripeconnection"
        )
        assert cursor.fetchone() == ("",)
    assert connection.state == ConnectionState.DISCONNECTED
    assert "admin" in connection.state_reason
    assert connection.account_id == FIELDNOTE.id
    assert billing() == before


def test_disconnecting_ends_a_run(stripe: Running) -> None:
    connection = connect(stripe)
    run = start(connection)
    disconnecting.disconnect(connection, actor=None)
    run.refresh_from_db()

    assert run.state == RunState.CANCELLED


@pytest.mark.parametrize("state", ["connected", "reauthorize"])
def test_nothing_is_cleared_or_deleted_while_it_could_come_back(stripe: Running, state: str) -> None:
    connection = connect(stripe)
    StripeConnection.objects.update(state=state)
    for leave in (disconnecting.clear_billing, disconnecting.delete_mirror):
        with pytest.raises(IntegrationError) as caught:
            leave(connection, actor=None)
        assert caught.value.code == "still_connected"


def test_clearing_empties_the_five_fields_of_whom_it_filled(stripe: Running, crm: None) -> None:
    staging = CustomerFactory.create(environment="staging", billed=True)
    connection = connect(stripe)
    sync(connection)
    filled = Customer.objects.filter(environment="production", billing_source="stripe").count()
    disconnecting.disconnect(connection, actor=None)
    cleared = disconnecting.clear_billing(connection, actor=AdminFactory.create())

    assert cleared == filled > 30
    empty = {("", 0, "none", None, "")}
    assert set(Customer.objects.filter(environment="production").values_list(*FIELDS)) == empty
    staging.refresh_from_db()
    assert staging.mrr == 1400
    assert StripeCustomer.objects.filter(customer__isnull=False).count() == 0


def test_what_was_cleared_comes_back_with_the_next_connection(stripe: Running, crm: None) -> None:
    connection = connect(stripe)
    sync(connection)
    before = billing()
    disconnecting.disconnect(connection, actor=None)
    disconnecting.clear_billing(connection, actor=None)
    sync(connect(stripe))

    assert billing() == before


def test_deleting_the_mirror_leaves_no_row_of_the_account(stripe: Running, crm: None) -> None:
    connection = connect_app(stripe)
    sync(connection)
    polling.poll(connection)
    disconnecting.disconnect(connection, actor=None)
    disconnecting.delete_mirror(connection, actor=None)

    with database.cursor() as cursor:
        for table in disconnecting.MIRROR_TABLES:
            cursor.execute(f"SELECT count(*) FROM integrations_{table}")  # noqa: S608 - our own names
            assert cursor.fetchone() == (0,), table
    assert (connection.account_id, connection.account_name, connection.last_full_sync_at) == ("", "", None)
    assert (connection.events_polled_at, connection.attempts.count()) == (None, 0)

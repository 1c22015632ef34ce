"""Access that changes within the hour: refreshed by one at a time, stored before it is used, never lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from integrations.errors import IntegrationError
from integrations.models import ApiCall, ConnectionState, RunState, StripeConnection
from integrations.stripe.sync import connections, disconnecting, runs, tokens
from integrations.stripe.sync.refresh import refresh
from sandbox.testing import Running
from tests.integrations.stripe.sync.syncing import start, sync

BACK = "http://127.0.0.1:8000/callback/"
REFRESH = "/v1/oauth/token"


def consent(stripe: Running, **where: str) -> str:
    """The code that Stripe's consent page sends back."""
    return parse_qs(urlsplit(stripe.authorize(BACK, **where)).query)["code"][0]


@pytest.fixture
def connection(stripe: Running, db: None) -> StripeConnection:
    """A connection through the consent page, with both tokens."""
    return connections.connect_by_code("live", code=consent(stripe), redirect_uri=BACK, actor=None)


def about_to_end(connection: StripeConnection, minutes: float = 1) -> None:
    StripeConnection.objects.filter(pk=connection.pk).update(
        token_expires_at=timezone.now() + timedelta(minutes=minutes)
    )


def refreshes(stripe: Running) -> int:
    """How often a token was asked for since the count was reset."""
    return sum(one["path"] == REFRESH for one in stripe.requests()["recent"])


def test_a_token_that_lasts_is_used_as_it_is(stripe: Running, connection: StripeConnection) -> None:
    stripe.reset_requests()

    assert tokens.access_token(connection) == connection.access_token
    assert refreshes(stripe) == 0


def test_a_token_about_to_end_is_traded_and_the_new_pair_is_stored(
    stripe: Running, connection: StripeConnection
) -> None:
    about_to_end(connection)
    token = tokens.access_token(connection)

    row = StripeConnection.objects.get(pk=connection.pk)
    assert row.access_token == token != connection.access_token
    assert row.refresh_token != connection.refresh_token
    assert row.token_expires_at is not None
    assert row.token_expires_at > timezone.now() + timedelta(minutes=30)
    assert row.refresh_claimed_until is None


def test_the_trade_is_listed_among_the_calls(stripe: Running, connection: StripeConnection) -> None:
    ApiCall.objects.all().delete()
    about_to_end(connection)
    tokens.access_token(connection)

    assert list(ApiCall.objects.values_list("method", "path", "status")) == [("POST", REFRESH, 200)]


def test_a_refused_trade_asks_for_reauthorisation(stripe: Running, connection: StripeConnection) -> None:
    stripe.uninstall()
    about_to_end(connection)
    with pytest.raises(IntegrationError) as caught:
        tokens.access_token(connection)
    connection.refresh_from_db()

    assert caught.value.code == "reauthorize"
    assert connection.state == ConnectionState.REAUTHORIZE


def test_a_stripe_that_cannot_be_reached_costs_no_access(
    stripe: Running, connection: StripeConnection, settings: Settings
) -> None:
    about_to_end(connection)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    assert tokens.access_token(connection) == connection.access_token
    connection.refresh_from_db()
    assert connection.state == ConnectionState.CONNECTED


def test_a_token_that_has_ended_and_cannot_be_traded_now_is_not_handed_out(
    stripe: Running, connection: StripeConnection, settings: Settings
) -> None:
    about_to_end(connection, minutes=-1)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(IntegrationError) as caught:
        tokens.access_token(connection)
    connection.refresh_from_db()

    assert caught.value.code == "stripe_unavailable"
    assert connection.state == ConnectionState.CONNECTED


def test_a_server_with_the_wrong_secret_key_does_not_lose_its_access(
    stripe: Running, connection: StripeConnection, settings: Settings
) -> None:
    about_to_end(connection)
    settings.STRIPE_SECRET_KEY_LIVE = "sk_live_wrong"
    with pytest.raises(IntegrationError) as caught:
        tokens.access_token(connection)
    connection.refresh_from_db()

    assert caught.value.code == "not_configured"
    assert connection.state == ConnectionState.CONNECTED


def test_a_trade_that_was_never_finished_is_taken_over(stripe: Running, connection: StripeConnection) -> None:
    about_to_end(connection)
    StripeConnection.objects.update(refresh_claimed_until=Now() - timedelta(seconds=1))

    assert tokens.access_token(connection) != connection.access_token


def test_a_disconnected_connection_has_no_token(stripe: Running, connection: StripeConnection) -> None:
    disconnecting.disconnect(connection, actor=None)
    with pytest.raises(IntegrationError) as caught:
        tokens.access_token(connection)

    assert caught.value.code == "reauthorize"


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_at_once_one_trades_and_both_get_the_new_token(
    stripe: Running, connection: StripeConnection
) -> None:
    about_to_end(connection)
    stripe.reset_requests()
    stripe.fault("slow", REFRESH, method="POST", delay_ms=300)
    together = Barrier(2)

    def ask(_number: int) -> str:
        try:
            together.wait(timeout=30)
            return tokens.access_token(connection)
        finally:
            database.close()

    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(ask, range(2)))

    assert got[0] == got[1] == StripeConnection.objects.get(pk=connection.pk).access_token
    assert got[0] != connection.access_token
    assert refreshes(stripe) == 1


def test_a_run_goes_on_when_its_token_is_traded_under_it(stripe: Running, connection: StripeConnection) -> None:
    traded: list[str] = []

    def somebody_else_trades_it() -> None:
        if not traded:
            about_to_end(connection)
            traded.append(tokens.access_token(connection))

    run = start(connection)
    while run.is_active:
        runs.continue_run(run.pk, queue=False, on_commit=somebody_else_trades_it)
        run.refresh_from_db()
    connection.refresh_from_db()

    assert traded == [connection.access_token]
    assert (run.state, connection.state) == (RunState.SUCCEEDED, ConnectionState.CONNECTED)


def test_a_refresh_of_a_customer_goes_on_when_the_token_is_traded_under_it(
    stripe: Running, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(connection)
    handed_out: Iterator[str] = iter([connection.access_token])
    about_to_end(connection)
    real = tokens.access_token
    real(connection)  # the pair is new now, and the first request still goes out with the old token

    def the_old_one_first(row: StripeConnection) -> str:
        return next(handed_out, None) or real(row)

    monkeypatch.setattr(tokens, "access_token", the_old_one_first)
    refresh(connection, "cus_unheard")
    connection.refresh_from_db()

    assert connection.state == ConnectionState.CONNECTED


def test_a_token_nobody_traded_is_not_taken_for_a_renewed_one(stripe: Running, connection: StripeConnection) -> None:
    assert not tokens.is_renewed(connection, connection.access_token)
    assert tokens.is_renewed(connection, "another")

"""Connecting with a code and renewing access, against answers of every kind."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from integrations.errors import IntegrationError
from integrations.stripe.api import presets
from integrations.stripe.api.calls import Call
from integrations.stripe.api.oauth import exchange, refresh
from integrations.stripe.api.presets import PRESETS
from integrations.stripe.api.redaction import redact
from tests.integrations.stripe.api.server import Answer, Server, serving

SECRET = "sk_live_51SECRETdeveloper"
BACK = "http://127.0.0.1:8000/admin/integrations/stripe/callback/"
GRANTED: dict[str, object] = {
    "access_token": "sk_acct_SECRETaccess",
    "livemode": True,
    "refresh_token": "rt_SECRETrefresh",
    "scope": "stripe_apps",
    "stripe_publishable_key": "pk_live_SECRETpublishable",
    "stripe_user_id": "acct_1Fieldnote",
    "token_type": "bearer",
}
CONNECTED = {**GRANTED, "scope": "read_only"}


@pytest.fixture(autouse=True)
def _an_app_for_live_mode(settings: Settings) -> None:
    settings.DEBUG = True
    settings.STRIPE_CLIENT_ID_LIVE = "ca_live"
    settings.STRIPE_SECRET_KEY_LIVE = SECRET


@contextmanager
def stripe_answers(settings: Settings, *answers: Answer) -> Iterator[Server]:
    with serving(list(answers)) as server:
        settings.STRIPE_API_BASE = settings.STRIPE_CONNECT_BASE = server.url
        yield server


def granted(**changes: object) -> Answer:
    return Answer({name: value for name, value in {**GRANTED, **changes}.items() if value is not None})


# --- the exchange


def test_a_stripe_app_exchanges_with_grant_type_and_code_and_nothing_else(settings: Settings) -> None:
    with stripe_answers(settings, granted()) as server:
        exchange("live", "ac_1", BACK)

    request = server.requests[0]
    assert (request.method, request.target) == ("POST", "/v1/oauth/token")
    assert request.form == {"grant_type": "authorization_code", "code": "ac_1"}
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode()


def test_an_access_token_of_an_app_lasts_an_hour_from_when_it_was_asked_for(settings: Settings) -> None:
    before = datetime.now(UTC)
    with stripe_answers(settings, granted()):
        grant = exchange("live", "ac_1", BACK)

    assert (grant.access_token, grant.refresh_token) == ("sk_acct_SECRETaccess", "rt_SECRETrefresh")
    assert (grant.account_id, grant.livemode) == ("acct_1Fieldnote", True)
    assert grant.expires_at is not None
    assert before + timedelta(hours=1) <= grant.expires_at <= datetime.now(UTC) + timedelta(hours=1)
    assert "SECRET" not in repr(grant)


def test_a_lifetime_that_is_told_is_believed(settings: Settings) -> None:
    with stripe_answers(settings, granted(expires_in=600)):
        grant = exchange("live", "ac_1", BACK)

    assert grant.expires_at is not None
    assert grant.expires_at < datetime.now(UTC) + timedelta(seconds=601)


def test_a_connect_token_lasts_and_is_not_renewed(settings: Settings) -> None:
    settings.STRIPE_OAUTH_PRESET = "connect"
    with stripe_answers(settings, Answer(CONNECTED)) as server:
        grant = exchange("live", "ac_1", BACK)

    assert server.requests[0].target == "/oauth/token"
    assert grant.expires_at is None
    assert grant.refresh_token == ""
    with pytest.raises(IntegrationError) as caught:
        refresh("live", "connect", "rt_1")
    assert caught.value.code == "reauthorize"


def test_an_account_may_be_named_either_way(settings: Settings) -> None:
    with stripe_answers(settings, granted(stripe_user_id=None, account_id="acct_2")):
        assert exchange("live", "ac_1", BACK).account_id == "acct_2"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"livemode": False}, "wrong_mode"),
        ({"livemode": None}, "wrong_mode"),
        ({"token_type": "mac"}, "invalid_response"),
        ({"access_token": None}, "invalid_response"),
        ({"access_token": ""}, "invalid_response"),
        ({"access_token": "sk\r\nX-Header: 1"}, "invalid_response"),
        ({"access_token": 5}, "invalid_response"),
        ({"refresh_token": None}, "invalid_response"),
        ({"refresh_token": ""}, "invalid_response"),
        ({"stripe_user_id": None}, "invalid_response"),
        ({"stripe_user_id": "cus_1"}, "invalid_response"),
        ({"stripe_user_id": "acct_1/../x"}, "invalid_response"),
        ({"account_id": "acct_other"}, "invalid_response"),
        ({"expires_in": "soon"}, "invalid_response"),
    ],
)
def test_an_answer_that_is_not_what_it_should_be_is_refused(
    settings: Settings, changes: dict[str, object], code: str
) -> None:
    with stripe_answers(settings, granted(**changes)), pytest.raises(IntegrationError) as caught:
        exchange("live", "ac_1", BACK)

    assert caught.value.code == code
    assert "SECRET" not in caught.value.message + caught.value.answer


def test_a_connect_grant_that_could_write_is_refused(settings: Settings) -> None:
    settings.STRIPE_OAUTH_PRESET = "connect"
    with (
        stripe_answers(settings, Answer({**CONNECTED, "scope": "read_write"})),
        pytest.raises(IntegrationError) as caught,
    ):
        exchange("live", "ac_1", BACK)

    assert caught.value.code == "invalid_response"


FAILURES = [
    pytest.param(Answer({"error": "invalid_client", "error_description": "x"}, 400), "not_configured", id="client"),
    pytest.param(
        Answer({"error": {"message": f"Invalid API Key provided: {SECRET}"}}, 401), "not_configured", id="401"
    ),
    pytest.param(Answer({"error": {"message": "not with a restricted key"}}, 403), "not_configured", id="403"),
    pytest.param(Answer({"error": "unsupported_grant_type"}, 400), "invalid_response", id="other"),
    pytest.param(Answer({"error": {"code": "rate_limit"}}, 429), "rate_limited", id="429"),
    pytest.param(Answer({"error": {}}, 500), "stripe_unavailable", id="500"),
    pytest.param(Answer(b"<html>", 502), "stripe_unavailable", id="html 502"),
    pytest.param(Answer(b"<html>", 200), "invalid_response", id="html 200"),
    pytest.param(Answer(b"access_token=x", 200), "invalid_response", id="form"),
    pytest.param(Answer([], 200), "invalid_response", id="list"),
    pytest.param(Answer(status=307, headers={"Location": "/elsewhere"}), "stripe_unavailable", id="redirect"),
    pytest.param(Answer({"pad": "x" * 300}, fault="truncated"), "stripe_unavailable", id="truncated"),
    pytest.param(Answer({"pad": "x" * 300}, fault="reset"), "stripe_unavailable", id="reset"),
]


@pytest.mark.parametrize(("answer", "code"), FAILURES)
def test_a_failed_exchange_has_its_code_and_is_never_repeated(settings: Settings, answer: Answer, code: str) -> None:
    with stripe_answers(settings, answer) as server, pytest.raises(IntegrationError) as caught:
        exchange("live", "ac_1", BACK)

    assert caught.value.code == code
    assert len(server.requests) == 1
    assert "SECRET" not in caught.value.message + caught.value.answer
    assert not isinstance(caught.value.__context__, requests.RequestException)  # that would hold our secret key


def test_no_answer_in_time_is_told(settings: Settings) -> None:
    settings.STRIPE_TIMEOUT_SECONDS = 0.1
    with stripe_answers(settings, Answer(fault="silent")) as server, pytest.raises(IntegrationError) as caught:
        exchange("live", "ac_1", BACK)

    assert caught.value.code == "stripe_unavailable"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("send", "code"),
    [
        pytest.param(lambda: exchange("live", "ac_1", BACK), "code_used", id="exchange"),
        pytest.param(lambda: refresh("live", "stripe_app", "rt_1"), "reauthorize", id="refresh"),
    ],
)
def test_a_refused_code_or_token_says_what_to_do(settings: Settings, send: Callable[[], object], code: str) -> None:
    answer = Answer(
        {"error": "invalid_grant", "error_description": "Authorization code has been used: ac_SECRETcode"}, 400
    )
    with stripe_answers(settings, answer), pytest.raises(IntegrationError) as caught:
        send()

    assert caught.value.code == code
    assert "Authorization code has been used" in caught.value.answer
    assert "SECRET" not in caught.value.answer


# --- renewing


def test_renewing_sends_the_refresh_token_alone_and_brings_a_new_pair(settings: Settings) -> None:
    with stripe_answers(settings, granted(access_token="new_access", refresh_token="new_refresh")) as server:
        grant = refresh("live", "stripe_app", "rt_old", account_id="acct_1Fieldnote")

    assert server.requests[0].form == {"grant_type": "refresh_token", "refresh_token": "rt_old"}
    assert server.requests[0].headers["Authorization"].startswith("Basic ")
    assert (grant.access_token, grant.refresh_token) == ("new_access", "new_refresh")


def test_renewing_without_a_new_refresh_token_is_refused(settings: Settings) -> None:
    with stripe_answers(settings, granted(refresh_token=None)), pytest.raises(IntegrationError) as caught:
        refresh("live", "stripe_app", "rt_old")

    assert caught.value.code == "invalid_response"


def test_renewing_that_brings_another_account_is_refused(settings: Settings) -> None:
    with stripe_answers(settings, granted()), pytest.raises(IntegrationError) as caught:
        refresh("live", "stripe_app", "rt_old", account_id="acct_mine")

    assert caught.value.code == "wrong_account"


def test_a_connection_is_renewed_the_way_it_was_made(settings: Settings) -> None:
    settings.STRIPE_OAUTH_PRESET = "connect"
    with stripe_answers(settings, granted()) as server:
        refresh("live", "stripe_app", "rt_old")

    assert server.requests[0].target == "/v1/oauth/token"


# --- a flow is a row of a table


def test_a_flow_may_send_its_credentials_and_redirect_in_the_form(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(PRESETS["stripe_app"], client_auth="secret_in_body", sends_redirect_uri=True, sends_client_id=True)
    monkeypatch.setitem(presets.PRESETS, "other", other)
    settings.STRIPE_OAUTH_PRESET = "other"
    with stripe_answers(settings, granted()) as server:
        exchange("live", "ac_1", BACK)
        refresh("live", "other", "rt_1")

    credentials = {"client_id": "ca_live", "client_secret": SECRET}
    exchanged, refreshed = server.requests
    assert exchanged.form == {
        "grant_type": "authorization_code",
        "code": "ac_1",
        "redirect_uri": BACK,
        **credentials,
    }
    assert refreshed.form == {"grant_type": "refresh_token", "refresh_token": "rt_1", **credentials}
    assert "Authorization" not in exchanged.headers
    assert "Authorization" not in refreshed.headers


# --- what is told, and where it may go


def test_the_post_is_listed_among_the_calls_without_its_secrets(settings: Settings) -> None:
    calls: list[Call] = []
    refused = Answer({"error": "invalid_grant"}, 400)
    with stripe_answers(settings, granted(), refused, Answer({"pad": "x" * 300}, fault="reset")):
        exchange("live", "ac_SECRETcode", BACK, on_call=calls.append)
        for _ in range(2):
            with pytest.raises(IntegrationError):
                refresh("live", "stripe_app", "rt_SECRET", on_call=calls.append)

    assert [(call.method, call.path, call.status, call.error_code) for call in calls] == [
        ("POST", "/v1/oauth/token", 200, ""),
        ("POST", "/v1/oauth/token", 400, "reauthorize"),
        ("POST", "/v1/oauth/token", 0, "stripe_unavailable"),
    ]


def test_what_the_libraries_log_loses_its_secrets_on_the_way_out(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), stripe_answers(settings, granted()):
        exchange("live", "ac_SECRETcode", BACK)
        refresh("live", "stripe_app", "rt_SECRETrefresh")

    encoded = base64.b64encode(f"{SECRET}:".encode()).decode()
    assert "Request body was" in caplog.text
    assert [line for line in redact(caplog.text).splitlines() if "SECRET" in line or encoded in line] == []


def test_plain_http_to_another_machine_is_refused(settings: Settings) -> None:
    settings.STRIPE_API_BASE = "http://stripe.internal.example"

    with pytest.raises(ImproperlyConfigured):
        exchange("live", "ac_1", BACK)


def test_plain_http_to_this_machine_is_for_debug_only(settings: Settings) -> None:
    with stripe_answers(settings, granted()) as server:
        settings.DEBUG = False
        with pytest.raises(ImproperlyConfigured):
            exchange("live", "ac_1", BACK)

    assert server.requests == []


def test_https_is_left_as_it_is(settings: Settings) -> None:
    """Nobody listens with TLS there: the request fails on the wire instead of falling back to plain http."""
    with stripe_answers(settings, granted()) as server:
        settings.STRIPE_API_BASE = server.url.replace("http://", "https://")
        with pytest.raises(IntegrationError) as caught:
            exchange("live", "ac_1", BACK)

    assert caught.value.code == "stripe_unavailable"
    assert server.requests == []

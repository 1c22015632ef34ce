"""The transport handed to the SDK: what it refuses, and what it makes of a bad connection."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import stripe

from integrations.stripe.api import transport
from integrations.stripe.api.transport import ReadOnlyTransport, ReadOnlyViolation, TransportError, get_bytes
from tests.integrations.stripe.api.factories import KEY
from tests.integrations.stripe.api.server import Answer, serving

Write = Callable[[stripe.StripeClient], object]


def client(url: str, *, timeout: tuple[float, float] = (2.0, 5.0)) -> stripe.StripeClient:
    bases: dict[str, str] = dict.fromkeys(("api", "connect", "files", "meter_events"), url)
    return stripe.StripeClient(
        KEY,
        base_addresses=bases,  # type: ignore[arg-type]
        http_client=ReadOnlyTransport(timeout),
        max_network_retries=0,
    )


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda sdk: sdk.v1.customers.create({"email": "a@b.co"}), id="create"),
        pytest.param(lambda sdk: sdk.v1.customers.update("cus_1", {"name": "x"}), id="update"),
        pytest.param(lambda sdk: sdk.v1.customers.delete("cus_1"), id="delete"),
        pytest.param(lambda sdk: sdk.v1.subscriptions.cancel("sub_1"), id="cancel"),
        pytest.param(lambda sdk: sdk.raw_request("post", "/v1/refunds", charge="ch_1"), id="raw post"),
        pytest.param(lambda sdk: sdk.raw_request("delete", "/v1/customers/cus_1"), id="raw delete"),
        pytest.param(lambda sdk: sdk.v2.core.event_destinations.delete("ed_1"), id="v2 delete"),
        pytest.param(lambda sdk: sdk.oauth.token({"grant_type": "authorization_code", "code": "ac_1"}), id="oauth"),
        pytest.param(
            lambda sdk: sdk.v1.files.create({"file": BytesIO(b"x"), "purpose": "dispute_evidence"}),
            id="upload",
        ),
    ],
)
def test_every_writing_method_of_the_sdk_is_refused(write: Write) -> None:
    with serving([Answer()]) as server, pytest.raises(ReadOnlyViolation):
        write(client(server.url))

    assert server.requests == []


@pytest.mark.parametrize("method", ["post", "POST", "put", "patch", "delete", "head", "options"])
def test_every_other_method_is_refused_before_anything_is_sent(method: str) -> None:
    with serving([Answer()]) as server:
        for send in (ReadOnlyTransport((1, 1)).request, ReadOnlyTransport((1, 1)).request_stream):
            with pytest.raises(ReadOnlyViolation):
                send(method, f"{server.url}/v1/customers", {})

    assert server.requests == []


def test_a_get_with_a_body_is_refused() -> None:
    with pytest.raises(ReadOnlyViolation):
        ReadOnlyTransport((1, 1)).request("get", "http://127.0.0.1:9/v1/customers", {}, "name=x")


def test_asynchronous_methods_are_refused() -> None:
    sdk = client("http://127.0.0.1:9")

    # In a thread of its own: a browser test before this one may have left an event loop running in ours.
    with ThreadPoolExecutor(max_workers=1) as own_thread:

        def run(coroutine: Coroutine[Any, Any, object]) -> object:
            return own_thread.submit(asyncio.run, coroutine).result()

        with pytest.raises(ReadOnlyViolation):
            run(sdk.v1.customers.create_async({"email": "a@b.co"}))
        with pytest.raises(ReadOnlyViolation):
            run(ReadOnlyTransport((1, 1)).request_stream_async("post", "http://127.0.0.1:9/", {}))


def test_a_body_arrives_byte_for_byte_with_the_credentials_and_version_of_the_sdk() -> None:
    body = b'{"b": 1,  "a": 0.10}\n'
    with serving([Answer(body, headers={"Request-Id": "req_7"})]) as server:
        sdk = client(server.url)
        received, headers = get_bytes(sdk, "/v1/things?limit=3&expand[]=data.a", "rk_test_other")

    assert received == body
    assert headers["Request-Id"] == "req_7"
    request = server.requests[0]
    assert unquote(request.target) == "/v1/things?limit=3&expand[]=data.a"
    assert request.headers["Authorization"] == "Bearer rk_test_other"
    assert request.headers["Stripe-Version"] == "2026-10-28.endive"


def test_an_error_is_parsed_by_the_sdk() -> None:
    answer = Answer({"error": {"message": "no", "code": "resource_missing", "param": "id"}}, 404)
    with serving([answer]) as server, pytest.raises(stripe.InvalidRequestError) as caught:
        get_bytes(client(server.url), "/v1/things/1", KEY)

    assert caught.value.http_status == 404
    assert caught.value.code == "resource_missing"


def test_nothing_is_told_about_the_previous_request() -> None:
    with serving([Answer(headers={"Request-Id": "req_1"})]) as server:
        sdk = client(server.url)
        get_bytes(sdk, "/v1/things", KEY)
        get_bytes(sdk, "/v1/things", KEY)

    assert "X-Stripe-Client-Telemetry" not in server.requests[1].headers


def test_the_sdk_repeats_nothing_by_itself() -> None:
    with serving([Answer({"error": {"message": "down"}}, 500)]) as server, pytest.raises(stripe.APIError):
        get_bytes(client(server.url), "/v1/things", KEY)

    assert len(server.requests) == 1


def test_an_entry_in_netrc_does_not_replace_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving([Answer()]) as server:
        get_bytes(client(server.url), "/v1/things", KEY)

    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving([Answer()]) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        get_bytes(client("http://stripe.invalid"), "/v1/things", KEY)

    assert [request.target for request in proxy.requests] == ["http://stripe.invalid/v1/things"]


def test_a_host_named_in_no_proxy_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving([Answer()]) as proxy, serving([Answer()]) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        get_bytes(client(server.url), "/v1/things", KEY)

    assert proxy.requests == []


def test_certificates_named_in_the_environment_are_the_ones_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with serving([Answer()]) as server, pytest.raises(OSError, match=str(bundle)):
        get_bytes(client(server.url.replace("http", "https")), "/v1/things", KEY)


def test_a_redirect_is_not_followed() -> None:
    with (
        serving([Answer(status=302, headers={"Location": "/v1/elsewhere"})]) as server,
        pytest.raises(stripe.APIError),
    ):
        get_bytes(client(server.url), "/v1/things", KEY)

    assert [request.path for request in server.requests] == ["/v1/things"]


def test_a_thread_keeps_its_connection_and_shares_it_with_no_other() -> None:
    with serving([Answer()]) as server:
        sdk = client(server.url)

        def read_twice() -> None:
            get_bytes(sdk, "/v1/things", KEY)
            get_bytes(sdk, "/v1/things", KEY)

        read_twice()
        thread = threading.Thread(target=read_twice)
        thread.start()
        thread.join()

    mine, mine_again, other, other_again = (request.client_port for request in server.requests)
    assert mine == mine_again
    assert other == other_again
    assert mine != other


@pytest.mark.parametrize(
    ("fault", "kind"), [("truncated", "truncated"), ("reset", "connection"), ("silent", "timeout"), ("drip", "timeout")]
)
def test_a_broken_answer_is_told_apart(fault: str, kind: str) -> None:
    with serving([Answer({"long": "x" * 500}, fault=fault)]) as server, pytest.raises(TransportError) as caught:
        get_bytes(client(server.url, timeout=(0.3, 0.3)), "/v1/things", KEY)

    assert caught.value.kind == kind


def test_a_body_that_does_not_unpack_is_a_broken_answer() -> None:
    with (
        serving([Answer(b"no gzip at all", headers={"Content-Encoding": "gzip"})]) as server,
        pytest.raises(TransportError) as caught,
    ):
        get_bytes(client(server.url), "/v1/things", KEY)

    assert caught.value.kind == "truncated"


def test_nobody_listening_is_a_lost_connection() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused for sure
        with pytest.raises(TransportError) as caught:
            get_bytes(client(f"http://127.0.0.1:{taken.getsockname()[1]}"), "/v1/things", KEY)

    assert caught.value.kind == "connection"


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAXIMUM_BODY_BYTES", 1000)
    with serving([Answer({"long": "x" * 5000})]) as server, pytest.raises(TransportError) as caught:
        get_bytes(client(server.url), "/v1/things", KEY)

    assert caught.value.kind == "too_large"


def test_a_lost_connection_carries_nothing_that_holds_the_key() -> None:
    with serving([Answer(fault="reset")]) as server, pytest.raises(TransportError) as caught:
        get_bytes(client(server.url), "/v1/things", KEY)

    assert KEY not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None

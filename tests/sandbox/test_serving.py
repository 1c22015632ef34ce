"""Starting, ending, and the journal that proves nothing was written."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from sandbox.testing import ControlError, Running, running, stop


def test_a_signal_ends_it_cleanly() -> None:
    with running("empty") as stripe:
        assert stripe.get("/_sandbox/health").json()["ok"] is True
        assert stop(stripe.process) == 0


def test_it_ends_although_a_client_still_hangs() -> None:
    with running("empty") as stripe:
        stripe.fault("timeout", "/v1/customers")
        with socket.create_connection(stripe.url.removeprefix("http://").split(":")) as client:  # type: ignore[arg-type]
            client.sendall(b"GET /v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer rk_live_all\r\n\r\n")
            assert stop(stripe.process) == 0


def test_a_taken_port_is_said_in_one_line(stripe: Running) -> None:
    port = stripe.url.rpartition(":")[2]
    command = [sys.executable, "-m", "sandbox", "serve", "--profile", "empty", "--port", port]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_an_unknown_profile_does_not_start() -> None:
    with pytest.raises(ControlError, match="invalid choice"), running("nonsense"):
        pass


def test_an_empty_account_answers_empty_lists() -> None:
    with running("empty") as stripe:
        page = stripe.get("/v1/subscriptions").json()
    assert page == {"object": "list", "data": [], "has_more": False, "url": "/v1/subscriptions"}


def test_the_state_file_is_for_its_owner_only(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with running("empty", state_file=state) as stripe:
        stripe.create_key("rk_live_secret", [])
    assert state.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_writes_are_refused_and_counted(own: Running, method: str) -> None:
    for path in ("/v1/customers", "/oauth/deauthorize"):
        answer = requests.request(method, own.url + path, auth=("rk_live_all", ""), timeout=30)
        assert answer.status_code == 403
    journal = own.requests()
    assert journal["non_get_outside_token_endpoints"] == 2
    assert journal["by_method"] == {method: 2}


def test_reads_and_token_requests_are_no_writes(own: Running) -> None:
    own.get("/v1/customers/cus_x")
    requests.post(own.url + "/v1/oauth/token", auth=("sk_live_sandbox", ""), timeout=30)
    journal = own.requests()
    assert journal["non_get_outside_token_endpoints"] == 0
    assert journal["by_endpoint"] == {"GET /v1/customers/ID": 1, "POST /v1/oauth/token": 1}


def test_the_journal_never_holds_a_key(own: Running) -> None:
    own.get("/v1/customers", "rk_live_four_noexpand")
    (entry,) = own.requests()["recent"]
    assert entry["mode"] == "live"
    assert "rk_live_four_noexpand" not in str(entry)


def test_the_journal_can_start_anew(own: Running) -> None:
    own.get("/v1/customers")
    own.reset_requests()
    assert own.requests()["by_method"] == {}


def test_a_reset_forgets_everything_that_happened(own: Running) -> None:
    before = own.data()
    own.create_key("rk_live_made", ["customer_read"])
    own.delete("customers", before["customers"][0]["id"])
    own.advance_clock(86_400)
    own.fault("500", times=0)
    own.revoke_key("rk_live_all")
    own.reset()
    assert own.data() == before
    assert own.get("/v1/customers", "rk_live_made").status_code == 401
    assert own.get("/v1/customers", "rk_live_all").status_code == 200

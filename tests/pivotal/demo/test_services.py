"""Ports that are taken, children that die."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from pivotal.demo import services
from pivotal.demo.errors import DemoError
from pivotal.demo.folder import DemoFolder
from pivotal.demo.services import HOST, Service, listen
from tests.waiting import wait_for

STAY = "import time; print('up', flush=True); time.sleep(600)"
FALL_OVER = f"import os, signal; signal.signal(signal.SIGTERM, lambda *_: os._exit(3)); {STAY}"
DIE = "print('the reason'); raise SystemExit(7)"


@pytest.fixture(autouse=True)
def _grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(services.GRACE_SECONDS, "child", 5.0)


def service(tmp_path: Path, code: str) -> Service:
    return Service("child", [sys.executable, "-c", code], dict(os.environ), tmp_path / "logs" / "child.log")


@pytest.mark.parametrize("listening_on", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 (somebody else's server may)
def test_a_taken_port_gives_way_to_a_later_one(listening_on: str) -> None:
    with socket.create_server((listening_on, 0)) as taken:
        port = int(taken.getsockname()[1])
        with listen(port) as found:
            assert found.getsockname()[1] != port


def test_a_free_port_is_taken_as_it_is() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = int(server.getsockname()[1])
    with listen(port) as found:
        assert found.getsockname()[1] == port


def test_the_port_is_kept_while_the_web_server_is_started_again(tmp_path: Path) -> None:
    serve = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.accept()[0].sendall(b'hello')"
    with listen(0) as listener:
        command = [sys.executable, "-c", serve, str(listener.fileno())]
        child = Service("child", command, dict(os.environ), tmp_path / "logs" / "child.log", listener)
        for _ in range(2):  # each answers once and ends
            with socket.create_connection(listener.getsockname(), timeout=30) as visitor:
                assert visitor.recv(5) == b"hello"
            wait_for(child.keep_running)
        child.stop()


def test_a_child_that_dies_on_the_way_up_ends_the_demo_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"child ended \(exit code 7\)[\s\S]*the reason"):
        service(tmp_path, DIE).wait_until(lambda: False)


def test_a_child_that_dies_later_is_told_once_and_started_again(tmp_path: Path) -> None:
    child = service(tmp_path, STAY)
    assert child.keep_running() == ""
    child._group.stop()
    assert "started again" in child.keep_running()
    assert child.keep_running() == ""
    child.stop()


def test_a_child_that_keeps_dying_ends_the_demo(tmp_path: Path) -> None:
    child = service(tmp_path, DIE)

    def given_up() -> bool:
        try:
            child.keep_running()
        except DemoError:
            return True
        return False

    wait_for(given_up)


@pytest.mark.parametrize(("code", "told"), [(STAY, ""), (FALL_OVER, "child: exit code 3")])
def test_only_an_unclean_end_is_told(tmp_path: Path, code: str, told: str) -> None:
    child = service(tmp_path, code)
    wait_for((tmp_path / "logs" / "child.log").read_text)
    assert child.stop() == told


def test_children_see_the_sandbox_as_stripe_whatever_the_checkout_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY_LIVE", "a real one")
    monkeypatch.setenv("STRIPE_API_BASE", "https://api.stripe.com")
    environment = services.environment("postgresql://x", DemoFolder(tmp_path), "http://127.0.0.1:1234")
    assert "a real one" not in environment.values()
    assert [value for name, value in environment.items() if name.startswith("STRIPE_") and "stripe.com" in value] == []

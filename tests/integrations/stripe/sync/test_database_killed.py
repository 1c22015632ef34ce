"""The database server killed under everybody: whoever was at work goes on when it is back, to the same state."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from integrations.models import RunKind, RunState, StripeEvent, SyncRun
from integrations.stripe.sync import housekeeping, inbox_lease, runs
from sandbox.testing import Running
from tests.integrations.stripe.sync.own_server import OwnServer, own_server
from tests.integrations.stripe.sync.syncing import crm_rows, import_crm, sync
from tests.integrations.stripe.sync.test_inbox_survival import (
    SECRET,
    all_done,
    assert_as_after_a_full_run,
    change,
    free_port,
    web,
)
from tests.integrations.stripe.sync.test_inbox_survival import let_the_lease_end as let_the_inbox_go
from tests.integrations.stripe.sync.test_kill import PAGED, Desk, ended, half_read, let_the_lease_end
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def migrated(django_db_setup: None, django_db_blocker: pytest.DjangoDbBlocker) -> Iterator[OwnServer]:
    """The server of these tests."""
    with django_db_blocker.unblock(), own_server() as started:
        yield started


@pytest.fixture
def server(migrated: OwnServer, transactional_db: None) -> Iterator[OwnServer]:
    """That server with an empty database, in use; running again at the end."""
    migrated.renew()
    with migrated.instead_of_the_usual_one():
        yield migrated
        migrated.start()


@pytest.fixture
def desk(server: OwnServer, paged: Running, child_environment: dict[str, str]) -> Desk:
    """A connected account on that server; its processes speak to nothing else."""
    import_crm(crm_rows("bulk", PAGED))
    return Desk(paged, child_environment)


def signed_in() -> requests.Session:
    """A visitor who may see every customer."""
    client = Client()
    client.force_login(User.objects.create_superuser("admin", password="correct horse"))
    session = requests.Session()
    session.trust_env = False
    session.cookies.set(settings.SESSION_COOKIE_NAME, client.cookies[settings.SESSION_COOKIE_NAME].value)
    return session


def asked_for(stripe: Running, path: str) -> bool:
    return any(each["path"] == path for each in stripe.requests()["recent"])


def kill_and_start(server: OwnServer, process: subprocess.Popen[str], run: SyncRun) -> None:
    """Away until the command says so, then there again; it need not sit out the lease it lost."""
    server.kill()
    assert process.stderr is not None
    said = ""
    while "database is gone" not in said:
        said = process.stderr.readline()
        assert said, "it ended"
    server.start()
    let_the_lease_end(run)


def test_a_sync_goes_on_where_it_was_each_time_the_server_was_killed(desk: Desk, server: OwnServer) -> None:
    expected = desk.undisturbed()
    desk.hold_up_the_third_page(seconds=4)
    desk.stripe.fault("slow", "/v1/invoice_payments", nth=1, delay_ms=4_000)
    desk.stripe.reset_requests()
    with desk.running("stripe", "sync", "--mode", "live", "--json") as process:
        run = wait_for(half_read, seconds=60)
        assert run is not None
        kill_and_start(server, process, run)
        wait_for(lambda: asked_for(desk.stripe, "/v1/invoice_payments"), seconds=60)
        kill_and_start(server, process, run)
        output, errors = process.communicate(timeout=90)

    assert process.returncode == 0, errors
    assert json.loads(output)["state"] == "succeeded"
    run.refresh_from_db()
    assert desk.state(run) == expected


def test_a_worker_goes_on_with_its_run_when_the_server_is_back(desk: Desk, server: OwnServer) -> None:
    expected = desk.undisturbed()
    desk.hold_up_the_third_page(seconds=4)
    run = runs.start(desk.connection, kind=RunKind.FULL, actor=None)
    with desk.running("worker") as worker:
        wait_for(half_read, seconds=60)
        server.kill()
        server.start()
        let_the_lease_end(run)
        housekeeping.watchdog()  # what the schedule does each minute
        wait_for(lambda: ended(run), seconds=90)
        assert worker.poll() is None
        assert run.state == RunState.SUCCEEDED
        assert desk.state(run) == expected


def test_web_and_worker_are_there_again_with_the_server_and_nothing_told_is_lost(desk: Desk, server: OwnServer) -> None:
    assert sync(desk.connection).state == RunState.SUCCEEDED
    desk.connection.webhook_secret = SECRET
    desk.connection.save(update_fields=["webhook_secret"])
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    endpoint = here + reverse("stripe:account_webhook", args=["live"])
    visitor = signed_in()
    desk.stripe.add_webhook(endpoint, SECRET, connect=False, account=desk.connection.account_id)
    with web(desk, port) as site, desk.running("worker") as worker:
        ids = change(desk.stripe, 6)
        desk.stripe.fault("slow", f"/v1/customers/{ids[-1]}", delay_ms=4_000)
        wait_for(StripeEvent.objects.exists, seconds=60)
        wait_for(lambda: inbox_lease.is_held(desk.connection.pk), seconds=60)
        server.kill()
        away = [visitor.get(here + path, timeout=30) for path in ("/customers/", "/readyz", "/healthz")]
        lost = requests.post(endpoint, data=b"{}", headers={"Stripe-Signature": "t=1,v1=0"}, timeout=30)
        with desk.running("stripe", "status", "--mode", "live") as command:
            _output, said = command.communicate(timeout=60)
        server.start()
        change(desk.stripe, 9)
        let_the_inbox_go()
        housekeeping.watchdog()
        wait_for(lambda: requests.get(here + "/readyz", timeout=30).status_code == 200, seconds=60)
        wait_for(all_done, seconds=90)
        back = visitor.get(here + "/customers/", timeout=30)
        assert (site.poll(), worker.poll()) == (None, None)

    assert [answer.status_code for answer in (*away, lost)] == [503, 503, 200, 503]
    assert "The database does not answer" in away[0].text
    assert command.returncode == 1
    assert "CommandError: The database does not answer (" in said
    assert "Traceback" not in said
    assert int(away[0].headers["Retry-After"]) > 0
    assert (back.status_code, back.url) == (200, here + "/customers/")
    assert StripeEvent.objects.filter(source="webhook").exists()
    assert_as_after_a_full_run(desk.connection)

"""A real browser on the product's own pages; where a journey needs them, a sandbox for Stripe and a real worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ
from django_q.tasks import async_task
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer
from pytest_django.plugin import DjangoDbBlocker

from integrations.models import WorkerHeartbeat
from sandbox.testing import Running, running
from tests.conftest import environment_of_a_child
from tests.waiting import wait_for

ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
Visit = Callable[..., Page]
PATIENCE_MS = 30_000  # a worker on a busy machine; a condition that holds is never waited for
WEBHOOK_SECRET = "whsec_journeys"
HELLO = "integrations.models.WorkerHeartbeat.objects.beat"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium. Playwright runs a loop in this thread, which Django takes for an asynchronous view."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=settings.BROWSER_PATH, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Visit]:
    """Open a path as a person; a message on the browser's console (a blocked script or style, say) fails the test.

    `refused` says that answers which are errors are what the test is about.
    """
    complaints: list[str] = []
    contexts = []

    def note(message: ConsoleMessage, *, refused: bool) -> None:
        if message.type == "error" and not (refused and message.text.startswith("Failed to load resource")):
            complaints.append(message.text)

    def open_page(
        path: str, user: User | None = None, *, width: int = 1440, refused: bool = False, **options: Any
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, base_url=live_server.url, **options)
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            session = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        page = context.new_page()
        # Not ours: the sandbox's consent screen has no icon.
        context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        page.on("console", lambda message: note(message, refused=refused))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture(scope="session", autouse=True)
def _alone_with_the_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """At the end the test database is dropped, which nobody's connection may hold up.

    Behind each connection that the browser or the sandbox keeps open to the web server is one to the database.
    """
    yield
    connection.close()  # a test may have cut it
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="session")
def sandbox(_alone_with_the_database: None) -> Iterator[Running]:
    """Stripe's place, one process for all browser tests."""
    with running() as started:
        yield started


@pytest.fixture
def stripe(sandbox: Running, live_server: LiveServer, settings: Any) -> Running:
    """Stripe is the sandbox as it started: the browser may be sent to its consent screen, it delivers its events."""
    sandbox.reset()
    settings.DEBUG = True
    settings.PUBLIC_BASE_URL = live_server.url
    for name, value in where_stripe_is(sandbox).items():
        setattr(settings, name, value)
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {**directives, "form-action": ["'self'", sandbox.url]}}
    sandbox.add_webhook(live_server.url + reverse("stripe:webhook", args=["live"]), WEBHOOK_SECRET)
    return sandbox


def where_stripe_is(sandbox: Running) -> dict[str, str]:
    """The settings, by name, with which the sandbox is Stripe in live mode."""
    return {
        "STRIPE_API_BASE": sandbox.url,
        "STRIPE_CONNECT_BASE": sandbox.url,
        "STRIPE_AUTHORIZE_URL_LIVE": f"{sandbox.url}/oauth/v2/authorize",
        "STRIPE_CLIENT_ID_LIVE": "ca_sandbox_live",
        "STRIPE_SECRET_KEY_LIVE": "sk_live_sandbox",
        "STRIPE_WEBHOOK_SECRET_LIVE": WEBHOOK_SECRET,
    }


@pytest.fixture(scope="module")
def _worker_process(
    sandbox: Running, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[subprocess.Popen[bytes]]:
    """A real `manage.py worker` on the test database, for the tests of one module."""
    with django_db_blocker.unblock():
        environment = environment_of_a_child() | where_stripe_is(sandbox)
    process = subprocess.Popen([sys.executable, settings.BASE_DIR / "manage.py", "worker"], env=environment)
    yield process
    process.terminate()
    process.wait(40)


@pytest.fixture
def worker(transactional_db: None, _worker_process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The worker is there when the test begins, and has nothing left to do when its rows go."""
    async_task(HELLO, "is there")
    wait_for(lambda: WorkerHeartbeat.objects.filter(name="is there").exists(), seconds=60)
    yield
    wait_for(lambda: not OrmQ.objects.exists(), seconds=60)

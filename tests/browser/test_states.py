"""Every page in every state, in a browser: for everybody, in both themes, narrow and wide, and without a jump."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from tests.browser.states import (  # noqa: F401  # each fills the table
    TABLE,
    State,
    blank,
    customer_list,
    customers,
    decisions,
    django_admin,
    integration,
    log,
    queue,
    runs,
    shell,
)
from tests.browser.states.examining import SCRIPT, problems

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@dataclass(frozen=True, slots=True)
class Tab:
    """A page of the browser and what it has complained of since it was last asked."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def tab(browser: Browser, live_server: LiveServer) -> Iterator[Tab]:
    """One for all: a process for each would take longer than many a state; who is logged in is a cookie."""
    context = browser.new_context(base_url=live_server.url, reduced_motion="reduce")
    context.add_init_script(SCRIPT)
    tab = Tab(context.new_page())
    tab.page.on("console", lambda message: tab.complaints.append(message.text) if message.type == "error" else None)
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    yield tab
    context.close()


@pytest.mark.parametrize("state", TABLE, ids=lambda state: state.id)
def test_a_state_is_for_everybody(tab: Tab, live_server: LiveServer, settings: Settings, state: State) -> None:
    for name, value in state.settings.items():
        setattr(settings, name, value)
    built = state.build()
    paths = [built] if isinstance(built, str) else built
    _log_in(tab.page.context, live_server.url, state)
    found = {path: each for path in paths if (each := _look(tab, state, path))}
    assert not found, "\n".join(f"{path}: {each}" for path in found for each in found[path])


def _look(tab: Tab, state: State, path: str) -> list[str]:
    page = tab.page
    tab.complaints.clear()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")
    try:
        page.goto(path)
        if state.act is not None:
            state.act(page)
        expect(page.locator("body")).to_contain_text(state.says)
        found = problems(page, swaps=state.swaps)
    finally:
        page.goto("about:blank")  # while its rows are there: a page that asks how a run is doing would reload itself
    of_the_answer = f"the server responded with a status of {state.status}"
    return found + [text for text in tab.complaints if state.status == HTTPStatus.OK or of_the_answer not in text]


def _log_in(context: BrowserContext, url: str, state: State) -> None:
    context.clear_cookies()
    if state.who is None:
        return
    client = Client()
    client.force_login(state.who(first_name="Priya", last_name="Raman"))
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": session, "url": url}])

"""Pages that belong to no part: logging in, errors, guides, the style guide."""

from __future__ import annotations

from django.urls import reverse
from playwright.sync_api import Page

from pivotal.guides import GUIDES
from tests.browser.states import ADMIN, CSM, NOBODY, OWNER, state
from tests.factories import UserFactory

LOGIN, ERROR = "Log in", "Error page"


@state(LOGIN, "as it is", "Log in", who=NOBODY)
def login() -> str:
    return "/login/?next=/customers/"


def try_to_log_in(browser: Page) -> None:
    """With a wrong password."""
    browser.locator("[name=username]").fill("person")
    browser.locator("[name=password]").fill("wrong")
    browser.get_by_role("button", name="Log in", exact=True).click()


@state(LOGIN, "a wrong password", "Please enter a correct username and password", who=NOBODY, act=try_to_log_in)
def wrong_password() -> str:
    UserFactory(username="person")
    return "/login/"


@state(LOGIN, "locked out", "minutes", who=NOBODY, status=429, act=try_to_log_in, settings={"AXES_FAILURE_LIMIT": 1})
def locked_out() -> str:
    UserFactory(username="person")
    return "/login/"


@state(ERROR, "not found", "There is no such page", who=CSM, status=404)
def not_found() -> str:
    return "/nowhere"


@state(ERROR, "not found, nobody logged in", "There is no such page", who=NOBODY, status=404)
def not_found_by_nobody() -> str:
    return "/nowhere"


@state(ERROR, "forbidden", "ask an admin of your workspace", who=CSM, status=403)
def forbidden() -> str:
    return reverse("customers:create")


@state(
    ERROR,
    "server error",
    "Something broke on our side",
    who=CSM,
    status=500,
    settings={"ROOT_URLCONF": "tests.browser.states.broken_urls"},
)
def server_error() -> str:
    return "/broken"


@state("Help", "every guide", "", who=ADMIN)
def guides() -> list[str]:
    return [reverse("guide", args=[name]) for name in GUIDES]


@state(
    "Style guide",
    "every component",
    "Every component in every state",
    who=OWNER,
    settings={"ROOT_URLCONF": "tests.browser.states.broken_urls"},
)
def style_guide() -> str:
    return "/styleguide/"

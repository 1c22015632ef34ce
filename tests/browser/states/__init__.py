"""The table of states: every page in every state people can meet it in, each made of rows by factories.

A module a part of the product; `@state` puts a state into the table, and tests/browser/test_states.py opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page

from tests.factories import AdminFactory, OwnerFactory, StaffFactory, UserFactory

NOBODY = None
CSM, STAFF, ADMIN, OWNER = UserFactory, StaffFactory, AdminFactory, OwnerFactory
LIVE = "/admin/integrations/stripe/live/"
LONG_NAME = "Fernbank Analytics & Community Care of the Greater Puget Sound Region"

Build = Callable[[], str | list[str]]
Act = Callable[[Page], object]


@dataclass(frozen=True, slots=True)
class State:
    """``build`` makes the rows and returns the address, or several; ``says`` is a text that only this state shows.

    ``act`` is what the person does once the page is there; ``swaps`` is how often htmx has to have changed the page
    before it is looked at.
    """

    page: str
    name: str
    build: Build
    says: str
    who: Any = ADMIN
    status: int = 200
    settings: Mapping[str, Any] = field(default_factory=dict)
    act: Act | None = None
    swaps: int = 0

    @property
    def id(self) -> str:
        """What the test is called."""
        return f"{self.page}: {self.name}"


TABLE: list[State] = []


def state(page: str, name: str, says: str, **more: Any) -> Callable[[Build], Build]:
    """Put a state into the table."""

    def add(build: Build) -> Build:
        TABLE.append(State(page, name, build, says, **more))
        return build

    return add

"""docs/permissions.md says what the code does, and what the tests of the views expect."""

from __future__ import annotations

import re

import pytest
from django.core.management import CommandError, call_command

from pivotal import who_may
from tests.customers.test_who_may import TABLE as CUSTOMER_TABLE
from tests.integrations.stripe.pages.test_who_may import TABLE as STRIPE_TABLE

ROLES = {role.name.lower() for role in who_may.ROLES}
"""A visitor and somebody in no group may do nothing that asks for a permission."""


def allowed_by_code(page: who_may.Page) -> set[str]:
    return {name.lower() for name in who_may.allowed(page)}


def test_the_document_is_current() -> None:
    call_command("who_may", check=True)


def test_an_address_nobody_declared_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(who_may.BESIDE, "metrics")
    with pytest.raises(CommandError, match="metrics"):
        call_command("who_may", check=True)


@pytest.mark.parametrize(("method", "view", "expected"), STRIPE_TABLE)
def test_it_agrees_with_the_table_of_the_stripe_views(method: str, view: str, expected: set[str]) -> None:
    name = "run_start" if view == "run_progress" else view
    found = [page for page in who_may.pages() if page.name == name and page.method in ("", method)]
    assert found
    for page in found:
        assert allowed_by_code(page) == expected & ROLES, page.route


@pytest.mark.parametrize(("_method", "path", "expected"), [row for row in CUSTOMER_TABLE if "/admin/" not in row[1]])
def test_it_agrees_with_the_table_of_the_customer_views(_method: str, path: str, expected: set[str]) -> None:
    route = re.sub(r"\{id\}", "<customer_id>", path.lstrip("/")).replace("{domain}", "<domain_id>")
    route = route.replace("-slug", "-<slug>")
    [page] = [page for page in who_may.pages() if page.route == route]
    assert allowed_by_code(page) == expected & ROLES

"""Whatever stands behind the question mark, no page falls over, for no role."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.values import often, words
from tests.security.walking import ROLES, addresses, body_of, signed_in, workspace

pytestmark = pytest.mark.django_db


def known_names() -> list[str]:
    """The names our code and templates ask a query for, and those of Django admin."""
    sources = [
        path.read_text()
        for folder in ("customers", "integrations", "pivotal", "templates")
        for path in Path(django_settings.BASE_DIR, folder).rglob("*.*")
        if path.suffix in (".py", ".html")
    ]
    found = {name for text in sources for name in re.findall(r"""(?:GET|query|POST)\.get\(\s*"(\w+)\"""", text)}
    found |= {name for text in sources for name in re.findall(r"^    (\w+) = forms\.", text, re.MULTILINE)}
    return sorted(found | {"q", "o", "p", "all", "e", "_popup", "_to_field", "next", "id__exact", "action__exact"})


NAMES = known_names()
values = words | st.sampled_from(
    [
        "-1",
        "0",
        "9" * 30,
        "1e9",
        "2026-13-45",
        "2026-11-20",
        "live",
        "all",
        "mrr",
        "-mrr",
        "'",
        "%",
        "\\",
        "[]",
        "{}",
        "a" * 3000,
        "٣",
        "😀",
        "eyJhIjoxfQ",
        "WzEsMl0=",
    ]
)


@pytest.fixture
def people() -> dict[str, Client]:
    return {role: signed_in(role) for role in ROLES}


@pytest.fixture
def places() -> list[str]:
    known = workspace()
    return [address for address in addresses(known) if "logout" not in address]


@often
@given(data=st.data())
def test_no_query_string_is_a_server_error(people: dict[str, Client], places: list[str], data: Any) -> None:
    address = data.draw(st.sampled_from(places))
    role = data.draw(st.sampled_from(list(people)))
    query = data.draw(st.dictionaries(st.sampled_from(NAMES) | words, values, max_size=5))
    with transaction.atomic():
        response = people[role].get(address, query)
        body_of(response)
        assert response.status_code < 500, f"{role} {address} {query}"


@pytest.mark.parametrize("name", ["admin:customers_customer_export", "admin:integrations_auditentry_csv"])
def test_an_export_with_a_filter_that_does_not_exist_leads_back_to_the_list(name: str) -> None:
    response = signed_in("owner").get(reverse(name), {"no_such_field": "1"})
    assert response.status_code == 302


def test_the_names_were_found() -> None:
    assert {"environment", "sort", "after", "before"} <= set(NAMES)

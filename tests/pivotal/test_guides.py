"""The guides inside the product: every error code has its section, and nobody's HTML gets in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from integrations.errors import ERRORS
from pivotal import guides
from tests.factories import UserFactory

TROUBLESHOOTING = Path(django_settings.BASE_DIR, "docs", "troubleshooting.md")


def test_every_error_code_has_a_section_that_begins_with_what_people_are_told() -> None:
    text = " ".join(TROUBLESHOOTING.read_text().split())
    for code, error in ERRORS.items():
        section = text.partition(f"## `{code}` ")[2]
        assert section, code
        assert section.startswith("**"), code
        told = error.what.rstrip(".").split(":")[0]
        assert told in section.partition(" ## ")[0].replace("**", ""), code


def test_every_section_about_a_code_is_about_one_there_is() -> None:
    assert set(re.findall(r"^## `(\w+)`$", TROUBLESHOOTING.read_text(), re.MULTILINE)) == set(ERRORS)


@pytest.mark.django_db
def test_a_code_leads_to_its_section(client: Client) -> None:
    client.force_login(UserFactory())
    page = client.get(guides.address("troubleshooting", "wrong_mode").partition("#")[0])
    assert page.status_code == 200
    assert 'id="wrong_mode"' in page.text
    assert 'href="#wrong_mode"' in page.text


@pytest.mark.django_db
def test_links_and_pictures_of_every_guide_lead_somewhere(client: Client) -> None:
    client.force_login(UserFactory())
    for name in guides.GUIDES:
        html = guides.guide(name).html
        for target in re.findall(r'href="(/[^"]*)"', html):
            path, _hash, anchor = target.partition("#")
            page = client.get(path)
            assert page.status_code == 200, target
            assert not anchor or f'id="{anchor}"' in page.text, target
        for source in re.findall(r'src="/static/guides/([^"]*)"', html):
            assert Path(django_settings.BASE_DIR, "docs", "images", source).exists(), source
        assert ".md" not in "".join(re.findall(r'href="([^"]*)"', html)), name


def test_only_the_listed_files_are_shown() -> None:
    with pytest.raises(KeyError):
        guides.guide("architecture")


@pytest.mark.django_db
def test_an_unknown_guide_is_not_found_and_a_stranger_is_asked_to_log_in(client: Client) -> None:
    assert client.get(reverse("guide", args=["troubleshooting"])).status_code == 302
    client.force_login(UserFactory())
    assert client.get(reverse("guide", args=["nothing"])).status_code == 404


def test_html_in_a_guide_is_shown_and_not_run(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "troubleshooting.md").write_text("# T\n\n<script>alert(1)</script>\n")
    settings.BASE_DIR = tmp_path
    assert "&lt;script&gt;" in guides.guide("troubleshooting").html

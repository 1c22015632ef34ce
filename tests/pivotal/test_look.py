"""The frame of every page: tags, error pages, the Admin sidebar, and nothing a strict CSP would block."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.template import Context, Template
from django.template.defaultfilters import truncatechars
from django.test import Client, RequestFactory
from django.utils import timezone, translation
from django.utils.html import conditional_escape

from customers import navigation as registry
from customers.navigation import Entry, Section
from pivotal import drawings
from pivotal.navigation import admin_sections
from tests.factories import AdminFactory, CustomerFactory, OwnerFactory, UserFactory

TEMPLATES = sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html"))


def rendered(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


def test_a_moment_carries_the_absolute_one_in_its_title() -> None:
    html = rendered("{{ moment|ago }}", moment=timezone.now() - timedelta(seconds=40))
    assert re.fullmatch(r'<time datetime="[^"]+" title="\d+ \w+ \d{4}, [\d:]+ UTC">4\d s ago</time>', html)


def test_the_same_moment_is_written_otherwise_in_another_zone_and_language() -> None:
    moment = datetime(2026, 11, 20, 10, 23, 20, tzinfo=UTC)
    written = set()
    for zone, language in (("UTC", "en"), ("Asia/Kolkata", "en"), ("Asia/Jerusalem", "en"), ("UTC", "de")):
        with timezone.override(zone), translation.override(language):
            written.add(rendered("{{ moment|clock }}", moment=moment))
    assert len(written) == 4


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ none|ago }}{{ none|day }}{{ none|absolute }}{{ none|money }}{{ none|number }}", "—————"),
        ("{{ amount|money }}", "$1,062.50"),
        ('{{ amount|money_exact:"eur" }}', "€1,062.50"),
        ("{{ count|number }}", "1,204"),
    ],
)
def test_figures_and_blanks(source: str, text: str) -> None:
    assert rendered(source, none=None, amount=Decimal("1062.5"), count=1204) == text


def test_badges_escape_what_they_are_given() -> None:
    html = rendered("{% badge status label title %}", status='"><b>', label="<i>", title='" onclick="x')
    assert "<b>" not in html
    assert "<i>" not in html
    assert 'onclick="x' not in html


def test_a_status_nobody_has_drawn_yet_still_gets_a_shape() -> None:
    assert "<svg" in drawings.shape("brand_new")


def test_an_anonymous_person_has_no_name() -> None:
    assert rendered("{{ user|person }}", user=AnonymousUser()) == "—"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.name))
def test_no_template_has_inline_script_style_or_handlers(template: Path) -> None:
    source = template.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", source)
    assert "|safe" not in source


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/customers/", "/customers/{id}", "/customers/{id}/edit", "/admin/", "/login/"])
def test_pages_are_served_with_a_policy_that_allows_nothing_inline(path: str) -> None:
    client = Client()
    if path != "/login/":
        client.force_login(OwnerFactory())
    policy = client.get(path.format(id=CustomerFactory().pk))["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.django_db
def test_a_missing_page_is_designed() -> None:
    response = Client().get("/nowhere")
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


@pytest.mark.django_db
def test_a_forbidden_page_says_whom_to_ask() -> None:
    client = Client()
    client.force_login(UserFactory())
    response = client.get("/customers/new")
    assert response.status_code == 403
    assert "ask an admin of your workspace" in response.content.decode()


@pytest.mark.django_db
def test_a_wrong_password_is_said_without_saying_which_half_was_wrong() -> None:
    response = Client().post("/login/", {"username": "ghost", "password": "x"})
    assert "Please enter a correct username and password" in response.content.decode()


@pytest.mark.django_db
def test_the_sidebar_lists_what_a_person_may_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_providers", [])
    registry.register(lambda request: Section("Integrations", [Entry("Stripe", "/x/", count=6)]))
    registry.register(lambda request: Section("Empty", []))
    registry.register(lambda request: None)
    request = RequestFactory().get("/")
    request.user = AdminFactory()
    titles = {section.title: [entry.label for entry in section.entries] for section in admin_sections(request)}
    assert titles["Integrations"] == ["Stripe"]
    assert "Customers" in titles["Records"]
    assert "Empty" not in titles
    assert "People" not in titles


LONG = "é" * 70 + "<b>"


@pytest.mark.parametrize(
    "text", ["", "Acme", "Acme & <Söhne>", LONG, "e\u0301" * 40, "e\u0301" * 90, "x" * 60, "x" * 61, 4711]
)
def test_short_text_is_left_alone_where_django_would_leave_it(text: object) -> None:
    assert rendered("{{ text|truncatechars:60 }}", text=text) == conditional_escape(truncatechars(text, 60))


def test_text_of_stripes_is_isolated_and_has_all_of_it_in_its_title() -> None:
    assert rendered("{{ text|isolated:5 }}", text="a<b>c") == "<bdi>a&lt;b&gt;c</bdi>"
    assert rendered("{{ text|isolated:4 }}", text="a<b>c") == '<bdi title="a&lt;b&gt;c">a&lt;b…</bdi>'
    assert rendered("{{ text|isolated:4 }}", text=None) == "<bdi>None</bdi>"


def test_an_id_of_stripes_leads_to_its_page_where_it_has_one() -> None:
    assert rendered("{% stripe_id number url %}", number="cus_<1>", url="") == '<span class="code">cus_&lt;1&gt;</span>'
    linked = rendered("{% stripe_id number url %}", number="cus_1", url="https://x.test/?a=1&b=2")
    assert linked == (
        '<a class="code" href="https://x.test/?a=1&amp;b=2" rel="noopener noreferrer" target="_blank">cus_1</a>'
    )


@pytest.mark.parametrize("amount", ["0", "30", "30.004", "29.995", "1062.5", "0.005", "123456789012345.678", "-3.456"])
def test_an_exact_amount_is_rounded_half_up_to_cents(amount: str) -> None:
    rounded = rendered('{{ amount|floatformat:"-2u"|money }}', amount=Decimal(amount))
    assert rendered("{{ amount|money_rounded }}", amount=Decimal(amount)) == rounded

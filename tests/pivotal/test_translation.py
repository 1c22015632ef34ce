"""Every text people read is marked for translation: in a pretended language no English word is left."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.db import models
from django.test import Client

from tests.pivotal import pseudo
from tests.security.test_hostile_text import fill
from tests.security.walking import addresses, body_of, signed_in, workspace

pytestmark = pytest.mark.django_db

NAMES = frozenset(["Stripe", "Pivotal", "CSV", "csv", "GET", "POST", "UTC", "ms", "USD", "NGN", "live", "test"])
LOOKUP_KEYS = frozenset(["Growth"])
UNMARKED_BY_DJANGO = frozenset(["Search", "Pk", "True", "False", "true", "false"])
NOT_TRANSLATED = re.compile(r"/admin/(auth|axes|django_q)/|/styleguide/")  # names in Django's tables; samples
WITHOUT_LOGIN = ["/login/", "/no-such-page/"]


def data() -> frozenset[str]:
    """The words that are data: what rows are called, and every text in them that is not one of our choices."""
    found: list[str] = []
    for model in apps.get_models():
        texts = [
            field.attname
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.JSONField) and not field.choices
        ]
        for row in model._default_manager.all() if model._meta.app_label != "auth" else []:
            values = [str(getattr(row, name)) for name in texts]
            found += [str(row), *values, *(value.replace("_", " ") for value in values)]
    users = apps.get_model("auth", "User").objects.all()
    found += [f"{user} {user.get_full_name()} {user.email} {user.get_full_name()[:1]}T" for user in users]
    found += [str(group) for group in apps.get_model("auth", "Group").objects.all()]
    return frozenset(word for text in found for word in pseudo.words(text))


def test_no_page_has_a_text_that_is_not_marked_for_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    here = workspace()
    other_mode = [address for address in addresses({**here, "mode": "test"}) if "/test/" in address]
    pages = [address for address in [*addresses(here), *other_mode] if not NOT_TRANSLATED.match(address)]
    fill("ĐÅŢÅ")
    clients = [(signed_in("owner"), pages), (Client(), WITHOUT_LOGIN), (signed_in("member"), pages[-1:])]
    pseudo.speak_it(monkeypatch)
    bodies: dict[str, str] = {}
    for client, walked in clients:
        for address in walked:
            response = client.get(address, HTTP_ACCEPT_LANGUAGE="de")
            if response.headers.get("Content-Type", "").startswith("text/html"):
                bodies[address] = body_of(response)
    known = NAMES | LOOKUP_KEYS | UNMARKED_BY_DJANGO | data()
    found = {address: pseudo.english_in(body, known=known) for address, body in bodies.items()}
    assert [f"{address}: {english}" for address, english in found.items() if english] == []
    assert len(bodies) > 60


def test_a_text_that_is_not_marked_would_be_found() -> None:
    page = f'<p title="{pseudo.pretended("Read")}">{pseudo.pretended("Paid")} <b>Overdue in_1 a@b.example</b></p>'
    assert pseudo.english_in(page, known=frozenset()) == ["Overdue in_1 a@b.example"]
    assert pseudo.english_in('<img alt="Unmarked">', known=frozenset()) == ["Unmarked"]
    assert pseudo.english_in('<span class="code">GET it</span><p lang="en">Read</p>', known=frozenset()) == []

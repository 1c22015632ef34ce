"""docs/what-we-store.md says what the code does."""

from __future__ import annotations

import msgspec
from django.conf import settings
from django.core.management import call_command
from django.urls import reverse

from integrations import holdings
from integrations.stripe.api import objects
from integrations.stripe.api.purposes import PURPOSES

DOCUMENT = settings.BASE_DIR / "docs" / "what-we-store.md"


def test_every_field_that_is_kept_has_its_reason_and_no_other_has() -> None:
    assert set(PURPOSES) == holdings.every_struct()
    for name, reasons in PURPOSES.items():
        assert set(reasons) == {field.name for field in msgspec.structs.fields(getattr(objects, name))}, name
        assert all(reasons.values()), name


def test_every_table_says_how_long_its_rows_stay() -> None:
    assert set(holdings.KEPT) == {model.__name__ for model in holdings.own_models()}


def test_the_document_is_current() -> None:
    call_command("what_we_store", check=True)


def test_it_names_every_field_and_marks_the_encrypted_ones() -> None:
    text = DOCUMENT.read_text()
    assert "| `email` | text |" in text
    assert "`access_token` (encrypted)" in text
    assert text.count("\n| ") > 140
    assert "<" not in text


def test_the_consent_card_leads_to_it(db: None, client: object) -> None:
    from django.test import Client

    from tests.factories import AdminFactory

    browser = Client()
    browser.force_login(AdminFactory())
    page = browser.get(reverse("stripe:integration", args=["live"])).content.decode()
    assert reverse("stripe:what_we_store") in page
    shown = browser.get(reverse("stripe:what_we_store"))
    assert shown.status_code == 200
    assert "encrypted" in shown.content.decode()

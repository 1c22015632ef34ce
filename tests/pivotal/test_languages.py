"""German beside English: which language a page is in, what it writes its way, and what stays English for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import translation

from customers import stored_words, wording
from customers.models import Activity
from integrations.models import NoticeKind
from integrations.stripe.sync import notices
from tests.factories import ActivityFactory, AdminFactory, CustomerFactory, UserFactory
from tests.integrations.stripe.pages.factories import ConnectionFactory, StripeCustomerFactory
from tests.security.walking import body_of

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}
NOW = datetime(2026, 11, 24, 9, 24, tzinfo=UTC)


@pytest.fixture
def german() -> Iterator[None]:
    with translation.override("de"):
        yield


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


@pytest.mark.parametrize(("asked", "language", "heading"), [("de", "de", "Kunden"), ("fr", "en", "Customers")])
def test_a_page_is_in_the_language_of_the_browser_else_in_english(
    admin: Client, asked: str, language: str, heading: str
) -> None:
    response = admin.get(reverse("customers:list"), HTTP_ACCEPT_LANGUAGE=asked)
    assert response.headers["Content-Language"] == language
    assert {"Accept-Language", "Cookie"} <= set(response.headers["Vary"].split(", "))
    assert f'<html lang="{language}"' in body_of(response)
    assert f"<title>{heading} · Pivotal</title>" in " ".join(body_of(response).split()).replace("> ", ">").replace(
        " </", "</"
    )


def test_a_choice_goes_before_the_browser_and_needs_no_script(admin: Client) -> None:
    page = reverse("customers:list") + "?q=acme"
    shown = body_of(admin.get(page))
    assert f'action="{reverse("language")}"' in shown
    assert 'name="next" value="/customers/?q=acme"' in " ".join(shown.split())
    chosen = admin.post(reverse("language"), {"language": "de", "next": page})
    assert (chosen.status_code, chosen.headers["Location"]) == (302, page)
    assert "Meine Kunden" in body_of(admin.get(page, HTTP_ACCEPT_LANGUAGE="en"))


def test_the_choice_leads_nowhere_else_and_is_made_by_post_alone(client: Client) -> None:
    away = client.post(reverse("language"), {"language": "de", "next": "https://evil.example/"})
    assert away.headers["Location"] == "/"
    assert client.get(reverse("language")).status_code == 405
    assert "Anmelden" in body_of(client.get(reverse("login")))


def test_the_choice_is_refused_without_the_token_of_a_form() -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(reverse("language"), {"language": "de"}).status_code == 403


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("1400", "usd", "1.400\u00a0$"), ("-1062.5", "eur", "−1.062,50\u00a0€"), ("12000", "ngn", "12.000\u00a0NGN")],
)
def test_money_in_german(amount: str, currency: str, text: str) -> None:
    assert wording.money(Decimal(amount), currency) == text


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize(
    ("write", "text"),
    [
        (lambda: wording.day(NOW, now=NOW), "24. Nov."),
        (lambda: wording.day(NOW.replace(year=2024, month=3), now=NOW), "24. März 2024"),
        (lambda: wording.absolute(NOW), "24. Nov. 2026, 09:24:00 UTC"),
        (lambda: wording.when(NOW, now=NOW), "heute 09:24"),
        (lambda: wording.number(71200), "71.200"),
        (lambda: wording.duration(0.4), "0,4 s"),
        (lambda: wording.tenure(NOW.replace(year=2024), now=NOW), "2 Jahre"),
    ],
)
def test_days_and_numbers_in_german(write: Callable[[], str], text: str) -> None:
    assert write() == text


@pytest.mark.usefixtures("german")
@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("3 × $50.00 a month", "3 × 50,00\u00a0$ pro Monat"),
        ("1,500 units: 1,000 × $0.50 + 500 × $0.40 + $9.00 flat a year",
         "1.500 Einheiten: 1.000 × 0,50\u00a0$ + 500 × 0,40\u00a0$ + 9,00\u00a0$ pauschal pro Jahr"),
        ("20 % off, until 3 Mar 2026 (UTC), from the customer", "20 % Rabatt, bis 3. März 2026 (UTC), vom Kunden"),
        ("1 EUR = 1.16 USD, ECB, 3 Mar 2026, 12 days old", "1 EUR = 1,16 USD, EZB, 3. März 2026, 12 Tage alt"),
        ("Price price_1 cannot be used: it has no amount in EUR.",
         "Der Preis price_1 ist nicht verwendbar: er hat keinen Betrag in EUR."),
        ("Stripe answered 500. No answer came in time.",
         "Stripe antwortete mit 500. Es kam nicht rechtzeitig eine Antwort."),
        ("Resync by ada", "Neuabgleich durch ada"),
        ("$1,062.50", "1.062,50\u00a0$"),
        ("Something nobody foresaw", "Something nobody foresaw"),
    ],
)  # fmt: skip
def test_stored_text_is_translated_when_it_is_shown(stored: str, text: str) -> None:
    assert stored_words.translated(stored) == text


def test_stored_text_is_untouched_in_english() -> None:
    assert stored_words.translated("3 × $50.00 a month") == "3 × $50.00 a month"


def test_files_are_the_same_in_every_language(admin: Client) -> None:
    customer = CustomerFactory(billed=True, mrr=Decimal("1400.50"))
    ActivityFactory(customer=customer, origin="Scope or options")
    connection = ConnectionFactory()
    StripeCustomerFactory(connection=connection)
    StripeCustomerFactory(connection=connection, match_state="skipped", match_reason="no_email")
    for address in (
        reverse("customers:csv"),
        reverse("customers:activity_csv", args=[customer.pk]),
        reverse("stripe:unmatched_csv", args=["live"]),
        reverse("stripe:skipped_csv", args=["live"]),
        reverse("healthz"),
        reverse("readyz"),
    ):
        english, asked_in_german = body_of(admin.get(address)), body_of(admin.get(address, **GERMAN))
        assert asked_in_german == english
        assert english


def test_a_file_leaves_the_language_of_whoever_reads_it_alone(admin: Client) -> None:
    CustomerFactory.create_batch(2)
    with translation.override("de"):
        response = admin.get(reverse("customers:csv"), **GERMAN)
        with translation.override("de"):
            for _line in response.streaming_content:
                assert translation.get_language() == "de"
    assert response.headers["Content-Language"] == "en"


def test_what_a_german_person_does_is_stored_in_english(admin: Client) -> None:
    CustomerFactory(domain="jane@free.example")
    ConnectionFactory()
    address = reverse("stripe:personal_domains", args=["live"])
    form = {"domain": "free.example", "personal": "personal", "kind": "personal", "confirmed": "yes", "reason": "x"}
    admin.post(address, form, **GERMAN)
    admin.post(
        reverse("customers:create"), {"name": "Acme", "domain": "acme.com", "environment": "production"}, **GERMAN
    )
    stored = {entry.origin for entry in Activity.objects.all()}
    with translation.override("de"):
        assert "Importiert" not in stored
        assert stored
        assert not stored & {stored_words.translated(text) for text in stored if stored_words.translated(text) != text}


def test_a_mail_to_admins_is_in_the_default_language_whoever_caused_it() -> None:
    AdminFactory(email="ada@workspace.test")
    notices.tell(ConnectionFactory(), NoticeKind.REAUTHORIZE, about="x", detail="Stripe answered 401.")
    with translation.override("de"):
        assert notices.send_mails() == 1
    assert "Stripe (live) no longer accepts our access." in mail.outbox[0].body


def test_a_member_reads_the_customer_page_in_german(client: Client) -> None:
    client.force_login(UserFactory())
    customer = CustomerFactory(billed=True, mrr=Decimal(1400))
    ActivityFactory(customer=customer, field="mrr", old="900.00", new="1400.00", origin="Stripe, by date")
    page = body_of(client.get(customer.get_absolute_url(), **GERMAN))
    assert "1.400\u00a0$" in page
    assert "Stripe, nach Datum" in page
    assert "Abgerechnet seit" in page

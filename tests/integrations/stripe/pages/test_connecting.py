"""Connecting: the consent screen and back, each way it can go wrong, and the restricted key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client
from django.urls import reverse

from integrations.models import ConnectionState, StripeConnection
from integrations.stripe.pages import oauth_state
from sandbox.testing import Running, running
from tests.factories import AdminFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def stripe() -> Iterator[Running]:
    with running() as started:
        yield started


@pytest.fixture(autouse=True)
def _stripe_is_the_sandbox(stripe: Running, settings: Any) -> None:
    settings.DEBUG = True  # the sandbox answers on the loopback, without TLS
    settings.PUBLIC_BASE_URL = "http://127.0.0.1:8000"
    settings.STRIPE_API_BASE = settings.STRIPE_CONNECT_BASE = stripe.url
    for mode in ("live", "test"):
        setattr(settings, f"STRIPE_AUTHORIZE_URL_{mode.upper()}", f"{stripe.url}/oauth/v2/authorize")
        setattr(settings, f"STRIPE_CLIENT_ID_{mode.upper()}", f"ca_sandbox_{mode}")
        setattr(settings, f"STRIPE_SECRET_KEY_{mode.upper()}", f"sk_{mode}_sandbox")


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(AdminFactory())
    return client


def consent_url(admin: Client, mode: str = "live") -> str:
    """Press Connect Stripe; where that leads."""
    return str(admin.post(reverse("stripe:connect", args=[mode]))["Location"])


def answer_of(consent: str, decision: str = "connect") -> str:
    """Answer Stripe's consent screen; the address it sends people back to."""
    session = requests.Session()
    session.trust_env = False
    page = session.get(consent, timeout=10)
    assert page.ok
    asked = {name: values[0] for name, values in parse_qs(urlsplit(consent).query).items()}
    form = {**asked, "account": "acct_1SandboxFieldnote", "decision": decision}
    answer = session.post(consent.split("?")[0], params=asked, data=form, allow_redirects=False, timeout=10)
    return answer.headers["Location"]


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def told(client: Client, mode: str = "live") -> str:
    """What the page says after a redirect."""
    return client.get(reverse("stripe:integration", args=[mode])).content.decode()


def nothing_is_stored() -> bool:
    return not StripeConnection.objects.exclude(state=ConnectionState.DISCONNECTED).exists()


def test_connecting_leads_to_the_consent_screen_and_back_connected(admin: Client) -> None:
    back = answer_of(consent_url(admin))
    response = admin.get(path_of(back))
    assert response["Location"] == reverse("stripe:integration", args=["live"])
    connection = StripeConnection.objects.get(mode="live")
    assert (connection.state, connection.account_id) == (ConnectionState.CONNECTED, "acct_1SandboxFieldnote")
    assert "You connected <strong>Fieldnote Inc</strong>" in told(admin)


def test_an_answer_cannot_be_used_twice(admin: Client) -> None:
    back = path_of(answer_of(consent_url(admin)))
    admin.get(back)
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED, access_token="")
    admin.get(back)
    assert nothing_is_stored()
    assert "state_mismatch" in told(admin)


def test_a_code_used_up_elsewhere_has_its_own_message(admin: Client, stripe: Running) -> None:
    back = path_of(answer_of(consent_url(admin)))
    code = parse_qs(urlsplit(back).query)["code"][0]
    spent = {"grant_type": "authorization_code", "code": code}
    session = requests.Session()
    session.trust_env = False
    session.post(f"{stripe.url}/v1/oauth/token", data=spent, auth=("sk_live_sandbox", ""), timeout=10)
    admin.get(back)
    assert nothing_is_stored()
    assert "code_used" in told(admin)


def test_a_denied_consent_stores_nothing_and_says_so(admin: Client) -> None:
    admin.get(path_of(answer_of(consent_url(admin), "cancel")))
    assert nothing_is_stored()
    assert "consent_denied" in told(admin)


def test_an_answer_to_a_consent_started_in_another_browser_is_refused(admin: Client) -> None:
    back = path_of(answer_of(consent_url(admin)))
    elsewhere = Client()
    elsewhere.force_login(AdminFactory())
    elsewhere.get(back)
    assert nothing_is_stored()
    assert "state_mismatch" in told(elsewhere)


def test_an_answer_without_a_state_is_refused(admin: Client) -> None:
    admin.get(reverse("stripe:callback"), {"code": "ac_made_up"})
    assert nothing_is_stored()
    assert "state_mismatch" in told(admin)


def test_an_answer_after_ten_minutes_is_refused(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    back = path_of(answer_of(consent_url(admin)))
    monkeypatch.setattr(oauth_state, "LIFETIME", timedelta(0))
    admin.get(back)
    assert nothing_is_stored()
    assert "more than ten minutes ago" in told(admin)


def test_a_refusal_cannot_put_words_on_our_page(admin: Client) -> None:
    state = parse_qs(urlsplit(consent_url(admin)).query)["state"][0]
    evil = "<script>alert(1)</script>"
    admin.get(reverse("stripe:callback"), {"state": state, "error": evil, "error_description": evil})
    assert evil not in told(admin)
    assert "consent_denied" in told(admin) or nothing_is_stored()


def test_the_mode_of_an_answer_is_the_mode_that_was_started(admin: Client) -> None:
    admin.get(path_of(answer_of(consent_url(admin, "test"))))
    assert StripeConnection.objects.get(state=ConnectionState.CONNECTED).mode == "test"


def test_two_tabs_may_be_open_side_by_side(admin: Client) -> None:
    live, test = consent_url(admin, "live"), consent_url(admin, "test")
    admin.get(path_of(answer_of(live)))
    admin.get(path_of(answer_of(test)))
    assert StripeConnection.objects.filter(state=ConnectionState.CONNECTED).count() == 2


def test_the_eleventh_open_consent_closes_the_first(admin: Client) -> None:
    first = consent_url(admin)
    for _number in range(oauth_state.MOST_OPEN):
        consent_url(admin)
    admin.get(path_of(answer_of(first)))
    assert "state_mismatch" in told(admin)


def test_without_an_app_the_button_is_disabled_and_the_settings_are_named(admin: Client, settings: Any) -> None:
    settings.STRIPE_CLIENT_ID_LIVE = ""
    page = told(admin)
    assert "This server has no Stripe App for live mode yet." in page
    assert "STRIPE_CLIENT_ID_LIVE" in page
    assert "http://127.0.0.1:8000/admin/integrations/stripe/callback/" in page


def test_without_an_app_connecting_says_what_is_missing(admin: Client, settings: Any) -> None:
    settings.STRIPE_CLIENT_ID_LIVE = ""
    assert consent_url(admin) == reverse("stripe:integration", args=["live"])
    assert "not_configured" in told(admin)


def test_a_restricted_key_connects(admin: Client) -> None:
    admin.post(reverse("stripe:connect_key", args=["live"]), {"key": "rk_live_all"})
    connection = StripeConnection.objects.get(mode="live")
    assert (connection.state, connection.key_last4) == (ConnectionState.CONNECTED, "_all")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("sk_live_secret", "That is not a restricted key."),
        ("rk_test_all", "That belongs to the other mode."),
        ("rk_live_nobody", "Stripe no longer accepts our access."),
        ("", "This field is required."),
    ],
)
def test_a_key_that_will_not_do_is_refused_beside_the_field(admin: Client, key: str, says: str) -> None:
    response = admin.post(reverse("stripe:connect_key", args=["live"]), {"key": key})
    assert response.status_code == 200
    assert says in response.content.decode()
    assert nothing_is_stored()


def test_a_refused_key_is_not_shown_again(admin: Client) -> None:
    response = admin.post(reverse("stripe:connect_key", args=["live"]), {"key": "sk_live_verysecret"})
    assert "verysecret" not in response.content.decode()


def test_a_key_without_the_needed_permissions_says_what_would_be_blank(admin: Client, stripe: Running) -> None:
    admin.post(reverse("stripe:connect_key", args=["live"]), {"key": "rk_live_four"})
    page = told(admin)
    assert "4 of 8 permissions" in page
    assert "Without Prices" in page


def test_checking_again_finds_a_permission_added_since(admin: Client) -> None:
    admin.post(reverse("stripe:connect_key", args=["live"]), {"key": "rk_live_all"})
    StripeConnection.objects.update(permissions=["customer_read", "subscription_read"])
    admin.post(reverse("stripe:recheck", args=["live"]))
    assert "8 of 8 permissions" in told(admin)


def test_without_a_public_base_url_people_come_back_to_where_they_were(admin: Client, settings: Any) -> None:
    settings.PUBLIC_BASE_URL = ""
    assert "redirect_uri=http%3A%2F%2Ftestserver%2Fadmin%2Fintegrations" in consent_url(admin)


def test_the_redirect_address_follows_the_public_base_url(admin: Client, settings: Any) -> None:
    settings.PUBLIC_BASE_URL = "https://pivotal.fieldnote.example/"
    assert "redirect_uri=https%3A%2F%2Fpivotal.fieldnote.example%2Fadmin%2Fintegrations" in consent_url(admin)

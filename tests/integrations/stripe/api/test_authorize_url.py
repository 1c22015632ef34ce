"""The address of Stripe's consent page, for each flow and each way it can be configured."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from integrations.errors import IntegrationError
from integrations.stripe.api.oauth import authorize_url
from integrations.stripe.api.presets import preset_for

BACK = "http://127.0.0.1:8000/admin/integrations/stripe/callback/"


@pytest.fixture(autouse=True)
def _an_app_for_live_mode(settings: Settings) -> None:
    settings.DEBUG = True
    settings.STRIPE_CLIENT_ID_LIVE = "ca_live"
    settings.STRIPE_SECRET_KEY_LIVE = "sk_live_51SECRETdeveloper"


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_a_stripe_app_is_asked_for_with_id_redirect_and_state_alone() -> None:
    url = authorize_url("live", "state-1", BACK)

    assert url.startswith("https://marketplace.stripe.com/oauth/v2/authorize?")
    assert query_of(url) == {"client_id": ["ca_live"], "redirect_uri": [BACK], "state": ["state-1"]}


def test_connect_is_asked_for_with_scope_read_only(settings: Settings) -> None:
    settings.STRIPE_OAUTH_PRESET = "connect"
    settings.STRIPE_CONNECT_BASE = "https://connect.stripe.com"

    url = authorize_url("live", "state-1", BACK)

    assert url.startswith("https://connect.stripe.com/oauth/authorize?")
    assert query_of(url) == {
        "client_id": ["ca_live"],
        "redirect_uri": [BACK],
        "state": ["state-1"],
        "scope": ["read_only"],
        "response_type": ["code"],
    }


def test_a_configured_address_with_its_own_parameters_is_kept(settings: Settings) -> None:
    settings.STRIPE_AUTHORIZE_URL_LIVE = (
        "https://marketplace.stripe.com/oauth/v2/chnlink_1/authorize?client_id=ca_live&a=b"
    )

    url = authorize_url("live", "state-1", BACK)

    assert urlsplit(url).path == "/oauth/v2/chnlink_1/authorize"
    assert query_of(url) == {"client_id": ["ca_live"], "a": ["b"], "redirect_uri": [BACK], "state": ["state-1"]}


def test_a_state_is_written_so_that_it_comes_back_unchanged() -> None:
    assert query_of(authorize_url("live", "a+b/c=&d", BACK))["state"] == ["a+b/c=&d"]


def test_a_consent_page_on_this_machine_is_for_debug_only(settings: Settings) -> None:
    settings.STRIPE_AUTHORIZE_URL_LIVE = "http://127.0.0.1:8555/oauth/v2/authorize"
    assert authorize_url("live", "s", BACK).startswith("http://127.0.0.1:8555/oauth/v2/authorize?")

    settings.DEBUG = False
    with pytest.raises(ImproperlyConfigured):
        authorize_url("live", "s", BACK)


@pytest.mark.parametrize("name", ["STRIPE_CLIENT_ID_LIVE", "STRIPE_SECRET_KEY_LIVE"])
def test_without_id_or_secret_there_is_no_flow(settings: Settings, name: str) -> None:
    setattr(settings, name, "")

    assert preset_for("live") is None
    with pytest.raises(IntegrationError) as caught:
        authorize_url("live", "s", BACK)
    assert caught.value.code == "not_configured"


def test_each_mode_has_its_own_app(settings: Settings) -> None:
    settings.STRIPE_CLIENT_ID_TEST = "ca_test"
    settings.STRIPE_SECRET_KEY_TEST = "sk_test_1"

    assert query_of(authorize_url("test", "s", BACK))["client_id"] == ["ca_test"]


def test_a_configured_flow_shows_no_secret_when_printed() -> None:
    assert "SECRET" not in repr(preset_for("live"))

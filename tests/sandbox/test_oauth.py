"""The consent page, both token endpoints, rotation and the ways they refuse."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox.accounts import FIELDNOTE, OTHER
from sandbox.testing import Running, running
from tests.sandbox.helpers import FOUR, error_of

BACK = "http://127.0.0.1:9/callback"


def _code(stripe: Running, **options: str) -> str:
    return parse_qs(urlsplit(stripe.authorize(BACK, **options)).query)["code"][0]


def _app_token(stripe: Running, key: str = "sk_live_sandbox", **form: str) -> requests.Response:
    return requests.post(stripe.url + "/v1/oauth/token", data=form, auth=(key, ""), timeout=30)


def _connect_token(stripe: Running, key: str = "sk_live_sandbox", **form: str) -> requests.Response:
    return requests.post(stripe.url + "/oauth/token", data=form, auth=(key, ""), timeout=30)


def _installed(stripe: Running, **options: str) -> dict[str, Any]:
    answer = _app_token(stripe, grant_type="authorization_code", code=_code(stripe, **options))
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def _refreshed(stripe: Running, refresh_token: str) -> requests.Response:
    return _app_token(stripe, grant_type="refresh_token", refresh_token=refresh_token)


def test_the_consent_page_names_the_app_the_mode_and_the_accounts(stripe: Running) -> None:
    params = {"client_id": "ca_sandbox_test", "redirect_uri": BACK, "state": '"><script>'}
    answer = requests.get(stripe.url + "/oauth/v2/authorize", params=params, timeout=30)
    assert answer.status_code == 200
    for shown in ("Pivotal asks for read access", "Test mode", FIELDNOTE.id, OTHER.name, ">Connect<", ">Cancel<"):
        assert shown in answer.text
    assert "<script>" not in answer.text


def test_connecting_goes_back_with_a_code_and_the_state(stripe: Running) -> None:
    query = parse_qs(urlsplit(stripe.authorize(BACK + "?tab=1", state="abc")).query)
    assert query["state"] == ["abc"]
    assert query["tab"] == ["1"]
    assert query["code"][0].startswith("ac_")


def test_cancelling_goes_back_with_access_denied(stripe: Running) -> None:
    query = parse_qs(urlsplit(stripe.authorize(BACK, state="abc", decision="cancel")).query)
    assert query["error"] == ["access_denied"]
    assert query["state"] == ["abc"]
    assert "code" not in query


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "http://example.com/callback"}, "invalid_redirect_uri"),
        ({"redirect_uri": "javascript:alert(1)"}, "invalid_redirect_uri"),
        ({"client_id": "ca_unknown"}, "invalid_request"),
    ],
)
def test_a_bad_authorize_request_is_shown_and_not_redirected(
    stripe: Running, changes: dict[str, str], error: str
) -> None:
    params = {"client_id": "ca_sandbox_live", "redirect_uri": BACK, **changes}
    answer = requests.get(stripe.url + "/oauth/v2/authorize", params=params, allow_redirects=False, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["error"] == error


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"response_type": "token"}, "unsupported_response_type"), ({"scope": "everything"}, "invalid_scope")],
)
def test_connect_checks_response_type_and_scope(stripe: Running, changes: dict[str, str], error: str) -> None:
    params = {"client_id": "ca_sandbox_live", "redirect_uri": BACK, "response_type": "code", **changes}
    answer = requests.get(stripe.url + "/oauth/authorize", params=params, timeout=30)
    assert answer.json()["error"] == error


def test_an_app_gets_the_tokens_stripe_documents(own: Running) -> None:
    tokens = _installed(own)
    assert tokens.keys() == {
        "access_token", "livemode", "refresh_token", "scope", "stripe_publishable_key", "stripe_user_id", "token_type",
    }  # fmt: skip
    assert tokens["scope"] == "stripe_apps"
    assert tokens["livemode"] is True
    assert tokens["stripe_user_id"] == FIELDNOTE.id
    account = own.get("/v1/account", tokens["access_token"]).json()
    assert account["settings"]["dashboard"]["display_name"] == "Fieldnote Inc"


def test_the_chosen_account_is_the_one_connected(own: Running) -> None:
    assert _installed(own, account=OTHER.id)["stripe_user_id"] == OTHER.id


def test_a_code_works_once(own: Running) -> None:
    code = _code(own)
    assert _app_token(own, grant_type="authorization_code", code=code).status_code == 200
    again = _app_token(own, grant_type="authorization_code", code=code)
    assert again.status_code == 400
    assert again.json()["error"] == "invalid_grant"


def test_a_code_used_twice_revokes_a_connect_connection(own: Running) -> None:
    code = _code(own, flow="connect")
    tokens = _connect_token(own, grant_type="authorization_code", code=code).json()
    assert own.get("/v1/customers", tokens["access_token"]).status_code == 200
    assert _connect_token(own, grant_type="authorization_code", code=code).json()["error"] == "invalid_grant"
    assert own.get("/v1/customers", tokens["access_token"]).status_code == 403


def test_a_code_expires_after_five_minutes(own: Running) -> None:
    code = _code(own)
    own.advance_clock(301)
    assert _app_token(own, grant_type="authorization_code", code=code).json()["error"] == "invalid_grant"


def test_a_code_of_the_other_mode_is_refused(own: Running) -> None:
    code = _code(own, mode="test")
    assert _app_token(own, grant_type="authorization_code", code=code).json()["error"] == "invalid_grant"


def test_a_refresh_replaces_both_tokens_and_ends_the_old_ones(own: Running) -> None:
    old = _installed(own)
    new = _refreshed(own, old["refresh_token"]).json()
    assert new["access_token"] != old["access_token"]
    assert new["refresh_token"] != old["refresh_token"]
    assert own.get("/v1/customers", new["access_token"]).status_code == 200
    refused = own.get("/v1/customers", old["access_token"])
    assert refused.status_code == 401
    assert error_of(refused)["code"] == "platform_api_key_expired"
    assert _refreshed(own, old["refresh_token"]).json()["error"] == "invalid_grant"
    assert own.get("/v1/customers", new["access_token"]).status_code == 200


def test_an_access_token_lasts_an_hour(own: Running) -> None:
    tokens = _installed(own)
    own.advance_clock(3590)
    assert own.get("/v1/customers", tokens["access_token"]).status_code == 200
    own.advance_clock(20)
    assert own.get("/v1/customers", tokens["access_token"]).status_code == 401
    assert _refreshed(own, tokens["refresh_token"]).status_code == 200


def test_an_app_exchange_takes_nothing_but_its_two_parameters(own: Running) -> None:
    answer = _app_token(own, grant_type="authorization_code", code=_code(own), redirect_uri=BACK)
    assert answer.status_code == 400
    assert answer.json()["error_description"] == "Received unknown parameter: redirect_uri"


@pytest.mark.parametrize(("key", "status"), [("sk_live_wrong", 401), ("rk_live_all", 403)])
def test_only_the_developers_key_exchanges(stripe: Running, key: str, status: int) -> None:
    answer = _app_token(stripe, key, grant_type="authorization_code", code="ac_x")
    assert answer.status_code == status


def test_after_an_uninstall_nothing_works_any_more(own: Running) -> None:
    tokens = _installed(own)
    own.uninstall()
    refused = own.get("/v1/customers", tokens["access_token"])
    assert refused.status_code == 403
    assert error_of(refused)["code"] == "account_invalid"
    assert _refreshed(own, tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_the_platform_key_acts_for_connected_accounts_only(own: Running) -> None:
    headers = {"Authorization": "Bearer sk_live_sandbox", "Stripe-Account": FIELDNOTE.id}
    url = own.url + "/v1/customers"
    assert requests.get(url, headers=headers, timeout=30).status_code == 403
    _installed(own)
    assert requests.get(url, headers=headers, timeout=30).status_code == 200


def test_a_consent_can_grant_less(own: Running) -> None:
    own.consent_to(FOUR)
    tokens = _installed(own)
    assert own.get("/v1/invoices", tokens["access_token"]).status_code == 200
    refused = own.get("/v1/prices", tokens["access_token"])
    assert error_of(refused)["code"] == "more_permissions_required_for_application"


def test_tokens_survive_a_restart_with_a_state_file(tmp_path: Any) -> None:
    state = tmp_path / "state.json"
    with running(state_file=state) as first:
        tokens = _installed(first)
        customer = first.data()["customers"][0]["id"]
        first.patch("customers", customer, {"email": "moved@elsewhere.example"})
    with running(state_file=state) as second:
        assert second.get("/v1/customers", tokens["access_token"]).status_code == 200
        assert _refreshed(second, tokens["refresh_token"]).status_code == 200
        assert second.get(f"/v1/customers/{customer}").json()["email"] == "moved@elsewhere.example"

"""Secrets taken out of text, and what looks alike left in."""

from __future__ import annotations

import pytest

from integrations.stripe.api.redaction import redact

SECRET = "51HxYzAbCdEfGh"


@pytest.mark.parametrize(
    "text",
    [
        f"sk_live_{SECRET}",
        f"key rk_test_{SECRET}.",
        f"pk_test_{SECRET}",
        f"whsec_{SECRET}",
        f"code=ac_{SECRET}&state=1",
        f"rt_{SECRET}",
        f"sk_acct_{SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'Basic {SECRET}=='}}",
        f'{{"access_token": "{SECRET}", "x": 1}}',
        f"{{'refresh_token': '{SECRET}'}}",
        f"grant_type=refresh_token&refresh_token={SECRET}&x=1",
        f"client_secret={SECRET}",
        f"pi_3Abc_secret_{SECRET}",
        f"{{'access_token': 'sk_test_{SECRET}'}}",
    ],
)
def test_a_secret_is_taken_out(text: str) -> None:
    assert SECRET not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "Having the 'rak_subscription_read' permission would allow this request to continue.",
        "acct_1A7QpLFn0te",
        "No such subscription: 'sub_1Abcdef'",
        "/v1/customers/cus_1Abcdef?expand[]=data.customer",
        "grant_type=authorization_code",
        '{"code": "resource_missing"}',
        "track_record",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_the_kind_of_key_can_still_be_told() -> None:
    assert redact(f"rk_live_{SECRET}") == "rk_live_[redacted]"

"""The probe, the link that creates a key, and what may be pasted."""

from __future__ import annotations

import pytest

from integrations.errors import IntegrationError
from integrations.stripe.api.objects import Account
from integrations.stripe.api.permissions import (
    PERMISSIONS,
    check_restricted_key,
    probe,
    read_account,
    restricted_key_url,
)
from tests.integrations.stripe.api.factories import reading
from tests.integrations.stripe.api.server import Answer, Request, error, page, serving


def refusing(*slugs: str, expand: bool = True) -> object:
    paths = {permission.path: permission.slug for permission in PERMISSIONS}

    def respond(request: Request) -> Answer:
        slug = paths[request.path]
        if slug in slugs:
            return error(403, "", f"Having the 'rak_{slug}' permission would allow this request to continue.")
        if "expand[]" in request.query and not expand:
            return error(403, "", "Having the 'read_only' scope would allow this request to continue.")
        return page()

    return respond


def test_everything_granted_is_found_with_nine_requests_of_one_row() -> None:
    with serving(refusing()) as server, reading(server.url) as watched:  # type: ignore[arg-type]
        found = probe(watched.reader)

    assert found.granted == tuple(permission.slug for permission in PERMISSIONS)
    assert found.missing == ()
    assert found.can_expand
    assert found.can_connect
    assert len(server.requests) == 9
    assert {request.query["limit"][0] for request in server.requests} == {"1"}


@pytest.mark.parametrize("permission", PERMISSIONS, ids=lambda permission: permission.slug)
def test_each_missing_permission_is_named_with_what_will_be_blank(permission: object) -> None:
    slug = getattr(permission, "slug", "")
    with serving(refusing(slug)) as server, reading(server.url) as watched:  # type: ignore[arg-type]
        found = probe(watched.reader)

    assert found.missing == (permission,)
    assert slug not in found.granted
    assert found.can_connect is (slug not in {"customer_read", "subscription_read"})
    assert len(found.will_be_blank) == 1


def test_the_missions_four_are_enough_to_connect() -> None:
    with (
        serving(refusing("product_read", "plan_read", "coupon_read", "event_read")) as server,  # type: ignore[arg-type]
        reading(server.url) as watched,
    ):
        found = probe(watched.reader)

    assert found.can_connect
    assert [permission.label for permission in found.missing] == ["Products", "Prices", "Coupons", "Events"]


def test_a_key_that_may_not_expand_is_found_out() -> None:
    with serving(refusing(expand=False)) as server, reading(server.url) as watched:  # type: ignore[arg-type]
        found = probe(watched.reader)

    assert not found.can_expand
    assert found.missing == ()


def test_a_revoked_key_is_no_missing_permission() -> None:
    with serving([error(401)]) as server, reading(server.url) as watched, pytest.raises(IntegrationError) as caught:
        probe(watched.reader)

    assert caught.value.code == "reauthorize"


def test_the_account_is_read_where_that_is_allowed() -> None:
    answer = Answer({"id": "acct_1", "settings": {"dashboard": {"display_name": "Fieldnote Inc"}}})
    with serving([answer]) as server, reading(server.url) as watched:
        account = read_account(watched.reader)

    assert isinstance(account, Account)
    assert account.display_name == "Fieldnote Inc"


def test_an_account_that_may_not_be_read_is_no_obstacle() -> None:
    with serving([error(403, "", "rak_connected_account_read")]) as server, reading(server.url) as watched:
        assert read_account(watched.reader) is None


def test_four_permissions_are_needed_and_four_improve_figures() -> None:
    assert [permission.needed for permission in PERMISSIONS] == [True] * 4 + [False] * 4


def test_the_link_fills_in_the_read_permissions_of_the_right_mode() -> None:
    assert restricted_key_url("test") == (
        "https://dashboard.stripe.com/test/apikeys/create?name=Pivotal&permissions[]=rak_customer_read"
        "&permissions[]=rak_subscription_read&permissions[]=rak_invoice_read&permissions[]=rak_payment_intent_read"
        "&permissions[]=rak_product_read&permissions[]=rak_plan_read&permissions[]=rak_coupon_read"
        "&permissions[]=rak_event_read"
    )
    assert restricted_key_url("live").startswith("https://dashboard.stripe.com/apikeys/create?name=Pivotal&")


def test_a_pasted_key_loses_the_blanks_around_it() -> None:
    assert check_restricted_key(" rk_live_51abc\n", "live") == "rk_live_51abc"


@pytest.mark.parametrize(
    ("pasted", "code"),
    [
        ("sk_live_51abc", "invalid_key"),
        ("pk_live_51abc", "invalid_key"),
        ("", "invalid_key"),
        ("rk_live_", "invalid_key"),
        ("rk_51abc", "invalid_key"),
        ("rk_live_51 abc", "invalid_key"),
        ("rk_live_51abc\r\nX-Header: 1", "invalid_key"),
        ("rk_live_ünicode", "invalid_key"),
        ("rk_test_51abc", "wrong_mode"),
    ],
)
def test_anything_but_a_restricted_key_of_the_mode_is_refused(pasted: str, code: str) -> None:
    with pytest.raises(IntegrationError) as caught:
        check_restricted_key(pasted, "live")

    assert caught.value.code == code
    assert "51" not in caught.value.message

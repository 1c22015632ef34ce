"""Keys, and what each may read."""

import pytest

from sandbox.kinds import PERMISSIONS
from sandbox.testing import Running
from tests.sandbox.helpers import error_of

PERMISSION_OF = {
    "customers": "customer_read",
    "subscriptions": "subscription_read",
    "invoices": "invoice_read",
    "invoice_payments": "invoice_read",
    "payment_intents": "payment_intent_read",
    "products": "product_read",
    "prices": "plan_read",
    "coupons": "coupon_read",
    "events": "event_read",
}


@pytest.mark.parametrize(("kind", "permission"), PERMISSION_OF.items())
def test_every_list_needs_its_permission_and_names_it(own_keys: Running, kind: str, permission: str) -> None:
    assert own_keys.get(f"/v1/{kind}", f"rk_live_only_{permission}").status_code == 200
    answer = own_keys.get(f"/v1/{kind}", f"rk_live_without_{permission}")
    assert answer.status_code == 403
    assert f"Having the 'rak_{permission}' permission would allow this request" in error_of(answer)["message"]


@pytest.mark.parametrize(
    ("path", "expand", "permission"),
    [
        ("subscriptions", "data.customer", "customer_read"),
        ("subscriptions", "data.latest_invoice", "invoice_read"),
        ("subscriptions", "data.discounts.source.coupon", "coupon_read"),
        ("invoice_payments", "data.payment.payment_intent", "payment_intent_read"),
        ("prices", "data.product", "product_read"),
    ],
)
def test_expansion_needs_the_permission_of_what_it_expands(
    own_keys: Running, path: str, expand: str, permission: str
) -> None:
    params = {"expand[]": expand}
    assert own_keys.get(f"/v1/{path}", "rk_live_all", **params).status_code == 200
    answer = own_keys.get(f"/v1/{path}", f"rk_live_without_{permission}", **params)
    assert answer.status_code == 403
    assert permission in error_of(answer)["message"]


def test_a_key_without_expansion_still_reads_plainly(stripe: Running) -> None:
    assert stripe.get("/v1/subscriptions", "rk_live_four_noexpand").status_code == 200
    answer = stripe.get("/v1/subscriptions", "rk_live_four_noexpand", **{"expand[]": "data.customer"})
    assert answer.status_code == 403


def test_even_the_widest_restricted_key_cannot_name_its_account(stripe: Running) -> None:
    answer = stripe.get("/v1/account", "rk_live_all")
    assert answer.status_code == 403
    assert "rak_connected_account_read" in error_of(answer)["message"]


@pytest.mark.parametrize("key", ["rk_live_nobody", "sk_live_wrong", "nonsense"])
def test_a_wrong_key_is_a_401_that_does_not_repeat_it(stripe: Running, key: str) -> None:
    answer = stripe.get("/v1/customers", key)
    assert answer.status_code == 401
    assert error_of(answer)["message"].startswith("Invalid API Key provided: ")
    assert key not in answer.text


def test_no_key_at_all_is_a_401(stripe: Running) -> None:
    answer = stripe.get("/v1/customers", "")
    assert answer.status_code == 401
    assert error_of(answer)["message"].startswith("You did not provide an API key.")


def test_a_revoked_key_stops_working(own: Running) -> None:
    assert own.get("/v1/customers", "rk_live_four").status_code == 200
    own.revoke_key("rk_live_four")
    assert own.get("/v1/customers", "rk_live_four").status_code == 401


def test_keys_carry_their_mode_and_account(stripe: Running) -> None:
    names = {
        key: {one["name"] for one in stripe.get("/v1/customers", key, limit=100).json()["data"]}
        for key in ("rk_live_all", "rk_test_all", "rk_live_other")
    }
    assert "Northwind Traders" in names["rk_live_all"]
    assert "Northwind (staging)" in names["rk_test_all"]
    assert names["rk_live_other"] == {"Kleine Druckerei", "Große Druckerei"}


@pytest.fixture(scope="module")
def own_keys(stripe: Running) -> Running:
    """The shared sandbox with a key for each permission, and one for all but each."""
    for permission in PERMISSIONS:
        stripe.create_key(f"rk_live_only_{permission}", [permission])
        stripe.create_key(f"rk_live_without_{permission}", [one for one in PERMISSIONS if one != permission])
    return stripe

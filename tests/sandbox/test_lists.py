"""Pages, cursors and filters of the list endpoints."""

from typing import Any

import pytest

from sandbox.testing import Running, running
from tests.sandbox.helpers import error_of, ids, walk

LISTS = (
    "customers",
    "subscriptions",
    "invoices",
    "invoice_payments",
    "payment_intents",
    "products",
    "prices",
    "coupons",
)


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("limit", [7, 100])
def test_pages_of_any_size_hold_every_object_exactly_once(stripe: Running, kind: str, limit: int) -> None:
    everything = {one["id"] for one in stripe.data()[kind] if "deleted" not in one}
    status = {"status": "all"} if kind == "subscriptions" else {}
    found = ids(stripe, f"/v1/{kind}", limit=limit, **status)
    assert len(found) == len(everything)
    assert set(found) == everything


def test_a_large_account_is_walked_exactly_once(bulk: Running) -> None:
    found = ids(bulk, "/v1/subscriptions", status="all", limit=100)
    assert len(found) == len(set(found)) == 1200


def test_a_list_is_newest_first_and_ties_go_by_id_downwards() -> None:
    with running("bulk", subscriptions=300, skew="second") as stripe:
        found = list(walk(stripe, "/v1/subscriptions", status="all", limit=100))
    assert len({one["created"] for one in found}) <= 10
    order = [(one["created"], one["id"]) for one in found]
    assert order == sorted(order, reverse=True)


def test_walking_backwards_gives_the_page_before(stripe: Running) -> None:
    everything = ids(stripe, "/v1/invoices", limit=100)
    page = stripe.get("/v1/invoices", ending_before=everything[20], limit=5).json()
    assert [one["id"] for one in page["data"]] == everything[15:20]
    assert page["has_more"] is True


def test_walking_backwards_ends_at_the_newest(stripe: Running) -> None:
    everything = ids(stripe, "/v1/invoices", limit=100)
    page = stripe.get("/v1/invoices", ending_before=everything[3], limit=5).json()
    assert [one["id"] for one in page["data"]] == everything[:3]
    assert page["has_more"] is False


def test_an_unknown_cursor_is_refused_in_stripes_words(stripe: Running) -> None:
    answer = stripe.get("/v1/subscriptions", starting_after="sub_gone")
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["code"] == "resource_missing"
    assert error["param"] == "starting_after"
    assert error["message"] == "No such subscription: 'sub_gone'"


def test_an_object_that_arrives_during_a_walk_does_not_shift_its_pages(own: Running) -> None:
    before = ids(own, "/v1/subscriptions", status="all", limit=100)
    price = own.get("/v1/prices").json()["data"][0]["id"]
    customer = own.get("/v1/customers").json()["data"][0]["id"]
    new = {"kind": "subscriptions", "id": "sub_new", "method": "PUT"}
    new_object = {"customer": customer, "items": [{"price": price}]}
    own.fault("mutation", "/v1/subscriptions", nth=2, mutation={**new, "object": new_object})
    assert ids(own, "/v1/subscriptions", status="all", limit=20) == before
    assert ids(own, "/v1/subscriptions", status="all", limit=100)[0] == "sub_new"


@pytest.mark.parametrize(
    ("parameter", "accepted"),
    [
        ("gt", lambda created, pivot: created > pivot),
        ("gte", lambda created, pivot: created >= pivot),
        ("lt", lambda created, pivot: created < pivot),
        ("lte", lambda created, pivot: created <= pivot),
    ],
)
def test_created_bounds_follow_stripes_operators(stripe: Running, parameter: str, accepted: object) -> None:
    assert callable(accepted)
    everything = [one for one in stripe.data()["subscriptions"] if one["test_clock"] is None]
    pivot = sorted(one["created"] for one in everything)[len(everything) // 2]
    wanted = {one["id"] for one in everything if accepted(one["created"], pivot)}
    found = ids(stripe, "/v1/subscriptions", status="all", limit=100, **{f"created[{parameter}]": pivot})
    assert set(found) == wanted
    assert 0 < len(wanted) < len(everything)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, lambda status: status != "canceled"),
        ("all", lambda _: True),
        ("ended", lambda status: status in {"canceled", "incomplete_expired"}),
        ("canceled", lambda status: status == "canceled"),
        ("past_due", lambda status: status == "past_due"),
        ("trialing", lambda status: status == "trialing"),
    ],
)
def test_subscription_status_filters(stripe: Running, status: str | None, expected: object) -> None:
    assert callable(expected)
    wanted = {one["id"] for one in stripe.data()["subscriptions"] if expected(one["status"])}
    params = {} if status is None else {"status": status}
    assert set(ids(stripe, "/v1/subscriptions", limit=100, **params)) == wanted
    assert wanted


def test_subscriptions_of_one_customer_and_of_one_price(stripe: Running) -> None:
    everything = stripe.data()["subscriptions"]
    some = next(one for one in everything if one["status"] == "active")
    price = some["items"]["data"][0]["price"]["id"]
    of_customer = {one["id"] for one in everything if one["customer"] == some["customer"]}
    of_price = {one["id"] for one in everything if price in {item["price"]["id"] for item in one["items"]["data"]}}
    assert set(ids(stripe, "/v1/subscriptions", status="all", customer=some["customer"])) == of_customer
    assert set(ids(stripe, "/v1/subscriptions", status="all", price=price, limit=100)) == of_price


def test_collection_method_filters(stripe: Running) -> None:
    wanted = {one["id"] for one in stripe.data()["invoices"] if one["collection_method"] == "send_invoice"}
    assert set(ids(stripe, "/v1/invoices", collection_method="send_invoice", limit=100)) == wanted
    assert wanted


def test_open_invoices_due_before_a_moment(stripe: Running) -> None:
    now = int(stripe.get("/v1/events").json()["data"][0]["created"])
    wanted = {
        one["id"]
        for one in stripe.data()["invoices"]
        if one["status"] == "open" and one["due_date"] and one["due_date"] <= now
    }
    assert set(ids(stripe, "/v1/invoices", status="open", **{"due_date[lte]": now})) == wanted
    assert wanted


def test_a_payment_intent_leads_to_its_invoice_payment(stripe: Running) -> None:
    payment = stripe.data()["invoice_payments"][0]
    found = ids(
        stripe,
        "/v1/invoice_payments",
        **{"payment[type]": "payment_intent", "payment[payment_intent]": payment["payment"]["payment_intent"]},
    )
    assert found == [payment["id"]]


def test_prices_are_found_by_lookup_key(stripe: Running) -> None:
    found = list(walk(stripe, "/v1/prices", **{"lookup_keys[]": ["growth_monthly", "scale_annual"]}))
    assert sorted(one["lookup_key"] for one in found) == ["growth_monthly", "scale_annual"]


def test_products_are_found_by_id(stripe: Running) -> None:
    wanted = [one["id"] for one in stripe.data()["products"]][:2]
    assert set(ids(stripe, "/v1/products", **{"ids[]": wanted})) == set(wanted)


def test_inactive_prices_are_left_out_on_request(stripe: Running) -> None:
    active = ids(stripe, "/v1/prices", active="true", limit=100)
    inactive = ids(stripe, "/v1/prices", active="false", limit=100)
    assert inactive
    assert len(active) + len(inactive) == len(stripe.data()["prices"])


def test_test_clock_objects_show_only_to_those_who_ask(stripe: Running) -> None:
    clocked = [one for one in stripe.data(mode="test")["subscriptions"] if one["test_clock"]]
    assert len(clocked) == 1
    (one,) = clocked
    assert one["id"] not in ids(stripe, "/v1/subscriptions", "rk_test_all", status="all", limit=100)
    assert ids(stripe, "/v1/subscriptions", "rk_test_all", test_clock=one["test_clock"]) == [one["id"]]
    assert ids(stripe, "/v1/subscriptions", "rk_test_all", customer=one["customer"]) == [one["id"]]


def test_deleted_customers_are_retrieved_but_not_listed(stripe: Running) -> None:
    (gone,) = [one for one in stripe.data()["customers"] if one.get("deleted")]
    assert gone["id"] not in ids(stripe, "/v1/customers", limit=100)
    answer = stripe.get(f"/v1/customers/{gone['id']}")
    assert answer.json() == {"id": gone["id"], "object": "customer", "deleted": True}


def test_a_subscription_with_many_items_shows_ten_and_pages_the_rest(stripe: Running) -> None:
    (large,) = [one for one in walk(stripe, "/v1/subscriptions", limit=100) if one["items"]["has_more"]]
    assert len(large["items"]["data"]) == 10
    assert large["items"]["total_count"] == 14
    found = ids(stripe, "/v1/subscription_items", subscription=large["id"], limit=6)
    assert len(found) == len(set(found)) == 14
    assert found[:10] == [item["id"] for item in large["items"]["data"]]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"limit": 101}, "parameter_invalid_integer"),
        ({"limit": 0}, "parameter_invalid_integer"),
        ({"limit": "many"}, "parameter_invalid_integer"),
        ({"colour": "blue"}, "parameter_unknown"),
        ({"created[around]": 5}, "parameter_unknown"),
    ],
)
def test_bad_parameters_are_refused(stripe: Running, params: dict[str, Any], code: str) -> None:
    answer = stripe.get("/v1/subscriptions", **params)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == code


def test_an_unknown_id_is_a_404(stripe: Running) -> None:
    answer = stripe.get("/v1/invoices/in_gone")
    assert answer.status_code == 404
    assert error_of(answer)["message"] == "No such invoice: 'in_gone'"


def test_answers_carry_a_request_id_and_the_version_asked_for(stripe: Running) -> None:
    answer = stripe.get("/v1/customers")
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"

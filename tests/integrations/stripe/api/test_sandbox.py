"""The wire against a whole Stripe: walks under every fault, keys of every kind, both ways of connecting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_django.fixtures import Settings

from integrations.errors import IntegrationError
from integrations.stripe.api.decode import DecodeError, decode, reference
from integrations.stripe.api.expansion import expand_list
from integrations.stripe.api.factory import reader_for
from integrations.stripe.api.oauth import Grant, authorize_url, exchange, refresh
from integrations.stripe.api.objects import Coupon, Customer, Invoice, InvoicePayment, Price, Product, Subscription
from integrations.stripe.api.pages import iterate
from integrations.stripe.api.permissions import PERMISSIONS, Mode, probe, read_account
from sandbox.testing import Running, running
from tests.integrations.stripe.api.factories import Watched, reading

ALL = tuple(permission.slug for permission in PERMISSIONS)
FOUR = tuple(permission.slug for permission in PERMISSIONS if permission.needed)
BACK = "http://127.0.0.1:8000/callback/"
SUBSCRIPTIONS = 420
"""Five pages of the usual size."""


@pytest.fixture(scope="module")
def bulk() -> Iterator[Running]:
    with running(profile="bulk", subscriptions=SUBSCRIPTIONS) as stripe:
        yield stripe


@pytest.fixture(scope="module")
def demo() -> Iterator[Running]:
    with running(profile="demo") as stripe:
        yield stripe


@pytest.fixture(autouse=True)
def _no_fault_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"bulk", "demo"} & set(request.fixturenames):
        request.getfixturevalue(name).clear_faults()


def subscription_ids(watched: Watched, **params: object) -> list[str]:
    params = {"status": "all", "expand": expand_list("subscriptions", ALL, can_expand=True), **params}
    pages = iterate(watched.reader, "/v1/subscriptions", params)
    return [decode(raw, Subscription).id for page in pages for raw in page.data]


def every_subscription(stripe: Running) -> list[str]:
    return sorted(one["id"] for one in stripe.data()["subscriptions"])


@pytest.mark.parametrize("kind", ["429", "500", "503", "html", "reset", "truncate", "timeout", "slow"])
def test_a_walk_under_faults_brings_everything_once(bulk: Running, kind: str) -> None:
    bulk.fault(kind, "/v1/subscriptions", nth=2, every=2, times=2, delay_ms=50)
    with reading(bulk.url, "rk_live_all", timeout=(2, 1.0)) as watched:
        found = subscription_ids(watched)

    assert sorted(found) == every_subscription(bulk)
    assert [rule["fired"] for rule in bulk.faults()] == [2]


def test_a_walk_survives_the_deletion_of_the_object_it_stands_on(bulk: Running) -> None:
    before = every_subscription(bulk)
    with reading(bulk.url, "rk_live_all") as watched:
        pages = iterate(watched.reader, "/v1/customers")
        first = next(pages)
        gone = json.loads(bytes(first.data[-1]))["id"]
        bulk.delete("customers", gone, event="none")
        rest = [json.loads(bytes(raw))["id"] for page in pages for raw in page.data]

    found = [json.loads(bytes(raw))["id"] for raw in first.data] + rest
    living = {one["id"] for one in bulk.data()["customers"] if not one.get("deleted")}
    assert len(found) == len(set(found))
    assert set(found) == living | {gone}
    assert every_subscription(bulk) == before


def test_a_broken_object_leaves_the_page_around_it_whole(bulk: Running) -> None:
    bulk.fault("broken_object", "/v1/subscriptions", index=37)
    broken: list[str] = []
    read = 0
    with reading(bulk.url, "rk_live_all") as watched:
        for page in iterate(watched.reader, "/v1/subscriptions", {"status": "all"}):
            for raw in page.data:
                try:
                    decode(raw, Subscription)
                    read += 1
                except DecodeError:
                    found = reference(raw)
                    assert found is not None
                    broken.append(found.id)

    assert len(broken) == 1
    assert read == SUBSCRIPTIONS - 1


def test_a_revoked_key_ends_the_walk(bulk: Running) -> None:
    key = bulk.create_key("rk_live_shortlived", list(ALL))
    with reading(bulk.url, key) as watched:
        pages = iterate(watched.reader, "/v1/subscriptions", {"status": "all"})
        next(pages)
        bulk.revoke_key(key)
        with pytest.raises(IntegrationError) as caught:
            next(pages)

    assert caught.value.code == "reauthorize"


@pytest.mark.parametrize("mode", ["live", "test"])
@pytest.mark.parametrize(
    ("path", "resource", "type_"),
    [
        ("/v1/customers", "customers", Customer),
        ("/v1/subscriptions", "subscriptions", Subscription),
        ("/v1/invoices", "invoices", Invoice),
        ("/v1/invoice_payments", "invoice_payments", InvoicePayment),
        ("/v1/prices", "prices", Price),
        ("/v1/products", "products", Product),
        ("/v1/coupons", "coupons", Coupon),
    ],
)
def test_every_object_of_the_demo_account_can_be_read(
    demo: Running, path: str, resource: str, type_: type[object], mode: str
) -> None:
    params = {"expand": expand_list(resource, ALL, can_expand=True)}
    with reading(demo.url, f"rk_{mode}_all") as watched:
        read: list[object] = [decode(raw, type_) for page in iterate(watched.reader, path, params) for raw in page.data]

    assert read


@pytest.mark.parametrize(
    ("key", "granted", "can_expand"),
    [
        ("rk_live_all", ALL, True),
        ("rk_test_all", ALL, True),
        ("rk_live_four", FOUR, True),
        ("rk_live_four_noexpand", FOUR, False),
        ("rk_test_four_noexpand", FOUR, False),
    ],
)
def test_the_probe_finds_what_a_key_may_read(
    demo: Running, key: str, granted: tuple[str, ...], can_expand: bool
) -> None:
    with reading(demo.url, key) as watched:
        found = probe(watched.reader)
        account = read_account(watched.reader)

    assert found.granted == granted
    assert found.can_expand is can_expand
    assert found.can_connect
    assert account is None


@pytest.mark.parametrize("missing", ALL)
def test_the_probe_names_any_single_missing_permission(demo: Running, missing: str) -> None:
    key = demo.create_key(f"rk_live_without_{missing.replace('_', '')}", [slug for slug in ALL if slug != missing])
    with reading(demo.url, key) as watched:
        found = probe(watched.reader)

    assert [permission.slug for permission in found.missing] == [missing]


def test_what_is_expanded_for_the_missions_four_is_never_refused(demo: Running) -> None:
    with reading(demo.url, "rk_live_four") as watched:
        for resource in ("customers", "subscriptions", "invoices", "invoice_payments"):
            params = {"expand": expand_list(resource, FOUR, can_expand=True)}
            for page in iterate(watched.reader, f"/v1/{resource}", params):
                assert page.data


# --- connecting


@pytest.fixture
def _app(demo: Running, settings: Settings) -> None:
    settings.DEBUG = True
    settings.STRIPE_API_BASE = settings.STRIPE_CONNECT_BASE = demo.url
    for mode in ("LIVE", "TEST"):
        setattr(settings, f"STRIPE_CLIENT_ID_{mode}", f"ca_sandbox_{mode.lower()}")
        setattr(settings, f"STRIPE_SECRET_KEY_{mode}", f"sk_{mode.lower()}_sandbox")
        setattr(settings, f"STRIPE_AUTHORIZE_URL_{mode}", f"{demo.url}/oauth/v2/authorize")


def answer_of(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def connect(demo: Running, mode: Mode = "live", flow: str = "stripe_app") -> Grant:
    answer = answer_of(demo.authorize(BACK, mode=mode, state="state-1", flow=flow))
    assert answer["state"] == "state-1"
    return exchange(mode, answer["code"], BACK)


@pytest.mark.usefixtures("_app")
@pytest.mark.parametrize("mode", ["live", "test"])
@pytest.mark.parametrize("flow", ["stripe_app", "connect"])
def test_a_consent_becomes_access_that_reads(demo: Running, settings: Settings, flow: str, mode: Mode) -> None:
    settings.STRIPE_OAUTH_PRESET = flow
    grant = connect(demo, mode, flow)
    reader = reader_for(mode, grant.access_token)
    found = probe(reader)
    account = read_account(reader)
    reader.close()

    assert grant.livemode is (mode == "live")
    assert found.granted == ALL
    assert found.can_expand
    assert account is not None
    assert account.id == grant.account_id


@pytest.mark.usefixtures("_app")
def test_the_address_of_the_consent_page_is_one_the_page_accepts(demo: Running) -> None:
    address = urlsplit(authorize_url("live", "state-1", BACK))

    shown = demo.get(f"{address.path}?{address.query}")

    assert shown.status_code == 200
    assert "Connect" in shown.text


@pytest.mark.usefixtures("_app")
@pytest.mark.parametrize("flow", ["stripe_app", "connect"])
def test_a_code_works_once(demo: Running, settings: Settings, flow: str) -> None:
    settings.STRIPE_OAUTH_PRESET = flow
    code = answer_of(demo.authorize(BACK, flow=flow))["code"]
    exchange("live", code, BACK)

    with pytest.raises(IntegrationError) as caught:
        exchange("live", code, BACK)

    assert caught.value.code == "code_used"


@pytest.mark.usefixtures("_app")
def test_a_code_of_the_other_mode_is_refused(demo: Running) -> None:
    code = answer_of(demo.authorize(BACK, mode="test"))["code"]

    with pytest.raises(IntegrationError) as caught:
        exchange("live", code, BACK)

    assert caught.value.code == "code_used"


@pytest.mark.usefixtures("_app")
def test_a_refusal_brings_no_code(demo: Running) -> None:
    answer = answer_of(demo.authorize(BACK, state="state-1", decision="cancel"))

    assert "code" not in answer
    assert answer["error"] == "access_denied"


@pytest.mark.usefixtures("_app")
def test_renewing_rotates_both_tokens_and_ends_the_old_ones(demo: Running) -> None:
    first = connect(demo)
    second = refresh("live", "stripe_app", first.refresh_token, account_id=first.account_id)

    assert second.access_token != first.access_token
    assert second.refresh_token != first.refresh_token
    with pytest.raises(IntegrationError) as caught:
        refresh("live", "stripe_app", first.refresh_token)
    assert caught.value.code == "reauthorize"
    with reading(demo.url, first.access_token) as old, pytest.raises(IntegrationError) as caught:
        old.reader.get("/v1/customers", {"limit": 1})
    assert caught.value.code == "reauthorize"


@pytest.mark.usefixtures("_app")
def test_a_reader_goes_on_when_its_token_is_renewed_under_it(demo: Running) -> None:
    first = connect(demo)
    second = refresh("live", "stripe_app", first.refresh_token)
    tokens = iter([first.access_token, second.access_token, second.access_token])

    with reading(demo.url, lambda: next(tokens)) as watched:
        assert watched.reader.get_page("/v1/customers", {"limit": 1}).data

    assert [call.status for call in watched.calls] == [watched.calls[0].status, 200]
    assert watched.calls[0].status in {401, 403}


@pytest.mark.usefixtures("_app")
def test_an_uninstalled_app_needs_a_new_consent(demo: Running) -> None:
    grant = connect(demo)
    demo.uninstall()

    with reading(demo.url, grant.access_token) as watched, pytest.raises(IntegrationError) as caught:
        watched.reader.get("/v1/customers", {"limit": 1})
    assert caught.value.code == "reauthorize"
    with pytest.raises(IntegrationError) as caught:
        refresh("live", "stripe_app", grant.refresh_token)
    assert caught.value.code == "reauthorize"


@pytest.mark.usefixtures("_app")
def test_everything_together_sends_no_write_outside_the_token_endpoints(demo: Running) -> None:
    demo.reset_requests()
    grant = connect(demo)
    grant = refresh("live", "stripe_app", grant.refresh_token)
    with reading(demo.url, grant.access_token) as watched:
        probe(watched.reader)
        read_account(watched.reader)
        subscription_ids(watched)

    journal = demo.requests()
    assert journal["non_get_outside_token_endpoints"] == 0
    assert journal["by_method"] == {"POST": 2, "GET": journal["by_method"]["GET"]}
    assert journal["by_method"]["GET"] >= 11

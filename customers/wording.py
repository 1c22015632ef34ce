"""How the product writes money, moments, spans and names; the template library offers each as a filter.

Money is `$1,400`, cents only when not zero. Moments are relative with the absolute one beside them, in the workspace's
time zone. Each language says by its translations where the sign of a currency and the parts of a date go, and Django
knows its separators: `1.400 $` and `24. Nov. 2026` in German. Machines are never written to from here.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

from django.utils import dateformat, timezone
from django.utils.formats import get_format
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def money(amount: Decimal | int | str | None, currency: str = "usd", *, exact: bool = False) -> str:
    """Write an amount of major units: `$1,400`, `$1,062.50`, `−€12`, `NGN 12,000`; a dash for None.

    ``exact`` keeps the cents even when they are zero. More than two places are kept when they are not zero (dinars have
    three). Raises ValueError for what is no finite number.
    """
    if amount is None:
        return "—"
    try:
        value = Decimal(amount)
    except InvalidOperation as error:
        raise ValueError(f"{amount!r} is no amount.") from error
    if not value.is_finite():
        raise ValueError(f"{amount!r} is no amount.")
    whole = value == value.to_integral_value() and not exact
    digits = abs(value)
    text = f"{digits:,.0f}" if whole else _cents(digits)
    sign = "−" if value < 0 else ""
    unit = SIGNS.get(currency.lower())
    form = amount_form(is_sign=unit is not None)
    return sign + form % {"sign": unit, "code": currency.upper(), "amount": separated(text)}


def amount_form(*, is_sign: bool) -> str:
    """Where the unit of an amount goes: its sign, or the code of a currency that has none here."""
    return pgettext("money", "%(sign)s%(amount)s") if is_sign else pgettext("money", "%(code)s %(amount)s")


def _cents(digits: Decimal) -> str:
    """Two places, or as many as are not zero."""
    places = max(2, -int(digits.normalize().as_tuple().exponent))  # a finite number's exponent is an int
    return f"{digits:,.{places}f}"


def separated(digits: str) -> str:
    """Python's `1,062.50` with the separators of the language: `1.062,50`."""
    return digits.translate({ord(","): get_format("THOUSAND_SEPARATOR"), ord("."): get_format("DECIMAL_SEPARATOR")})


def number(value: int | Decimal | None) -> str:
    """Write a count with thousands separators; a dash for None."""
    return "—" if value is None else separated(f"{value:,}")


def mid_sentence(text: str) -> str:
    """A label of ours inside a sentence: in small letters, in a language that writes its nouns so."""
    return text.lower() if pgettext("nouns inside a sentence", "small") == "small" else text


def percent(part: Decimal | float) -> str:
    """Write a share of one hundred: `71 %`, half up."""
    return f"{Decimal(part).quantize(Decimal(1), ROUND_HALF_UP)} %"


def absolute(moment: datetime) -> str:
    """Write a moment to the second with the zone: `20 Nov 2026, 10:23:20 CET`."""
    return _format(moment, pgettext("date", "j M Y, H:i:s T"))


def day(moment: datetime, *, now: datetime | None = None) -> str:
    """Write the day: `24 Nov`, with the year when it is another one."""
    return _format(moment, pgettext("date", "j M") if _same_year(moment, now) else pgettext("date", "j M Y"))


def full_day(value: date) -> str:
    """Write a day with its year: `30 Oct 2026`."""
    return dateformat.format(value, pgettext("date", "j M Y"))


def month(moment: datetime) -> str:
    """Write month and year: `Aug 2024`."""
    return _format(moment, pgettext("date", "M Y"))


def clock(moment: datetime) -> str:
    """Write the time of day: `10:14`."""
    return _format(moment, "H:i")


def when(moment: datetime, *, now: datetime | None = None) -> str:
    """Write a moment for reading it off a wall: `03:10 today`, `22:05 yesterday`, `18 Nov, 03:10`."""
    here, today = timezone.localtime(moment), timezone.localtime(now or timezone.now()).date()
    if here.date() == today:
        return _("%(time)s today") % {"time": clock(moment)}
    if here.date() == today - DAY:
        return _("%(time)s yesterday") % {"time": clock(moment)}
    return f"{day(moment, now=now)}, {clock(moment)}"


def date_word(value: date, *, now: datetime | None = None) -> str:
    """Write a day as a heading: `Today`, `Yesterday`, `14 November`, `3 March 2025`."""
    today = timezone.localtime(now or timezone.now()).date()
    if value == today:
        return _("Today")
    if value == today - DAY:
        return _("Yesterday")
    return dateformat.format(value, pgettext("date", "j F") if value.year == today.year else pgettext("date", "j F Y"))


def ago(moment: datetime, *, now: datetime | None = None) -> str:
    """Write how long ago: `just now`, `40 s ago`, `12 min ago`, `3 h ago`, `2 d ago`, then the day.

    What lies ahead is written as a day and time.
    """
    past = (now or timezone.now()) - moment
    if past < timedelta(seconds=-5):
        return when(moment, now=now)
    if past < timedelta(seconds=5):
        return _("just now")
    if past >= 7 * DAY:
        return day(moment, now=now)
    return _("%(span)s ago") % {"span": rough_span(past)}


def rough_span(span: timedelta) -> str:
    """Write a span in its largest unit: `40 s`, `12 min`, `3 h`, `2 d`."""
    if span < MINUTE:
        return _("%(n)d s") % {"n": span.total_seconds()}
    if span < HOUR:
        return _("%(n)d min") % {"n": span // MINUTE}
    if span < DAY:
        return _("%(n)d h") % {"n": span // HOUR}
    return _("%(n)d d") % {"n": span // DAY}


def duration(span: timedelta | float) -> str:
    """Write how long something took: `0.4 s`, `15 s`, `2 min 41 s`, `1 h 3 min`."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else float(span)
    if 0 < seconds < 1:
        return _("%(n)s s") % {"n": separated(f"{seconds:.1f}")}
    whole = round(seconds)
    if whole < 60:
        return _("%(n)d s") % {"n": whole}
    if whole < 3600:
        return _("%(m)d min %(s)d s") % {"m": whole // 60, "s": whole % 60}
    return _("%(h)d h %(m)d min") % {"h": whole // 3600, "m": whole % 3600 // 60}


def tenure(start: datetime, *, now: datetime | None = None) -> str:
    """Write the time since ``start`` in full years and months: `2 years and 3 months`, `less than a month`."""
    first, last = timezone.localtime(start), timezone.localtime(now or timezone.now())
    months = (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)
    if months < 1:
        return _("less than a month")
    years, rest = divmod(months, 12)
    parts = []
    if years:
        parts.append(ngettext("%(n)d year", "%(n)d years", years) % {"n": years})
    if rest:
        parts.append(ngettext("%(n)d month", "%(n)d months", rest) % {"n": rest})
    return _(" and ").join(parts)


def _format(moment: datetime, pattern: str) -> str:
    here = timezone.localtime(moment)
    return _written(here, here.tzname(), pattern, get_language())


@lru_cache(maxsize=4096)  # a list asks for the same few months and days again and again
def _written(here: datetime, _zone: str | None, pattern: str, _language: str | None) -> str:
    """The zone and the language keep apart what is equal as a moment and written otherwise."""
    return dateformat.format(here, pattern)


def _same_year(moment: datetime, now: datetime | None) -> bool:
    return timezone.localtime(moment).year == timezone.localtime(now or timezone.now()).year

"""How money, moments and spans are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from customers import presenters, wording

NOW = datetime(2026, 11, 20, 9, 24, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("1400.00"), "$1,400"),
        (Decimal("1062.50"), "$1,062.50"),
        (Decimal("0.00"), "$0"),
        (Decimal(-4100), "−$4,100"),
        ("900.00", "$900"),
        (1234567, "$1,234,567"),
        (None, "—"),
    ],
)
def test_cents_are_shown_only_when_they_are_not_zero(amount: Decimal | str | int | None, text: str) -> None:
    assert wording.money(amount) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("1400", "eur", "€1,400.00"), ("5", "ngn", "NGN 5.00"), ("1.234", "kwd", "KWD 1.234"), ("12", "USD", "$12.00")],
)
def test_exact_money_keeps_its_cents(amount: str, currency: str, text: str) -> None:
    assert wording.money(amount, currency, exact=True) == text


@pytest.mark.parametrize("amount", ["abc", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        wording.money(amount)


@pytest.mark.parametrize(
    ("past", "text"),
    [
        (timedelta(seconds=2), "just now"),
        (timedelta(seconds=40), "40 s ago"),
        (timedelta(minutes=12, seconds=59), "12 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=2), "2 d ago"),
        (timedelta(days=8), "12 Nov"),
        (timedelta(days=400), "16 Oct 2025"),
        (timedelta(hours=-3), "12:24 today"),
    ],
)
def test_moments_are_relative_until_they_are_a_week_old(past: timedelta, text: str) -> None:
    assert wording.ago(NOW - past, now=NOW) == text


def test_moments_are_in_the_workspaces_time_zone() -> None:
    with timezone.override("Europe/Berlin"):
        assert wording.absolute(NOW) == "20 Nov 2026, 10:24:00 CET"
        assert wording.when(NOW - timedelta(hours=10, minutes=30), now=NOW) == "23:54 yesterday"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (0, "0 s"), (15, "15 s"), (161, "2 min 41 s"), (3780, "1 h 3 min")]
)
def test_durations_use_two_units_at_most(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (datetime(2024, 8, 14, tzinfo=UTC), "2 years and 3 months"),
        (datetime(2025, 11, 20, tzinfo=UTC), "1 year"),
        (datetime(2026, 10, 21, tzinfo=UTC), "less than a month"),
        (datetime(2026, 9, 20, tzinfo=UTC), "2 months"),
    ],
)
def test_tenure_counts_full_months(start: datetime, text: str) -> None:
    assert wording.tenure(start, now=NOW) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2026, 11, 20), "Today"),
        (date(2026, 11, 19), "Yesterday"),
        (date(2026, 11, 14), "14 November"),
        (date(2025, 3, 3), "3 March 2025"),
    ],
)
def test_days_of_a_history_have_a_heading(value: date, text: str) -> None:
    assert wording.date_word(value, now=NOW) == text


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("2024-08-14T23:30:00+00:00", "15 Aug 2024"),
        ("2024-08-14 23:30:00+00:00", "15 Aug 2024"),
        ("2024-08-14T23:30:00", "2024-08-14"),
        ("whenever it was", "whenever i"),
        ("", ""),
    ],
)
def test_a_day_of_the_history_is_one_of_the_workspaces_zone(stored: str, shown: str) -> None:
    with timezone.override("Europe/Berlin"):
        assert presenters.value_text("billing_started_at", stored) == shown


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("94400", "jpy", "¥94,400"),
        ("12.345", "kwd", "KWD 12.345"),
        ("1216", "gbp", "£1,216"),
        ("-0.5", "eur", "−€0.50"),
    ],
)
def test_every_currency_keeps_its_places(amount: str, currency: str, text: str) -> None:
    assert wording.money(amount, currency) == text

"""Business hours: when a look that is half an hour old is late."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from integrations.stripe.sync.freshness import BusinessHours, in_business_hours

TUESDAY, SUNDAY, FRIDAY = (datetime(2026, 11, day, tzinfo=UTC) for day in (24, 22, 27))


@pytest.mark.parametrize(
    ("hours", "moment", "inside"),
    [
        ("Mon-Fri 9-18", TUESDAY.replace(hour=9), True),
        ("Mon-Fri 9-18", TUESDAY.replace(hour=17, minute=59), True),
        ("Mon-Fri 9-18", TUESDAY.replace(hour=18), False),
        ("Mon-Fri 9-18", SUNDAY.replace(hour=12), False),
        ("Sun-Thu 8-17", SUNDAY.replace(hour=12), True),
        ("Sun-Thu 8-17", FRIDAY.replace(hour=12), False),
        ("Tue 0-24", TUESDAY.replace(hour=23, minute=59), True),
        ("Tue 0-24", SUNDAY.replace(hour=12), False),
    ],
)
def test_a_moment_lies_in_them_or_not(settings: Settings, hours: str, moment: datetime, inside: bool) -> None:
    settings.BUSINESS_HOURS = hours
    assert in_business_hours(moment) is inside


@pytest.mark.parametrize("text", ["", "always", "Mon-Fri", "Mon-Fri 18-9", "Mon-Fri 9-25", "Mo-Fr 9-18", "Mon-Fri 9-9"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not like|has no hours"):
        BusinessHours.parse(text)

"""What each status means (docs/rules.md section 1), and when a subscription is set to end."""

from datetime import UTC, datetime

import pytest

from integrations.stripe.rules.subscriptions import KNOWN_STATUSES, ends_at, is_counting, is_ended, is_live
from tests.integrations.stripe.rules.builders import a_subscription, an_item


@pytest.mark.parametrize(
    ("status", "live", "counting"),
    [
        ("active", True, True),
        ("past_due", True, True),
        ("trialing", True, False),
        ("unpaid", True, False),
        ("incomplete", True, False),
        ("paused", True, False),
        ("canceled", False, False),
        ("incomplete_expired", False, False),
    ],
)
def test_every_known_status_has_its_meaning(status: str, live: bool, counting: bool) -> None:
    assert (status in KNOWN_STATUSES, is_live(status), is_counting(status), is_ended(status)) == (
        True,
        live,
        counting,
        not live,
    )


def test_a_status_we_do_not_know_is_live_and_does_not_count() -> None:
    assert (is_live("hibernating"), is_counting("hibernating"), "hibernating" in KNOWN_STATUSES) == (True, False, False)


SOON, LATER = 1_800_000_000, 1_800_000_500


@pytest.mark.parametrize(
    ("fields", "periods", "end"),
    [
        ({}, [SOON], None),
        ({"cancel_at": LATER}, [SOON], LATER),
        ({"cancel_at": LATER, "cancel_at_period_end": True}, [SOON], LATER),
        ({"cancel_at_period_end": True}, [SOON, LATER, None], LATER),
        ({"cancel_at_period_end": True}, [None], None),
        ({"cancel_at": 10**15}, [SOON], None),
    ],
    ids=["goes on", "on a day", "the day before the period", "the last period", "no period", "beyond the calendar"],
)
def test_when_a_subscription_is_set_to_end(
    fields: dict[str, int | bool], periods: list[int | None], end: int | None
) -> None:
    items = [an_item(item_id=f"si_{number}", current_period_end=each) for number, each in enumerate(periods)]
    expected = datetime.fromtimestamp(end, tz=UTC) if end is not None else None
    assert ends_at(a_subscription(*items, **fields)) == expected

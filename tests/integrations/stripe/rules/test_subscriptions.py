"""What each status means (docs/rules.md section 1)."""

import pytest

from integrations.stripe.rules.subscriptions import KNOWN_STATUSES, is_counting, is_ended, is_live


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

"""Stripe's Unix seconds as aware datetimes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(seconds: int | None) -> datetime | None:
    """Return the UTC time, or None when there is none or it is beyond what a datetime can hold."""
    if seconds is None:
        return None
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None


def is_later(seconds: int, now: datetime) -> bool:
    """Say whether a Unix time lies after ``now``; exact for numbers no datetime can hold."""
    return seconds > (now - _EPOCH) / timedelta(seconds=1)


def earliest(moments: list[datetime | None]) -> datetime | None:
    """Return the first of the moments that are known."""
    return min((known for known in moments if known is not None), default=None)

"""Database time without asking the database each time.

Every machine that syncs has its own clock; the database has one. The offset is read once, and from then on the moment a
request is sent is told in database time (docs/architecture.md section 4 "Observed-at").
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.db import connection


class DatabaseClock:
    """Tells database time; thread-safe, since nothing changes after it was made."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            self._start: datetime = cursor.fetchone()[0]
        self._monotonic = time.monotonic()
        self._offset = self._start - datetime.now(UTC)

    def now(self) -> datetime:
        """The moment, aware, in the database's time."""
        return self._start + timedelta(seconds=time.monotonic() - self._monotonic)

    def from_local(self, moment: datetime | None) -> datetime:
        """A moment of this machine's clock in the database's time; now, when there is none."""
        return self.now() if moment is None else moment + self._offset

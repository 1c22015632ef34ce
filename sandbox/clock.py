"""The sandbox's clock: the machine's time plus an offset that the control API can move."""

import time
from dataclasses import dataclass

SECONDS_PER_DAY = 86_400


@dataclass
class Clock:
    """Unix seconds. Token lifetimes and event times follow it, so a test can let an hour pass at once."""

    offset_seconds: int = 0

    def now(self) -> int:
        """The current time in whole Unix seconds."""
        return int(time.time()) + self.offset_seconds

    def advance(self, seconds: int) -> int:
        """Move the clock by `seconds` and return the new time."""
        self.offset_seconds += seconds
        return self.now()


def start_of_day(moment: int) -> int:
    """Midnight UTC of the day of `moment`: the base every generated date is counted from."""
    return moment - moment % SECONDS_PER_DAY

"""Which lanes a walk has, and when it pays to split one; no I/O (docs/architecture.md section 4 "Runs").

A lane is a half-open range ``[begin, end)`` of creation times, read from its newest object to its oldest. Every object
of the list lies in exactly one lane, and splitting moves only what its lane has not reached, so an object is handed
out at least once whatever happens in between; one page may be handed out twice by both sides of a split.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

AT_ONCE = 6  # lanes read at the same time: at 100 ms a page, three keep 25 requests a second busy
PAGES_FOR_A_SPLIT = 10  # a split costs up to two pages more; one for so many read keeps that below a fifth
WORTH_SPLITTING = 4  # pages a lane must have left, by what was met so far
FIRST_STRIDE = 8  # pages left to the upper lane when nobody knows where the list begins

Stored = dict[str, Any]


def first_lanes() -> list[Stored]:
    """One lane over everything, as a checkpoint stores it: ``after`` and ``created`` are its cursor."""
    return [stored_lane(None, None)]


def stored_lane(begin: int | None, end: int | None) -> Stored:
    """A lane nobody has begun, as a checkpoint stores it."""
    return {"from": begin, "to": end, "after": "", "created": 0, "done": False}


@dataclass(frozen=True, slots=True)
class Split:
    """``lane`` keeps what was created at ``at`` or later; what is older is lane number ``new`` from now on."""

    lane: int
    at: int
    new: int

    def apply(self, lanes: list[Stored]) -> None:
        """Bring stored lanes in line; splits are applied in the order in which they were made."""
        lanes.append(stored_lane(lanes[self.lane]["from"], self.at))
        lanes[self.lane]["from"] = self.at


@dataclass(slots=True)
class Lane:
    """A lane under way. ``bounds`` is its range as a list takes it; it changes while the lane is being read."""

    begin: int | None
    after: str
    created: int
    done: bool
    bounds: dict[str, int | None]
    taken: bool = False
    newest: int = 0
    pages: int = 0

    @property
    def seconds_a_page(self) -> float:
        """How far apart in time pages have been."""
        return (self.newest - self.created) / self.pages if self.pages else 0.0

    @property
    def pages_left(self) -> float:
        """How many pages there may be left, by what was met so far; endless when nobody knows where it begins."""
        if self.begin is None:
            return float("inf")
        return (self.created - self.begin) / max(self.seconds_a_page, 1e-9)

    @property
    def can_split(self) -> bool:
        """Whether there is a second to cut at, and enough behind it."""
        if self.done or not self.pages or not self.created:
            return False
        return self.pages_left >= WORTH_SPLITTING and (self.begin is None or self.created > self.begin)

    def cut(self, stride: int) -> int:
        """Where to cut: in the middle, or ``stride`` pages on where the beginning is unknown."""
        if self.begin is not None:
            return self.begin + (self.created - self.begin + 1) // 2
        return self.created - round(stride * self.seconds_a_page)


@dataclass(slots=True)
class Lanes:
    """The lanes of one walk; threads share it. ``splits`` says whether the list may be read in several lanes."""

    lanes: list[Lane]
    splits: bool
    pages: int = 0
    made: list[Split] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def of(cls, stored: Iterable[Stored], *, splits: bool) -> Lanes:
        """The lanes of a checkpoint."""
        lanes = [
            Lane(
                begin=each["from"],
                after=each["after"],
                created=each["created"],
                done=each["done"],
                bounds=bounds_of(each["from"], each["to"]),
            )
            for each in stored
        ]
        return cls(lanes, splits)

    def take(self) -> int | None:
        """A lane that is not done and that nobody reads; it is the caller's now."""
        with self.lock:
            for number, lane in enumerate(self.lanes):
                if not lane.done and not lane.taken:
                    lane.taken = True
                    return number
        return None

    def advance(self, number: int, *, newest: int, after: str, created: int, has_more: bool) -> bool:
        """Move a lane behind a page whose objects were created from ``newest`` to ``created``; True when it is done."""
        with self.lock:
            lane = self.lanes[number]
            lane.after, lane.created = after, created
            lane.newest = lane.newest or newest
            lane.pages += 1
            self.pages += 1
            lane.done = not has_more or (lane.begin is not None and created < lane.begin)
            return lane.done

    def split(self) -> Split | None:
        """Split the lane with the most left, when that pays; the new lane is the caller's to read."""
        with self.lock:
            if not self.splits or (len(self.made) + 1) * PAGES_FOR_A_SPLIT > self.pages:
                return None
            number = max(
                (number for number, lane in enumerate(self.lanes) if lane.can_split),
                key=lambda number: self.lanes[number].pages_left,
                default=None,
            )
            if number is None:
                return None
            lane = self.lanes[number]
            at = lane.cut(max(FIRST_STRIDE, 2 * self.pages))
            if at <= 0:
                return None
            older = Lane(
                begin=lane.begin, after="", created=0, done=False, bounds=bounds_of(lane.begin, at), taken=True
            )
            lane.begin = lane.bounds["gte"] = at
            self.lanes.append(older)
            self.made.append(Split(number, at, len(self.lanes) - 1))
            return self.made[-1]

    def made_since(self, number: int) -> list[Split]:
        """The splits but for the first ``number``, in the order in which they were made."""
        with self.lock:
            return self.made[number:]


def bounds_of(begin: int | None, end: int | None) -> dict[str, int | None]:
    """A half-open range as the ``created`` parameter of a list; it always has both keys, so that none is ever added."""
    return {"gte": begin, "lt": end}

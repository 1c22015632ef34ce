"""Lanes: however they are split, killed and resumed, nothing is lost, and few pages are read twice."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.stripe.sync.lanes import PAGES_FOR_A_SPLIT, Lanes, first_lanes

Object = tuple[int, int]  # when it was created, and its number: a list shows the newest first

times = st.one_of(
    st.integers(1_600_000_000, 1_700_000_000),
    st.integers(1_650_000_000, 1_650_003_600),
    st.just(1_650_000_000),
)


@dataclass
class Stripe:
    """A list with pages of a size."""

    objects: list[Object]
    size: int

    def page(self, bounds: dict[str, int | None], after: Object | None) -> tuple[list[Object], bool]:
        """The page behind a cursor, and whether there is more."""
        lowest, highest = bounds["gte"] or 0, bounds["lt"] or 2**40
        found = [each for each in self.objects if lowest <= each[0] < highest and (after is None or each < after)]
        return found[: self.size], len(found) > self.size


class Walk:
    """A walk whose steps come in any order: requests under way, pages handed over, splits, a kill.

    The pages of one lane are handed over in their order, those of several in any: their threads wait for room.
    """

    def __init__(self, stripe: Stripe) -> None:
        self.stripe = stripe
        self.stored: list[dict[str, Any]] = first_lanes()
        self.met: Counter[Object] = Counter()
        self.requests = 0
        self.start()

    def start(self) -> None:
        """Begin at the checkpoint, as a worker does that knows nothing else."""
        self.stored = json.loads(json.dumps(self.stored))
        self.lanes = Lanes.of(self.stored, splits=True)
        self.cursors: dict[int, Object | None] = {}
        self.under_way: dict[int, tuple[list[Object], bool]] = {}
        self.queues: dict[int, list[tuple[list[Object], str, int, bool]]] = {}
        self.told = 0
        while (number := self.lanes.take()) is not None:
            self.cursors[number] = self._cursor(self.lanes.lanes[number].after)

    @staticmethod
    def _cursor(after: str) -> Object | None:
        return tuple(json.loads(after)) if after else None

    def ask(self, number: int) -> None:
        """Send a request for the next page of a lane."""
        bounds = dict(self.lanes.lanes[number].bounds)
        self.under_way[number] = self.stripe.page(bounds, self.cursors[number])
        self.requests += 1

    def answer(self, number: int) -> None:
        """The page arrives, and goes into the queue."""
        page, has_more = self.under_way.pop(number)
        lane = self.lanes.lanes[number]
        last = page[-1] if page else self.cursors[number]
        after = json.dumps(last) if last else ""
        created = last[0] if last else lane.created
        newest = page[0][0] if page else created
        done = self.lanes.advance(number, newest=newest, after=after, created=created, has_more=has_more)
        self.cursors[number] = last
        self.queues.setdefault(number, []).append((page, after, created, done))
        if done:
            del self.cursors[number]

    def split(self) -> None:
        """An idle thread asks for a lane."""
        split = self.lanes.split()
        if split is not None:
            self.cursors[split.new] = None

    def write(self, number: int) -> None:
        """The writer takes a page of a lane, and hears of all splits before."""
        for split in self.lanes.made_since(self.told):
            split.apply(self.stored)
            self.told += 1
        page, after, created, done = self.queues[number].pop(0)
        self.met.update(page)
        self.stored[number].update(after=after, created=created, done=done)

    def steps(self) -> list[tuple[Any, ...]]:
        """What may happen next."""
        idle = [number for number in self.cursors if number not in self.under_way]
        return [
            *((self.ask, number) for number in idle),
            *((self.answer, number) for number in self.under_way),
            *((self.write, number) for number, waiting in self.queues.items() if waiting),
        ]


@settings(max_examples=300, deadline=None)
@given(
    created=st.lists(times, max_size=120),
    size=st.integers(1, 4),
    choices=st.lists(st.integers(0, 10_000), min_size=1, max_size=60),
    kills=st.sets(st.integers(0, 200), max_size=3),
)
def test_nothing_is_lost_whenever_lanes_split_and_workers_die(
    created: list[int], size: int, choices: list[int], kills: set[int]
) -> None:
    objects = sorted(((when, number) for number, when in enumerate(created)), reverse=True)
    walk = Walk(Stripe(objects, size))
    step = 0
    while steps := walk.steps():
        if step in kills:
            walk.start()
        choice = choices[step % len(choices)]
        if choice % 3 == 0:
            walk.split()
        do, *arguments = (steps := walk.steps())[choice % len(steps)]
        do(*arguments)
        step += 1
    assert all(lane["done"] for lane in walk.stored)
    assert set(walk.met) == set(objects)


@settings(max_examples=100, deadline=None)
@given(created=st.lists(times, min_size=400, max_size=800), order=st.randoms(use_true_random=False))
def test_splitting_costs_at_most_a_fifth_more_pages(created: list[int], order: Any) -> None:
    size = 5
    objects = sorted(((when, number) for number, when in enumerate(created)), reverse=True)
    walk = Walk(Stripe(objects, size))
    while steps := walk.steps():
        walk.split()
        do, *arguments = order.choice(steps)
        do(*arguments)
    assert walk.requests <= 1.2 * (len(objects) / size) + 1


def test_a_short_list_is_read_in_one_lane() -> None:
    lanes = Lanes.of(first_lanes(), splits=True)
    assert lanes.take() == 0
    for page in range(PAGES_FOR_A_SPLIT - 1):
        created = 1_700_000_000 - page * 1000
        lanes.advance(0, newest=1_700_000_000, after="x", created=created, has_more=True)
        assert lanes.split() is None


def test_objects_of_one_second_are_never_divided() -> None:
    lanes = Lanes.of(first_lanes(), splits=True)
    lanes.take()
    for _page in range(200):
        lanes.advance(0, newest=1_700_000_000, after="x", created=1_700_000_000, has_more=True)
        split = lanes.split()
        if split is not None:
            assert split.at <= 1_700_000_000
            lanes.advance(split.new, newest=0, after="", created=0, has_more=False)
    assert len(lanes.made) == 1, "the one question whether anything is older"


def test_a_list_without_bounds_is_never_split() -> None:
    lanes = Lanes.of(first_lanes(), splits=False)
    lanes.take()
    for page in range(50):
        lanes.advance(0, newest=1_700_000_000, after="x", created=1_700_000_000 - page, has_more=True)
    assert lanes.split() is None

"""The pace: rates that hold, slots that find their level."""

from __future__ import annotations

import threading

import pytest

from integrations.stripe.api.governor import Governor
from tests.integrations.stripe.api.factories import Clock


def governor(endpoint_rate: float = 0, account_rate: float = 0, *, maximum_slots: int = 16) -> tuple[Governor, Clock]:
    clock = Clock()
    return Governor(endpoint_rate, account_rate, maximum_slots=maximum_slots, clock=clock, sleep=clock.sleep), clock


def test_no_rate_is_no_wait() -> None:
    paced, clock = governor()

    for _ in range(1000):
        paced.acquire("/v1/customers")

    assert clock.slept == []


@pytest.mark.parametrize(("rate", "most"), [(20, 25), (10, 13), (2, 3)])
def test_one_endpoint_never_exceeds_its_rate_in_any_second(rate: float, most: int) -> None:
    paced, clock = governor(rate)
    times = []
    for _ in range(200):
        paced.acquire("/v1/customers")
        times.append(clock.now)

    busiest = max(sum(1 for time in times if start <= time < start + 1) for start in times)
    assert busiest <= most
    assert times[-1] - times[0] == pytest.approx(200 / rate, rel=0.05)


def test_endpoints_have_their_own_rate() -> None:
    paced, clock = governor(1)
    paced.acquire("/v1/customers")

    paced.acquire("/v1/invoices")

    assert clock.slept == []


def test_the_account_limits_all_endpoints_together() -> None:
    paced, clock = governor(0, 5)
    begin = clock.now
    for number in range(50):
        paced.acquire(f"/v1/endpoint{number}")

    assert clock.now - begin == pytest.approx(10, rel=0.1)


def test_idle_time_is_not_saved_up() -> None:
    paced, clock = governor(10)
    paced.acquire("/v1/customers")
    clock.now += 3600
    begin = clock.now

    for _ in range(22):
        paced.acquire("/v1/customers")

    assert clock.now - begin == pytest.approx(2.0)


def test_slots_grow_with_success_up_to_the_maximum() -> None:
    paced, _ = governor(maximum_slots=5)
    seen = []
    for _ in range(6):
        seen.append(paced.slots)
        paced.succeeded()

    assert seen == [2, 3, 4, 5, 5, 5]


def test_a_429_halves_the_slots_and_growth_becomes_slow() -> None:
    paced, _ = governor()
    for _ in range(10):
        paced.succeeded()

    paced.throttled("global-concurrency", None)
    halved = paced.slots
    for _ in range(6):
        paced.succeeded()

    assert halved == 6
    assert paced.slots == 6
    paced.succeeded()
    assert paced.slots == 7


def test_requests_turned_away_together_halve_once() -> None:
    paced, clock = governor()
    for _ in range(10):
        paced.succeeded()

    for _ in range(5):
        paced.throttled("endpoint-rate", None)
    assert paced.slots == 6
    clock.now += 2
    paced.throttled("endpoint-rate", None)

    assert paced.slots == 3


def test_one_slot_is_always_left() -> None:
    paced, clock = governor()
    for _ in range(20):
        paced.throttled("endpoint-rate", None)
        clock.now += 2

    assert paced.slots == 1


def test_an_endpoint_that_is_limited_pauses_alone() -> None:
    paced, clock = governor()
    paced.throttled("endpoint-rate", 3.0, "/v1/invoices")

    paced.acquire("/v1/customers")
    assert clock.slept == []
    paced.acquire("/v1/invoices")

    assert clock.slept == [3.0]


def test_an_account_that_is_limited_pauses_altogether() -> None:
    paced, clock = governor()
    paced.throttled("global-rate", 3.0, "/v1/invoices")

    paced.acquire("/v1/customers")

    assert clock.slept == [3.0]


def test_a_pause_asked_for_is_bounded() -> None:
    paced, clock = governor()
    paced.throttled("global-rate", 1e9)

    paced.acquire("/v1/customers")

    assert clock.slept == [60.0]


def test_a_429_that_comes_while_waiting_prolongs_the_wait() -> None:
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 1:
            paced.throttled("global-rate", 5.0)

    paced = Governor(1, 0, clock=clock, sleep=sleep)
    paced.acquire("/v1/customers")
    paced.acquire("/v1/customers")

    assert clock.slept == [1.0, 5.0]


def test_it_says_for_a_while_that_stripe_slows_us_down() -> None:
    paced, clock = governor()
    assert paced.slowed_until is None

    paced.throttled("endpoint-rate", None)
    assert paced.slowed_until == clock.now + 10
    clock.now += 11

    assert paced.slowed_until is None


def test_no_more_requests_are_under_way_than_there_are_slots() -> None:
    paced, _ = governor(maximum_slots=2)
    third_is_in = threading.Event()

    def third() -> None:
        with paced.request("/v1/customers"):
            third_is_in.set()

    with paced.request("/v1/customers"):
        with paced.request("/v1/customers"):
            thread = threading.Thread(target=third)
            thread.start()
            assert not third_is_in.wait(0.1)
        assert third_is_in.wait(5)
    thread.join()


def test_a_slot_is_given_back_when_sending_fails() -> None:
    paced, _ = governor(maximum_slots=1)
    for _ in range(2):
        with pytest.raises(OSError, match="lost"), paced.request("/v1/customers"):
            raise OSError("lost")

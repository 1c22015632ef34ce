"""Walking lists: everything once, whatever happens on the way."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.errors import IntegrationError
from integrations.stripe.api.failures import CursorGone, TimedOut
from integrations.stripe.api.objects import Page
from integrations.stripe.api.pages import Cursor, cursor_of, iterate
from tests.integrations.stripe.api.factories import reading
from tests.integrations.stripe.api.listing import Listing, things
from tests.integrations.stripe.api.server import Answer, Request, page, serving


def walk(listing: Listing, *, limit: int = 100, **options: object) -> list[str]:
    with serving(listing) as server, reading(server.url) as watched:
        pages = list(iterate(watched.reader, "/v1/things", {"limit": limit}, **options))  # type: ignore[arg-type]
    return names(pages)


def names(pages: list[Page]) -> list[str]:
    return [json.loads(bytes(raw)).get("id", "?") for page in pages for raw in page.data]


def expected(count: int) -> list[str]:
    return [f"thing_{number}" for number in range(count)]


def test_every_object_comes_once_and_in_order() -> None:
    assert walk(Listing(things(list(range(250, 0, -1))))) == expected(250)


def test_an_empty_list_is_one_empty_page() -> None:
    with serving([page()]) as server, reading(server.url) as watched:
        pages = list(iterate(watched.reader, "/v1/things"))

    assert [len(one.data) for one in pages] == [0]


def test_parameters_are_kept_from_page_to_page_and_stay_the_callers() -> None:
    params: dict[str, object] = {"limit": 2, "status": "all", "created": {"gte": 1}}
    listing = Listing(things([3, 2, 1]))
    with serving(listing) as server, reading(server.url) as watched:
        list(iterate(watched.reader, "/v1/things", params))

    assert [query["status"] for query in listing.targets] == [["all"], ["all"]]
    assert params == {"limit": 2, "status": "all", "created": {"gte": 1}}


def test_a_walk_goes_on_behind_its_checkpoint() -> None:
    assert walk(Listing(things([5, 4, 3, 2, 1])), limit=2, starting_after="thing_1") == expected(5)[2:]


def test_a_page_that_times_out_is_asked_for_again_smaller() -> None:
    objects = things(list(range(120, 0, -1)))
    listing = Listing(objects)

    def respond(request: Request) -> Answer:
        answer = listing(request)
        return Answer(fault="silent") if int(request.query["limit"][0]) > 50 else answer

    with serving(respond) as server, reading(server.url, timeout=(1, 0.15)) as watched:
        found = names(list(iterate(watched.reader, "/v1/things")))

    assert found == expected(120)
    assert [query["limit"] for query in listing.targets] == [["100"], ["50"], ["50"], ["50"]]


def test_below_the_smallest_page_a_timeout_is_told() -> None:
    with (
        serving([Answer(fault="silent")]) as server,
        reading(server.url, tries=2, timeout=(1, 0.1)) as watched,
        pytest.raises(TimedOut),
    ):
        list(iterate(watched.reader, "/v1/things"))

    assert [request.query["limit"] for request in server.requests] == [["100"], ["50"], ["25"], ["25"]]


def test_a_cursor_that_is_gone_is_passed_by_time() -> None:
    listing = Listing(things([9, 8, 7, 7, 7, 6, 5]))
    listing.before = lambda number: listing.remove("thing_3") if number == 3 else None

    assert walk(listing, limit=2) == expected(7)
    assert listing.targets[3]["created[lte]"] == ["7"]


def test_after_going_by_time_the_lower_bound_stays() -> None:
    listing = Listing(things([9, 8, 7, 6, 5]))
    listing.before = lambda number: listing.remove("thing_1") if number == 2 else None
    with serving(listing) as server, reading(server.url) as watched:
        found = names(list(iterate(watched.reader, "/v1/things", {"limit": 2, "created": {"gte": 6, "lt": 99}})))

    assert found == expected(4)
    assert listing.targets[2]["created[gte]"] == ["6"]
    assert "created[lt]" not in listing.targets[2]


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.integers(0, 1), min_size=1, max_size=30),
    limit=st.integers(1, 7),
    removals=st.dictionaries(st.integers(2, 12), st.integers(0, 29), max_size=6),
)
def test_whatever_disappears_on_the_way_the_rest_comes_once(
    gaps: list[int], limit: int, removals: dict[int, int]
) -> None:
    seconds = [1000]
    for gap in gaps:
        seconds.append(seconds[-1] - gap)
    listing = Listing(things(seconds))
    listing.before = lambda number: listing.remove(f"thing_{removals[number]}") if number in removals else None

    counted = Counter(walk(listing, limit=limit))

    removed = {f"thing_{number}" for number in removals.values()}
    assert max(counted.values()) == 1
    assert set(expected(len(seconds))) - removed <= set(counted)


def test_a_checkpoint_whose_object_is_gone_goes_on_by_its_time() -> None:
    listing = Listing(things([9, 8, 8, 7]))
    listing.remove("thing_1")

    assert walk(listing, starting_after="thing_1", last_created=8) == ["thing_2", "thing_3"]


def test_without_a_time_to_go_by_the_caller_is_told() -> None:
    with pytest.raises(CursorGone):
        walk(Listing(things([9, 8])), starting_after="thing_gone")


def test_an_unreadable_object_in_the_middle_is_handed_on() -> None:
    listing = Listing([{"id": "a", "created": 3}, {"id": 5, "created": 2}, {"id": "b", "created": 1}])

    assert walk(listing, limit=3) == ["a", 5, "b"]


def test_an_object_without_id_at_the_end_of_a_page_comes_once() -> None:
    objects = things([9, 8, 7, 6])
    del objects[1]["id"]

    assert walk(Listing(objects), limit=2) == ["thing_0", "?", "thing_2", "thing_3"]


def test_a_page_of_objects_without_ids_ends_the_walk_with_an_error() -> None:
    with pytest.raises(IntegrationError) as caught:
        walk(Listing([{"created": 9}, {"created": 8}, {"created": 7}]), limit=2)

    assert caught.value.code == "invalid_response"


def test_a_list_that_repeats_itself_ends_with_an_error() -> None:
    with (
        serving([page({"id": "a", "created": 1}, has_more=True)]) as server,
        reading(server.url) as watched,
        pytest.raises(IntegrationError) as caught,
    ):
        list(iterate(watched.reader, "/v1/things"))

    assert caught.value.code == "invalid_response"
    assert len(server.requests) == 2


def test_the_checkpoint_is_the_last_object_that_can_be_named() -> None:
    with serving([page({"id": "a", "created": 4}, {"id": 3}, {})]) as server, reading(server.url) as watched:
        read = watched.reader.get_page("/v1/things")

    assert cursor_of(read) == Cursor("a", 4)
    assert cursor_of(Page(data=[], has_more=False)) is None

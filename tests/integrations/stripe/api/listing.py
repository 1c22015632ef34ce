"""A list endpoint in miniature: newest first, cursors, ``created`` bounds, objects that disappear on the way."""

from __future__ import annotations

from collections.abc import Callable

from tests.integrations.stripe.api.server import Answer, Request, error, page

Object = dict[str, object]


class Listing:
    """Holds objects in Stripe's order. ``before`` is called with the number of each request (1 is the first)."""

    def __init__(self, objects: list[Object], *, before: Callable[[int], None] | None = None) -> None:
        self.objects = objects
        self.before = before or (lambda number: None)
        self.targets: list[dict[str, list[str]]] = []

    def __call__(self, request: Request) -> Answer:
        self.targets.append(request.query)
        self.before(len(self.targets))
        found = [one for one in self.objects if self._within(one, request)]
        cursor = request.query.get("starting_after", [""])[0]
        if cursor:
            places = [place for place, one in enumerate(found) if one.get("id") == cursor]
            if not places:
                return error(400, "resource_missing", f"No such thing: '{cursor}'", param="starting_after")
            found = found[places[0] + 1 :]
        limit = int(request.query.get("limit", ["10"])[0])
        return page(*found[:limit], has_more=len(found) > limit)

    @staticmethod
    def _within(one: Object, request: Request) -> bool:
        created = one.get("created", 0)
        assert isinstance(created, int)
        highest = request.query.get("created[lte]")
        lowest = request.query.get("created[gte]")
        end = request.query.get("created[lt]")
        if end and created >= int(end[0]):
            return False
        return (not highest or created <= int(highest[0])) and (not lowest or created >= int(lowest[0]))

    def remove(self, identifier: str) -> None:
        self.objects = [one for one in self.objects if one.get("id") != identifier]


def things(seconds: list[int]) -> list[Object]:
    """One object for each of ``seconds``, in that order: thing_0, thing_1 and so on."""
    return [{"id": f"thing_{number}", "created": created} for number, created in enumerate(seconds)]

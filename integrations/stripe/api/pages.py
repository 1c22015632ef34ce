"""Walking a list from its newest object to its oldest (docs/architecture.md section 4, "Runs")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from integrations.errors import IntegrationError
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.failures import CursorGone, TimedOut
from integrations.stripe.api.objects import Page

LARGEST_PAGE = 100
SMALLEST_PAGE = 25


class Cursor(msgspec.Struct, frozen=True):
    """Where a walk stands: the last object seen, and when it was created (Unix seconds, 0 if not told)."""

    id: str
    created: int = 0


_decode_cursor = msgspec.json.Decoder(Cursor).decode


def cursor_of(page: Page) -> Cursor | None:
    """The last object of ``page`` whose id can be read: what to store as a checkpoint; None when there is none."""
    return _first_readable(page.data[::-1])


def newest_of(page: Page) -> int:
    """When the first object of ``page`` was created, Unix seconds; 0 when it does not say."""
    first = _first_readable(page.data)
    return first.created if first else 0


def iterate(
    reader: StripeReader,
    path: str,
    params: Mapping[str, object] | None = None,
    *,
    starting_after: str = "",
    last_created: int = 0,
) -> Iterator[Page]:
    """The pages of a list, each object once, in Stripe's order.

    ``starting_after`` and ``last_created`` go on behind a checkpoint (``cursor_of``). A page that times out is asked
    for again smaller, down to 25, and the walk stays at that size. When the object to go on after is gone, the walk
    goes on by time: with everything created until then, leaving out what it saw of that very second (what an earlier
    walk saw of it comes again). The bounds in ``params["created"]`` may be moved in place while the walk is under way;
    requests from then on have the new ones. CursorGone is raised where there is no time to go by; other errors as in
    ``StripeReader.get``.
    """
    walk = _Walk(reader, path, params or {}, Cursor(starting_after, last_created) if starting_after else None)
    has_more = True
    while has_more:
        page = walk.next_page()
        has_more = page.has_more
        if page.data or not has_more:
            yield page


class _Walk:
    """Where one walk stands and what it must not hand out twice."""

    def __init__(self, reader: StripeReader, path: str, params: Mapping[str, object], cursor: Cursor | None) -> None:
        limit = params.get("limit")
        self._reader = reader
        self._path = path
        self._params = dict(params)
        self._limit = limit if isinstance(limit, int) else LARGEST_PAGE
        self._cursor = cursor
        self._previous: Page | None = None
        # Ids created in the cursor's second on pages before the previous one; only a burst of objects fills it.
        self._same_second: set[str] = set()
        self._skip: set[str] = set()

    def next_page(self) -> Page:
        """One page, without what was handed out before."""
        try:
            page = self._read(self._params, after=self._cursor.id if self._cursor else "")
        except CursorGone:
            page = self._go_on_by_time()
        if page.has_more:
            page = self._advance(page)
        return self._without_skipped(page)

    def _read(self, params: Mapping[str, object], *, after: str) -> Page:
        while True:
            request = {**params, "limit": self._limit, "starting_after": after or None}
            smaller = max(SMALLEST_PAGE, self._limit // 2)
            try:
                return self._reader.get_page(self._path, request, timeout_tries=1 if smaller < self._limit else None)
            except TimedOut:
                if smaller >= self._limit:
                    raise
                self._limit = smaller

    def _go_on_by_time(self) -> Page:
        cursor = self._cursor
        if cursor is None or not cursor.created:
            raise CursorGone
        self._skip = self._same_second | _ids_created_at(self._previous, cursor.created)
        bounds = self._params.get("created")
        lower = {name: bounds[name] for name in ("gt", "gte") if name in bounds} if isinstance(bounds, Mapping) else {}
        self._params["created"] = {**lower, "lte": cursor.created}
        return self._read(self._params, after="")

    def _advance(self, page: Page) -> Page:
        """Move the cursor to the end of ``page``; objects without a readable id at its end are left to the next page.

        A cursor cannot be put on them, so the next page begins with them anyway.
        """
        data = list(page.data)
        while data and _cursor(data[-1]) is None:
            data.pop()
        first, last = _first_readable(data), _first_readable(data[-1:])
        if first is None or last is None or (self._cursor and last.id == self._cursor.id):
            raise IntegrationError("invalid_response", "A list does not go on: its page ends where the last one did.")
        whole_second = self._cursor is not None and first.created == self._cursor.created == last.created
        carried = self._same_second | _ids_created_at(self._previous, last.created) if whole_second else set()
        self._same_second = carried
        self._cursor = last
        self._previous = page = Page(data=data, has_more=True)
        return page

    def _without_skipped(self, page: Page) -> Page:
        if not self._skip:
            return page
        kept = [raw for raw in page.data if not ((cursor := _cursor(raw)) and cursor.id in self._skip)]
        if len(kept) == len(page.data):
            self._skip = set()  # beyond that second
        return Page(data=kept, has_more=page.has_more)


def _cursor(raw: msgspec.Raw) -> Cursor | None:
    try:
        cursor = _decode_cursor(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return cursor if cursor.id and "\0" not in cursor.id else None


def _first_readable(data: Sequence[msgspec.Raw]) -> Cursor | None:
    return next((cursor for raw in data if (cursor := _cursor(raw))), None)


def _ids_created_at(page: Page | None, created: int) -> set[str]:
    cursors = (_cursor(raw) for raw in page.data) if page else ()
    return {cursor.id for cursor in cursors if cursor and cursor.created == created}

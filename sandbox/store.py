"""The objects of one account in one mode, kept as encoded JSON and found by id, by attribute and by time.

A body is either bytes or produced on request by a `Source`, so that 100,000 generated subscriptions need no memory
for their text.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from sandbox.kinds import KINDS, Attributes, Kind
from sandbox.shapes import Json

Key = tuple[int, str]


class Source(Protocol):
    """Produces the body of a generated object from its number."""

    def render(self, kind: str, number: int) -> bytes:
        """The JSON of object `number` of `kind`."""
        ...


class Entry:
    """One stored object: its sort key, what filters see, and its body (bytes, or a source and a number)."""

    __slots__ = ("_body", "_number", "attributes", "created", "id")

    def __init__(
        self, object_id: str, created: int, attributes: Attributes, body: bytes | Source, number: int = 0
    ) -> None:
        self.id = object_id
        self.created = created
        self.attributes = attributes
        self._body = body
        self._number = number

    def body(self, kind: str) -> bytes:
        """The object's JSON, without the fields that are only sent when expanded."""
        if isinstance(self._body, bytes):
            return self._body
        return self._body.render(kind, self._number)


def sort_key(entry: Entry) -> Key:
    """Oldest first, ties by id; lists are read backwards, newest first."""
    return (entry.created, entry.id)


@dataclass
class Selection:
    """What a list asks for.

    `index` picks one indexed attribute value, `test` decides about the rest, times are inclusive bounds of
    `created`, `after` and `before` are the sort keys of the cursors.
    """

    index: tuple[str, Any] | None = None
    test: Callable[[Entry], bool] | None = None
    oldest: int | None = None
    newest: int | None = None
    after: Key | None = None
    before: Key | None = None
    limit: int = 10


class Collection:
    """The objects of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._by_id: dict[str, Entry] = {}
        self._ordered: list[Entry] = []
        self._indexes: dict[str, defaultdict[Any, list[Entry]]] = {}

    def __len__(self) -> int:
        return len(self._ordered)

    def __iter__(self) -> Iterator[Entry]:
        return reversed(self._ordered)

    def get(self, object_id: str) -> Entry | None:
        """The entry with this id, or None."""
        return self._by_id.get(object_id)

    def load(self, entries: Iterable[Entry]) -> None:
        """Add many entries at once; sorts only once, so it is the way to fill a large collection."""
        for entry in entries:
            self._by_id[entry.id] = entry
        self._ordered = sorted(self._by_id.values(), key=sort_key)
        self._indexes.clear()

    def put(self, entry: Entry) -> None:
        """Add or replace one entry."""
        self.remove(entry.id)
        self._by_id[entry.id] = entry
        insort(self._ordered, entry, key=sort_key)
        for name, index in self._indexes.items():
            for value in _values(entry.attributes[name]):
                insort(index[value], entry, key=sort_key)

    def remove(self, object_id: str) -> None:
        """Forget an entry; unknown ids are fine."""
        entry = self._by_id.pop(object_id, None)
        if entry is None:
            return
        _discard(self._ordered, entry)
        for name, index in self._indexes.items():
            for value in _values(entry.attributes[name]):
                _discard(index[value], entry)

    def where(self, attribute: str, value: Any) -> list[Entry]:
        """All entries with an indexed attribute value, oldest first; an index is built when it is first needed."""
        index = self._indexes.get(attribute)
        if index is None:
            index = self._indexes[attribute] = defaultdict(list)
            for entry in self._ordered:
                for held in _values(entry.attributes[attribute]):
                    index[held].append(entry)
        return index.get(value, [])

    def select(self, selection: Selection) -> tuple[list[Entry], bool]:
        """One page, newest first, and whether more follow in the direction of travel."""
        candidates = self._ordered if selection.index is None else self.where(*selection.index)
        start, stop = _window(candidates, selection)
        forwards = selection.before is not None
        positions = range(start, stop) if forwards else range(stop - 1, start - 1, -1)
        page: list[Entry] = []
        more = False
        for position in positions:
            entry = candidates[position]
            if selection.test is not None and not selection.test(entry):
                continue
            if len(page) == selection.limit:
                more = True
                break
            page.append(entry)
        if forwards:
            page.reverse()
        return page, more


def _window(candidates: list[Entry], selection: Selection) -> tuple[int, int]:
    start, stop = 0, len(candidates)
    if selection.oldest is not None:
        start = bisect_left(candidates, (selection.oldest, ""), key=sort_key)
    if selection.newest is not None:
        stop = bisect_left(candidates, (selection.newest + 1, ""), key=sort_key)
    if selection.after is not None:
        stop = min(stop, bisect_left(candidates, selection.after, key=sort_key))
    if selection.before is not None:
        start = max(start, bisect_right(candidates, selection.before, key=sort_key))
    return start, stop


def _values(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple) else (value,)


def _discard(ordered: list[Entry], entry: Entry) -> None:
    position = bisect_left(ordered, sort_key(entry), key=sort_key)
    if position < len(ordered) and ordered[position].id == entry.id:
        del ordered[position]


@dataclass
class Dataset:
    """Everything of one (account, mode): the collections, and what is not listed but can be expanded."""

    account: str
    mode: str
    collections: dict[str, Collection] = field(
        default_factory=lambda: {name: Collection(kind) for name, kind in KINDS.items()}
    )
    discounts: dict[str, bytes] = field(default_factory=dict)
    included: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Object id -> the fields only sent when expanded (`tiers`, `currency_options`, `applies_to`)."""
    item_overflow: dict[str, list[bytes]] = field(default_factory=dict)
    """Subscription id -> all its items, for the few that have more than fit inline."""
    removed: dict[str, bytes] = field(default_factory=dict)
    """What is left of deleted objects: tombstones, and whole coupons (their discounts stay in force)."""

    @property
    def livemode(self) -> bool:
        """Whether this is the live mode."""
        return self.mode == "live"

    def body(self, kind: str, object_id: str) -> bytes | None:
        """The JSON of an object, of its tombstone when it was deleted, or None."""
        entry = self.collections[kind].get(object_id)
        return self.removed.get(object_id) if entry is None else entry.body(kind)

    def read(self, kind: str, object_id: str) -> Json | None:
        """An object decoded and whole: inline items complete, fields of expansion included; None when unknown."""
        entry = self.collections[kind].get(object_id)
        return None if entry is None else self.whole(kind, entry)

    def whole(self, kind: str, entry: Entry) -> Json:
        """`read` for an entry at hand."""
        decoded: Json = msgspec.json.decode(entry.body(kind))
        for name, value in self.included.get(entry.id, {}).items():
            decoded[name] = msgspec.json.decode(value)
        if entry.id in self.item_overflow:
            decoded["items"]["data"] = [msgspec.json.decode(item) for item in self.item_overflow[entry.id]]
            decoded["items"]["has_more"] = False
        return decoded

    def write(self, kind: str, value: Mapping[str, Any]) -> Entry:
        """Store a whole object (as `read` gives it), replacing the one with its id."""
        entry = self.entry(kind, value)
        self.collections[kind].put(entry)
        self.removed.pop(entry.id, None)
        return entry

    def entry(self, kind: str, value: Mapping[str, Any]) -> Entry:
        """The entry for a whole object; its includable fields and surplus items go to their places beside it."""
        definition = KINDS[kind]
        held = dict(value)
        object_id = str(held["id"])
        attributes = definition.attributes(held)
        included = {name: msgspec.json.encode(held.pop(name)) for name in definition.includable if name in held}
        if included:
            self.included.setdefault(object_id, {}).update(included)
        if kind == "subscriptions":
            held["items"] = self._inline_items(object_id, held["items"])
        return Entry(object_id, held["created"], attributes, msgspec.json.encode(held))

    def _inline_items(self, subscription_id: str, items: Json) -> Json:
        self.item_overflow.pop(subscription_id, None)
        data = items["data"]
        if len(data) <= INLINE_ITEMS:
            return {**items, "has_more": False, "total_count": len(data)}
        self.item_overflow[subscription_id] = [msgspec.json.encode(item) for item in data]
        return {**items, "data": data[:INLINE_ITEMS], "has_more": True, "total_count": len(data)}

    def remove(self, kind: str, object_id: str) -> None:
        """Delete an object, leaving what references to it still show."""
        body = self.body(kind, object_id)
        self.collections[kind].remove(object_id)
        resource = KINDS[kind].resource
        if kind == "coupons" and body is not None:
            self.removed[object_id] = body
        else:
            self.removed[object_id] = tombstone(resource, object_id)


INLINE_ITEMS = 10


def tombstone(resource: str, object_id: str) -> bytes:
    """What Stripe still shows of a deleted object."""
    return msgspec.json.encode({"id": object_id, "object": resource, "deleted": True})

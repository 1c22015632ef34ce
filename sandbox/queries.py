"""Query strings of list requests: bracketed parameters, Stripe's checks, and the selection they amount to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import ApiError, no_such
from sandbox.kinds import KINDS
from sandbox.store import Collection, Entry, Key, Selection, sort_key

Test = Callable[[Entry], bool]
Query = Sequence[tuple[str, str]]

MAXIMUM_LIMIT = 100
DEFAULT_LIMIT = 10
EVENT_DAYS = 30

_PAGING = {"limit", "starting_after", "ending_before", "expand"}
_BOUNDS = ("gt", "gte", "lt", "lte")
_ENDED = ("canceled", "incomplete_expired")
_SUBSCRIPTION_STATUSES = {
    "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing",
    "unpaid",
}  # fmt: skip


@dataclass(frozen=True)
class ListQuery:
    """A parsed list request. `values` holds plain parameters, `many` those with `[]`, `ranges` those with bounds."""

    values: dict[str, str]
    many: dict[str, list[str]]
    ranges: dict[str, dict[str, int]]
    expand: list[str]
    limit: int


@dataclass(frozen=True)
class Parameters:
    """Which parameters a list takes, and how the plain ones narrow it beyond equality."""

    plain: Mapping[str, str] = field(default_factory=dict)
    """Parameter -> attribute that must equal it."""
    many: Mapping[str, str] = field(default_factory=dict)
    ranges: tuple[str, ...] = ("created",)


LISTS: dict[str, Parameters] = {
    "customers": Parameters({"email": "email", "test_clock": "test_clock"}),
    "subscriptions": Parameters(
        {
            "customer": "customer", "price": "price", "status": "status", "collection_method": "collection_method",
            "test_clock": "test_clock",
        }
    ),
    "invoices": Parameters(
        {
            "customer": "customer", "status": "status", "subscription": "subscription",
            "collection_method": "collection_method",
        },
        ranges=("created", "due_date"),
    ),
    "invoice_payments": Parameters(
        {
            "invoice": "invoice", "status": "status", "payment[type]": "payment_type",
            "payment[payment_intent]": "payment_intent",
        }
    ),
    "payment_intents": Parameters({"customer": "customer"}),
    "products": Parameters({"active": "active"}, {"ids": "id"}),
    "prices": Parameters(
        {"active": "active", "product": "product", "currency": "currency", "type": "type"},
        {"lookup_keys": "lookup_key"},
    ),
    "coupons": Parameters(),
    "events": Parameters({"type": "type", "delivery_success": "undelivered"}, {"types": "type"}),
}  # fmt: skip


def expansions(query: Query) -> list[str]:
    """The `expand[]` paths of a retrieve. Raises ApiError `parameter_unknown` for anything else."""
    for name, _ in query:
        if _base(name) != "expand":
            raise _unknown(name)
    return [value for _, value in query]


def parse(kind: str, query: Query) -> ListQuery:
    """Sort out the parameters of a list. Raises ApiError 400 in Stripe's words for unknown or malformed ones."""
    allowed = LISTS[kind]
    values: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    ranges: dict[str, dict[str, int]] = {}
    expand: list[str] = []
    for name, value in query:
        base = _base(name)
        if base == "expand":
            expand.append(value)
        elif name in allowed.plain or name in _PAGING:
            values[name] = value
        elif base in allowed.ranges:
            ranges.setdefault(base, {})[_bound(name, base)] = _integer(value, name)
        elif base in allowed.many:
            many.setdefault(base, []).append(value)
        else:
            raise _unknown(name)
    return ListQuery(values, many, ranges, expand, _limit(values))


def selection(query: ListQuery, collection: Collection, now: int) -> Selection:
    """What to take from `collection`. Raises ApiError 400 for a cursor that does not exist or bad filter values."""
    kind = collection.kind.name
    wanted = _equalities(kind, query)
    index = _best_index(collection, wanted)
    tests = [_equals(name, value) for name, value in wanted.items() if index is None or name != index[0]]
    tests += [_one_of(LISTS[kind].many[name], values) for name, values in query.many.items()]
    tests += [_within(name, bounds) for name, bounds in query.ranges.items() if name != "created"]
    tests += _SPECIAL.get(kind, lambda _: [])(query)
    after, before = query.values.get("starting_after"), query.values.get("ending_before")
    if after and before:
        raise ApiError(400, "You may only specify one of these parameters: starting_after, ending_before.")
    oldest, newest = _inclusive(query.ranges.get("created", {}))
    if kind == "events":
        oldest = max(oldest or 0, now - EVENT_DAYS * 86_400)
    return Selection(
        index=index,
        test=_all_of(tests),
        oldest=oldest,
        newest=newest,
        after=_cursor(collection, after, "starting_after"),
        before=_cursor(collection, before, "ending_before"),
        limit=query.limit,
    )


def _equalities(kind: str, query: ListQuery) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for parameter, attribute in LISTS[kind].plain.items():
        value = query.values.get(parameter)
        if value is not None and (kind, parameter) not in _CUSTOM:
            wanted[attribute] = _boolean(value, parameter) if parameter == "active" else value
    if kind == "subscriptions":
        status = query.values.get("status")
        if status is not None and status not in _SUBSCRIPTION_STATUSES:
            raise ApiError(
                400,
                f"Invalid status: must be one of {', '.join(sorted(_SUBSCRIPTION_STATUSES))}",
                param="status",
            )
        if status is not None and status not in {"all", "ended"}:
            wanted["status"] = status
    return wanted


def _subscription_tests(query: ListQuery) -> list[Test]:
    tests: list[Test] = []
    status = query.values.get("status")
    if status is None:
        tests.append(lambda entry: entry.attributes["status"] != "canceled")
    elif status == "ended":
        tests.append(lambda entry: entry.attributes["status"] in _ENDED)
    if not {"customer", "test_clock"} & query.values.keys():
        tests.append(_not_on_a_test_clock)
    return tests


def _customer_tests(query: ListQuery) -> list[Test]:
    return [] if "test_clock" in query.values else [_not_on_a_test_clock]


def _event_tests(query: ListQuery) -> list[Test]:
    tests: list[Test] = []
    if "type" in query.values and "types" in query.many:
        raise ApiError(400, "You may only specify one of these parameters: type, types.")
    if len(query.many.get("types", [])) > 20:
        raise ApiError(400, "You may only specify up to 20 event types.", param="types")
    wanted = query.values.get("type")
    if wanted is not None and wanted.endswith(".*"):
        prefix = wanted[:-1]
        tests.append(lambda entry: entry.attributes["type"].startswith(prefix))
    elif wanted is not None:
        tests.append(_equals("type", wanted))
    if "delivery_success" in query.values:
        undelivered = not _boolean(query.values["delivery_success"], "delivery_success")
        tests.append(_equals("undelivered", undelivered))
    return tests


_SPECIAL: dict[str, Callable[[ListQuery], list[Test]]] = {
    "subscriptions": _subscription_tests,
    "customers": _customer_tests,
    "events": _event_tests,
}
_CUSTOM = {("subscriptions", "status"), ("events", "type"), ("events", "delivery_success")}


def _best_index(collection: Collection, wanted: Mapping[str, Any]) -> tuple[str, Any] | None:
    usable = [(name, wanted[name]) for name in collection.kind.indexed if name in wanted]
    return min(usable, key=lambda one: len(collection.where(*one)), default=None)


def _cursor(collection: Collection, object_id: str | None, parameter: str) -> Key | None:
    if not object_id:
        return None
    entry = collection.get(object_id)
    if entry is None:
        raise no_such(KINDS[collection.kind.name].resource, object_id, param=parameter, status=400)
    return sort_key(entry)


def _equals(attribute: str, value: Any) -> Test:
    def test(entry: Entry) -> bool:
        held = entry.attributes[attribute]
        return value in held if isinstance(held, tuple) else held == value

    return test


def _one_of(attribute: str, values: list[str]) -> Test:
    wanted = frozenset(values)
    if attribute == "id":
        return lambda entry: entry.id in wanted
    return lambda entry: entry.attributes[attribute] in wanted


def _within(attribute: str, bounds: Mapping[str, int]) -> Test:
    oldest, newest = _inclusive(bounds)

    def test(entry: Entry) -> bool:
        held = entry.attributes[attribute]
        if held is None:
            return False
        return (oldest is None or held >= oldest) and (newest is None or held <= newest)

    return test


def _all_of(tests: list[Test]) -> Test | None:
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda entry: all(test(entry) for test in tests)


def _not_on_a_test_clock(entry: Entry) -> bool:
    return entry.attributes["test_clock"] is None


def _inclusive(bounds: Mapping[str, int]) -> tuple[int | None, int | None]:
    lower = [bounds["gte"]] if "gte" in bounds else []
    lower += [bounds["gt"] + 1] if "gt" in bounds else []
    upper = [bounds["lte"]] if "lte" in bounds else []
    upper += [bounds["lt"] - 1] if "lt" in bounds else []
    return max(lower, default=None), min(upper, default=None)


def _base(name: str) -> str:
    return name.partition("[")[0]


def _bound(name: str, base: str) -> str:
    if name == base:
        raise ApiError(400, f"Invalid {base}: give a range such as {base}[gte].", param=base)
    bound = name[len(base) + 1 : -1]
    if bound not in _BOUNDS:
        raise _unknown(name)
    return bound


def _limit(values: Mapping[str, str]) -> int:
    limit = _integer(values.get("limit", str(DEFAULT_LIMIT)), "limit")
    if limit > MAXIMUM_LIMIT:
        raise ApiError(
            400, "This value must be less than or equal to 100.", code="parameter_invalid_integer", param="limit"
        )
    if limit < 1:
        raise ApiError(
            400, "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="limit"
        )
    return limit


def _integer(value: str, parameter: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ApiError(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=parameter) from None


def _boolean(value: str, parameter: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise ApiError(400, f"Invalid boolean: {value}", param=parameter)
    return value.lower() == "true"


def _unknown(name: str) -> ApiError:
    return ApiError(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)

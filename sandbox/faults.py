"""Faults on demand: which requests go wrong, and how.

A rule fires on the `nth` matching request (1 = the first) and on following ones until it has fired `times` times
(0 = for ever), taking every `every`-th of them.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

from sandbox.errors import ApiError, missing_permission
from sandbox.limits import rate_limited
from sandbox.queries import Query

FaultKind = Literal[
    "429", "500", "503", "403", "revoked", "html", "timeout", "slow", "reset", "truncate", "broken_object", "mutation"
]


class Match(msgspec.Struct, forbid_unknown_fields=True):
    """Which requests: a path (with `*`), optionally a mode and query parameters that must be there."""

    path: str = "*"
    method: str = "GET"
    mode: str | None = None
    query: dict[str, str] = {}
    nth: int = 1
    every: int = 0
    times: int = 1


class Mutation(msgspec.Struct, forbid_unknown_fields=True):
    """A change of the data made while a request is being answered, before its answer is read."""

    kind: str
    id: str
    method: Literal["PATCH", "PUT", "DELETE"] = "PATCH"
    object: dict[str, Any] = {}
    event: str | None = None
    account: str | None = None
    mode: str | None = None


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One rule as the control API takes it."""

    kind: FaultKind
    match: Match = msgspec.field(default_factory=Match)
    index: int = 0
    field: str | None = None
    unreadable_id: bool = False
    reason: str = "endpoint-rate"
    retry_after: float | None = None
    delay_ms: int = 0
    permission: str = "subscription_read"
    status: int = 502
    mutation: Mutation | None = None
    seen: int = 0
    fired: int = 0


def _matches(match: Match, method: str, path: str, query: Query, mode: str | None) -> bool:
    if match.method not in {method, "*"} or not fnmatchcase(path, match.path):
        return False
    if match.mode is not None and match.mode != mode:
        return False
    given = set(query)
    return all(pair in given for pair in match.query.items())


def _is_due(fault: Fault) -> bool:
    match = fault.match
    if match.times and fault.fired >= match.times:
        return False
    offset = fault.seen - match.nth
    return offset >= 0 and offset % max(1, match.every) == 0


class Faults:
    """The rules in force, in the order they were given."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def add(self, rules: Sequence[Fault]) -> None:
        """Put more rules in force."""
        self.rules.extend(rules)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.rules.clear()

    def take(self, method: str, path: str, query: Query, mode: str | None) -> Fault | None:
        """The first rule due for this request; every matching rule counts it."""
        due: Fault | None = None
        for rule in self.rules:
            if _matches(rule.match, method, path, query, mode):
                rule.seen += 1
                if due is None and _is_due(rule):
                    rule.fired += 1
                    due = rule
        return due


def refusal(fault: Fault) -> ApiError | None:
    """The error a rule of this kind answers with, or None when the request is answered first."""
    if fault.kind == "429":
        return rate_limited(fault.reason, fault.retry_after)
    if fault.kind in {"500", "503"}:
        return ApiError(
            int(fault.kind), "Sorry, there was an error on Stripe's side. Please try again.", kind="api_error"
        )
    if fault.kind == "403":
        return missing_permission("rk_***", "of this key", fault.permission, app=False)
    if fault.kind == "revoked":
        return ApiError(401, "Invalid API Key provided: rk_***", code="api_key_expired")
    return None


def broken(body: bytes, fault: Fault) -> bytes:
    """The list answer `body` with the object at `fault.index` made undecodable."""
    page = msgspec.json.decode(body)
    rows = page.get("data") if isinstance(page.get("data"), list) else [page]
    if fault.index < len(rows):
        row = rows[fault.index]
        row[fault.field or ("items" if "items" in row else "created")] = "broken"
        if fault.unreadable_id:
            row.pop("id", None)
    return msgspec.json.encode(page)

"""What is being worked on right now: the request, the run, the connection. Log lines and the audit log carry it.

Context variables, so that threads of a server and nested calls keep theirs apart; nothing is passed through arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_current: ContextVar[dict[str, str] | None] = ContextVar("current", default=None)


def current() -> dict[str, str]:
    """What is known here: of ``request``, ``address`` (of whoever asked), ``run`` and ``connection``."""
    return dict(_current.get() or {})


@contextmanager
def working_on(**what: object) -> Iterator[None]:
    """Add to what is known, inside the block."""
    token = _current.set({**(_current.get() or {}), **{name: str(value) for name, value in what.items()}})
    try:
        yield
    finally:
        _current.reset(token)


class HasMode(Protocol):
    """A connection, as far as this module knows one."""

    mode: Any


C = TypeVar("C", bound=HasMode)


def of_connection(function: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """A function whose first argument is the connection it works for."""

    @wraps(function)
    def known(connection: C, *args: P.args, **kwargs: P.kwargs) -> R:
        with working_on(connection=connection.mode):
            return function(connection, *args, **kwargs)

    return known


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` for other threads: it knows there what is known here and now."""
    here = copy_context()
    return lambda *args, **kwargs: here.copy().run(function, *args, **kwargs)

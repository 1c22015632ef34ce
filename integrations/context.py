"""What is being worked on right now: the request, the run, the connection. Log lines and the audit log carry it.

Context variables, so that threads of a server and nested calls keep theirs apart; nothing is passed through arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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

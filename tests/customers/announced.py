"""Listening to what the CRM side announces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from customers.signals import customers_changed

Committing = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


@dataclass
class Announced:
    """What was heard: (environment, domains, ids) per announcement."""

    heard: list[tuple[str, frozenset[str], frozenset[int]]] = field(default_factory=list)


@contextmanager
def listening(committing: Committing) -> Iterator[Announced]:
    """Hear what is announced inside, once the transactions there are committed."""
    announced = Announced()

    def hear(sender: Any, *, environment: str, domains: frozenset[str], ids: frozenset[int], **kwargs: Any) -> None:
        announced.heard.append((environment, domains, ids))

    customers_changed.connect(hear)
    try:
        with committing(execute=True):
            yield announced
    finally:
        customers_changed.disconnect(hear)

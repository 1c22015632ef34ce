"""Reads items in a few threads at once, without losing the lease meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from integrations import context

READERS = 8
LOOK_SECONDS = 1.0

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class StoppedError(Exception):
    """Waiting was ended because the slice is over or the run was cancelled."""


def read_in_threads(
    items: Sequence[Item],
    read: Callable[[Item], Answer],
    *,
    stop: threading.Event,
    tick: Callable[[set[Future[Answer]]], None],
) -> list[Future[Answer]]:
    """Start reading items in order, a few at once, until all are or ``stop`` is set; returns the ended futures.

    ``tick`` is called with the futures that ended, once a second at least: it renews leases and may set ``stop``.
    """
    started: list[Future[Answer]] = []
    read = context.carry(read)
    with ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="read") as pool:
        try:
            pending: set[Future[Answer]] = set()
            while pending or (len(started) < len(items) and not stop.is_set()):
                while len(pending) < READERS and len(started) < len(items) and not stop.is_set():
                    started.append(pool.submit(read, items[len(started)]))
                    pending.add(started[-1])
                ended, pending = wait(pending, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
                tick(ended)
        except BaseException:
            stop.set()
            raise
    return started

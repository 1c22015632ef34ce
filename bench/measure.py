"""What a stretch of work costs: time, CPU of this process and of the database's, memory, statements, mirror rows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from django.db import connection
from django.db.backends.signals import connection_created


@dataclass(slots=True)
class Cost:
    """Seconds of wall clock and CPU, and the number of statements sent; ``by_kind`` counts them by their first words.

    ``database_cpu`` is that of all the server's processes, None where the database is another machine's.
    """

    wall: float = 0.0
    cpu: float = 0.0
    database_cpu: float | None = None
    statements: int = 0
    by_kind: dict[str, list[float]] = field(default_factory=dict)


@contextmanager
def measured() -> Iterator[Cost]:
    """Fill in the cost of the block once it ends."""
    cost = Cost()
    server = server_process()
    before = cpu_of(server)
    began, busy = time.perf_counter(), time.process_time()
    with counted_everywhere(counting(cost)):
        yield cost
    cost.wall = time.perf_counter() - began
    cost.cpu = time.process_time() - busy
    if before is not None:
        after = cpu_of(server)
        cost.database_cpu = None if after is None else after - before


@contextmanager
def counted_everywhere(wrapper: Callable[..., Any]) -> Iterator[None]:
    """Wrap every statement of this thread's connection, and of those that other threads open meanwhile."""

    def opened(connection: Any, **_rest: Any) -> None:
        if wrapper not in connection.execute_wrappers:
            connection.execute_wrappers.append(wrapper)

    connection_created.connect(opened)
    try:
        with connection.execute_wrapper(wrapper):
            yield
    finally:
        connection_created.disconnect(opened)


def counting(cost: Cost) -> Callable[..., Any]:
    """A wrapper of every statement that counts it, and the seconds spent waiting for it."""

    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            cost.statements += 1
            seen = cost.by_kind.setdefault(" ".join(str(sql).split())[:90], [0, 0.0])
            seen[0] += 1
            seen[1] += time.perf_counter() - began

    return wrapper


def server_process() -> psutil.Process | None:
    """The database's process that all others are children of, if it runs on this machine."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    try:
        process = psutil.Process(pid)
        return process.parent() if "postgres" in process.name() else None
    except psutil.Error:
        return None


def cpu_of(server: psutil.Process | None) -> float | None:
    """Seconds of CPU a server and its children have used, those that ended too; None when it is not ours to look at."""
    try:
        if server is None:
            return None
        own = server.cpu_times()
        used = own.user + own.system + own.children_user + own.children_system
        for child in server.children():
            times = child.cpu_times()
            used += times.user + times.system
    except psutil.Error:
        return None
    return float(used)


def peak_memory_mb() -> float:
    """The most memory this process ever held (VmHWM), in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if os.uname().sysname == "Darwin" else 1024)


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

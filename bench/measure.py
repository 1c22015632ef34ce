"""What a stretch of work costs: time, CPU of this process and of the database's, memory, statements, mirror rows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from django.db import connection


@dataclass(slots=True)
class Cost:
    """Seconds of wall clock and CPU, and the number of statements sent; ``by_kind`` counts them by their first words.

    ``database_cpu`` is that of the one backend this process talks to, None where the database is another machine's.
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
    backend = backend_process()
    before = cpu_of(backend)
    began, busy = time.perf_counter(), time.process_time()
    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(counting(cost)))
        yield cost
    cost.wall = time.perf_counter() - began
    cost.cpu = time.process_time() - busy
    if before is not None:
        after = cpu_of(backend)
        cost.database_cpu = None if after is None else after - before


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


def backend_process() -> psutil.Process | None:
    """The database's process that serves this one, if it runs on this machine."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    try:
        process = psutil.Process(pid)
        return process if "postgres" in process.name() else None
    except psutil.Error:
        return None


def cpu_of(process: psutil.Process | None) -> float | None:
    """Seconds of CPU a process has used; None when it is gone or not ours to look at."""
    try:
        if process is None:
            return None
        times = process.cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)


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

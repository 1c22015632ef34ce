"""The tables, on the terminal and in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

Figures = dict[str, Any]
HOW = "<!-- written by `make bench` from here on; what stands above is kept -->"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns also line up as plain text; all but the first are right-aligned."""
    widths = [max(len(each) for each in column) for column in zip(heads, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *others]) + " |"

    rule = "|" + "|".join(
        "-" * (width + 2) if not number else "-" * (width + 1) + ":" for number, width in enumerate(widths)
    )
    return "\n".join([line(heads), rule + "|", *(line(row) for row in rows)])


def syncs(rows: Sequence[Figures]) -> str:
    """One line for each run; CPU as a multiple of the floor of the same size."""
    floors = {row["size"]: row for row in rows if row["what"].startswith("floor")}
    heads = (
        "subscriptions, run", "wall s", "CPU s", "database CPU s", "× floor CPU", "peak MB", "requests", "429",
        "pages / least", "in doubt", "single reads", "rows written", "statements per 1,000",
    )  # fmt: skip
    return table(heads, [sync_cells(row, floors.get(row["size"])) for row in rows])


def sync_cells(row: Figures, floor: Figures | None) -> list[str]:
    """One line of the table of runs."""
    database = row["database_cpu"]
    ratio = f"{row['cpu'] / floor['cpu']:.1f}" if floor else ""
    cells = [
        f"{row['size']:,} {row['what']}",
        f"{row['wall']:.1f}",
        f"{row['cpu']:.1f}",
        "" if database is None else f"{database:.1f}",
        ratio,
        f"{row['memory_mb']:.0f}",
        f"{row['requests']:,}",
    ]
    if row is floor or "read" not in row:
        return [*cells, "", "", "", "", "", ""]
    return [
        *cells,
        str(row["throttled"]),
        f"{row['subscription_pages']:,} / {row['least_pages']:,}",
        f"{row['in_doubt']:,}",
        f"{row['own_reads']:,}",
        f"{row['rows_written']:,}",
        f"{row['statements'] * 1000 / row['read']:.0f}",
    ]


def served(rows: Sequence[Figures]) -> str:
    """Whether the local Stripe is what a run waits for: the pages it serves alone, and those the fastest run took."""
    lines = []
    for size in sorted({row["size"] for row in rows}):
        mine = [row for row in rows if row["size"] == size]
        taken = max(row["requests"] / row["wall"] for row in mine)
        lines.append([f"{size:,}", f"{mine[0]['served']:.0f}", f"{taken:.0f}"])
    return table(("subscriptions", "pages a second the local Stripe serves alone", "most a run took"), lines)


def growth(rows: Sequence[Figures]) -> str:
    """What each run costs per 1,000 subscriptions, size beside size: a line that does not rise is linear or better."""
    sizes = sorted({row["size"] for row in rows})
    if len(sizes) < 2:
        return ""
    whats = list(dict.fromkeys(row["what"] for row in rows))
    by_key = {(row["what"], row["size"]): row for row in rows}
    lines = []
    for what in whats:
        found = [by_key.get((what, size)) for size in sizes]
        cells = [f"{row['cpu'] * 1e6 / row['size']:.0f} ms, {row['memory_mb']:.0f} MB" if row else "" for row in found]
        lines.append([what, *cells])
    return table(["CPU per 1,000 subscriptions, peak memory", *(f"{size:,}" for size in sizes)], lines)


def changes(figures: Figures) -> str:
    """What arriving changes cost."""
    flood = figures["flood"]
    lines = [
        ["deliveries accepted a second, web server as deployed", f"{flood['a_second']:.0f}"],
        ["of them sent / accepted / kept", f"{flood['sent']:,} / {flood['accepted']:,} / {flood['kept']:,}"],
        ["drains they queued", str(flood["tasks"])],
        ["answer to a delivery, p50", f"{flood['p50'] * 1000:.0f} ms"],
        ["answer to a delivery, p95", f"{flood['p95'] * 1000:.0f} ms"],
        ["CPU of the web server a delivery", f"{flood['cpu'] * 1000:.1f} ms"],
        ["CPU of the database a delivery", f"{flood['database_cpu'] * 1000:.1f} ms"],
        ["deliveries accepted a second, one process", f"{figures['accepted_a_second']:.0f}"],
        ["statements a delivery", f"{figures['statements_a_delivery']:.1f}"],
        ["customers refreshed a second, without latency", f"{figures['refreshed_a_second']:.0f}"],
        ["delivery to header, p50", f"{figures['p50'] * 1000:.0f} ms"],
        ["delivery to header, p95", f"{figures['p95'] * 1000:.0f} ms"],
    ]
    return table(["changes", "measured"], lines)


def pages(rows: Sequence[Figures]) -> str:
    """One line for each page."""
    heads = ("page", "queries", "p50 ms", "p95 ms", "CPU ms", "database CPU ms")
    cells = [
        [
            row["name"],
            str(row["queries"]),
            f"{row['p50']:.0f}",
            f"{row['p95']:.0f}",
            f"{row['cpu']:.0f}",
            "" if row["database_cpu"] is None else f"{row['database_cpu']:.0f}",
        ]
        for row in rows
    ]
    return table(heads, cells)


def machine(postgresql: str) -> str:
    """What it was measured on."""
    memory = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} "
        f"{platform.machine()} · Python {platform.python_version()} · PostgreSQL {postgresql} · load {load:.1f} at "
        "the end · the sandbox, the runner and the database share the cores"
    )


def write(path: Path, text: str) -> None:
    """Put the text under the line that says where it goes."""
    before = path.read_text().partition(HOW)[0] if path.exists() else "# Benchmarks\n\n"
    path.write_text(f"{before.rstrip()}\n\n{HOW}\n\n{text.rstrip()}\n")

"""``python -m bench``: measures runs, incremental updates and pages, prints the tables and writes them to the docs."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from bench import report, syncs
from bench.place import ROOT, ChildError, Place

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
PARTS = ("syncs", "skew", "incremental", "pages")
SKEWED_SIZE = 10_000


def main() -> int:
    """Measure what was asked for; exit code 1 when something failed."""
    options = parser().parse_args()
    place = Place()
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.0f} s  {text}\n")
        sys.stderr.flush()

    try:
        version = place.run("prepare")["postgresql"]
        sections = [report.machine(version), f"`python -m bench {shlex.join(sys.argv[1:])}`".replace(" `", "`")]
        if "syncs" in options.only:
            rows = [row for size in options.size for row in syncs.measure(place, SIZES[size], say)]
            sections += ["## Runs", report.syncs(rows), report.served(rows), report.growth(rows)]
        if "skew" in options.only:
            rows = syncs.measure_skewed(place, SKEWED_SIZE, say)
            sections += ["## Everything created at once", report.syncs(rows)]
        if "incremental" in options.only:
            say("deliveries and refreshes")
            sections += ["## Changes", report.changes(syncs.measure_incremental(place, SKEWED_SIZE))]
        if "pages" in options.only:
            say("filling 100,000 customers and 120,000 Stripe customers")
            place.run("prepare")
            place.run("fill")
            say("pages")
            sections += ["## Pages", report.pages(place.run("pages")["rows"])]
    except (ChildError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    text = "\n\n".join(section for section in sections if section)
    sys.stdout.write(f"{text}\n")
    if options.write:
        report.write(options.write, text)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    described = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    described.add_argument("--size", nargs="+", choices=SIZES, default=["10k", "100k"], help="accounts to sync")
    described.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure")
    described.add_argument(
        "--write", type=Path, nargs="?", const=ROOT / "docs" / "benchmarks.md", help="write the tables to the docs"
    )
    return described


if __name__ == "__main__":
    sys.exit(main())

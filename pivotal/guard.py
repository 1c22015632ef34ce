"""Runs one command as a process group that never outlives whoever started it: `python guard.py GRACE COMMAND …`.

The starter holds the other end of standard input. When that end closes, for which a `kill -9` of the starter is
enough, or on SIGTERM, the command gets SIGTERM and GRACE seconds to end; then the whole group is killed, this
process included. Before that one line on standard output says how the command ended: its exit code, or `killed`.
The command writes to standard error. Started by pivotal/processes.py; imports nothing but the standard library.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

STDIN, STDERR = 0, 2
STOP = {signal.SIGTERM, signal.SIGINT}


def main(arguments: list[str]) -> None:
    """Run the command until it ends or is to end, then take the group down."""
    grace_seconds, command = float(arguments[0]), arguments[1:]
    signals = _signals_as_bytes()
    child = subprocess.Popen(  # noqa: S603 (our own commands)
        command,
        stdin=subprocess.DEVNULL,
        stdout=STDERR,
        stderr=STDERR,
        close_fds=False,  # what the starter passes on is for the command; our own are not inherited anyway
    )
    while child.poll() is None and not _must_stop(signals):
        pass
    try:
        print(_end(child, grace_seconds), flush=True)  # noqa: T201 (the line this process is read for)
    finally:  # with the starter gone, nobody reads the line and writing it fails
        os.killpg(0, signal.SIGKILL)


def _signals_as_bytes() -> int:
    """A descriptor on which every signal arrives as a byte, so that one select waits for all there is to wait for."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, *STOP):
        signal.signal(number, lambda *_: None)
    return reader


def _must_stop(signals: int) -> bool:
    """Wait until something happens; True when the starter is gone or asks for the end."""
    ready, _, _ = select.select([STDIN, signals], [], [])
    arrived = os.read(signals, 1024) if signals in ready else b""
    return STDIN in ready or not STOP.isdisjoint(arrived)


def _end(child: subprocess.Popen[bytes], grace_seconds: float) -> str:
    if child.poll() is None:
        child.terminate()
    try:
        return str(child.wait(grace_seconds))
    except subprocess.TimeoutExpired:
        return "killed"


if __name__ == "__main__":
    main(sys.argv[1:])

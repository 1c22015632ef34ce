"""Keeps django-q2's cluster alive (docs/architecture.md section 4 "Runs").

A killed idle worker or monitor makes a cluster stand still without ending, and SIGTERM may not end it. So it runs as a
process group of its own, which is replaced as a whole when it ends or stands still. That loses nothing: the rows in
the database are the truth, and the watchdog queues again what is due.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.db import DatabaseError, InterfaceError, close_old_connections
from django_q.brokers import get_broker

from integrations.models import WorkerHeartbeat
from integrations.models.heartbeat import LONGEST_NAME, WORKER
from integrations.stripe.sync.runs import work_is_due
from pivotal.processes import ProcessGroup

logger = logging.getLogger(__name__)

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
GRACE_SECONDS = 8  # a slice may take 20 s; one that is cut off is walked again when its lease is over
STALLED_AFTER = timedelta(seconds=120)
LOOK_EVERY_SECONDS = 5.0
LOOKS = 3  # in a row with work due: an idle cluster beside a busy one would have taken it long before
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0  # before a cluster that ended by itself is started again


def start_cluster() -> ProcessGroup:
    """A new qcluster, in a process group of its own. The supervisor has run the checks."""
    return ProcessGroup(
        [sys.executable, MANAGE, "qcluster", "--skip-checks"],
        grace_seconds=GRACE_SECONDS,
        environment={**os.environ, WORKER: cluster_name()},
    )


def cluster_name() -> str:
    """The name under which this supervisor's cluster reports: another one's signs of life say nothing about it."""
    return f"{socket.gethostname()}:{os.getpid()}"[-LONGEST_NAME:]


def nothing_finished_for() -> timedelta:
    """How long no task of this supervisor's own cluster has finished."""
    age = WorkerHeartbeat.objects.age(cluster_name())
    return timedelta.max if age is None else age


def is_work_due() -> bool:
    """Whether there is something that a living cluster would be doing."""
    return work_is_due() or get_broker().queue_size() > 0


def sign_off() -> None:
    """This supervisor's cluster ended because it was told to; without a database its line is forgotten after a day."""
    try:
        close_old_connections()
        WorkerHeartbeat.objects.leave(cluster_name())
    except (DatabaseError, InterfaceError) as error:
        logger.warning("The worker could not sign off: %s", error)


class Supervisor:
    """Runs one cluster at a time until it is told to stop."""

    def __init__(
        self,
        *,
        start: Callable[[], ProcessGroup] = start_cluster,
        silence: Callable[[], timedelta] = nothing_finished_for,
        work_due: Callable[[], bool] = is_work_due,
        stalled_after: timedelta = STALLED_AFTER,
        look_every_seconds: float = LOOK_EVERY_SECONDS,
    ) -> None:
        self._start = start
        self._silence = silence
        self._work_due = work_due
        self._stalled_after = stalled_after
        self._look_every_seconds = look_every_seconds
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask for the end; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Keep a cluster running until `stop`, then end it."""
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            self._run_one()
            lived = time.monotonic() - started
            pause = FIRST_PAUSE_SECONDS if lived > LONGEST_PAUSE_SECONDS else min(pause * 2, LONGEST_PAUSE_SECONDS)
            self._stopping.wait(pause)

    def _run_one(self) -> None:
        """One cluster from its start to its end, wanted or not."""
        cluster = self._start()
        started = time.monotonic()
        looks = 0
        try:
            while cluster.is_running() and not self._stopping.wait(self._look_every_seconds):
                looks = looks + 1 if self._is_stalled(timedelta(seconds=time.monotonic() - started)) else 0
                if looks >= LOOKS:
                    logger.error("The task cluster finished nothing for %s and work is due", self._stalled_after)
                    cluster.kill()  # no task may take that long, so nothing healthy is cut off
            if not self._stopping.is_set():
                logger.error("The task cluster ended (%s) and is started again", cluster.how_it_ended())
        finally:
            cluster.stop()

    def _is_stalled(self, running_for: timedelta) -> bool:
        if running_for <= self._stalled_after:
            return False
        try:
            close_old_connections()
            return self._silence() > self._stalled_after and self._work_due()
        except DatabaseError as error:  # the cluster cannot work without it either, and comes back with it
            logger.warning("The database cannot be asked whether the task cluster stands still: %s", error)
            return False

"""The supervisor replaces a cluster that ended or stands still, and takes it along when it ends itself."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import psutil
import pytest
from django.db import OperationalError
from django_q.models import Schedule
from django_q.tasks import async_task

from integrations.models import WorkerHeartbeat
from pivotal import schedules, worker
from pivotal.processes import ProcessGroup
from pivotal.worker import Supervisor
from tests.waiting import wait_for

CHECKOUT = Path(__file__).resolve().parents[2]
LONG, SHORT = timedelta(hours=1), timedelta(milliseconds=20)
BEAT = "integrations.models.WorkerHeartbeat.objects.beat"


class FakeCluster:
    """A cluster that runs until it is stopped or said to be dead."""

    def __init__(self) -> None:
        self.dead = threading.Event()

    def is_running(self) -> bool:
        return not self.dead.is_set()

    def how_it_ended(self) -> str:
        return "exit code 1"

    def kill(self) -> None:
        self.dead.set()

    def stop(self) -> str:
        self.dead.set()
        return "exit code 0"


@contextmanager
def supervised(
    *,
    silence: Callable[[], timedelta] = lambda: timedelta(0),
    work_due: Callable[[], bool] = lambda: True,
    stalled_after: timedelta = SHORT,
) -> Iterator[list[FakeCluster]]:
    """A supervisor at work in a thread, and the clusters it has started so far."""
    clusters: list[FakeCluster] = []

    def start() -> ProcessGroup:
        clusters.append(FakeCluster())
        return cast(ProcessGroup, clusters[-1])

    supervisor = Supervisor(
        start=start, silence=silence, work_due=work_due, stalled_after=stalled_after, look_every_seconds=0.005
    )
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        wait_for(lambda: clusters)
        yield clusters
    finally:
        supervisor.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(worker, "LONGEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)


def test_a_cluster_that_ended_is_replaced() -> None:
    with supervised() as clusters:
        clusters[0].dead.set()
        wait_for(lambda: len(clusters) == 2)


def test_a_cluster_that_finishes_nothing_while_work_is_due_is_replaced() -> None:
    with supervised(silence=lambda: LONG) as clusters:
        wait_for(lambda: len(clusters) == 2)
        assert not clusters[0].is_running()


@pytest.mark.parametrize(
    ("silence", "work_due"),
    [(LONG, False), (timedelta(0), True)],
    ids=["silent with nothing to do", "busy"],
)
def test_a_cluster_that_works_or_has_nothing_to_do_is_left_alone(silence: timedelta, work_due: bool) -> None:
    looks: list[int] = []

    def look() -> timedelta:
        looks.append(1)
        return silence

    with supervised(silence=look, work_due=lambda: work_due) as clusters:
        wait_for(lambda: len(looks) > 5)
        assert len(clusters) == 1


def test_a_new_cluster_gets_its_time_whatever_was_before() -> None:
    asked: list[int] = []

    def look() -> timedelta:
        asked.append(1)
        return LONG

    with supervised(silence=look, stalled_after=timedelta(minutes=1)) as clusters:
        clusters[0].dead.set()
        wait_for(lambda: len(clusters) == 2)
        assert not asked


def test_a_database_that_is_away_does_not_end_the_supervisor() -> None:
    looks: list[int] = []

    def fail() -> timedelta:
        looks.append(1)
        raise OperationalError("gone")

    with supervised(silence=fail) as clusters:
        wait_for(lambda: len(looks) > 2)
        assert len(clusters) == 1


def test_the_cluster_ends_with_the_supervisor() -> None:
    with supervised() as clusters:
        pass
    assert not clusters[-1].is_running()


@pytest.mark.django_db
def test_schedules_are_written_once_however_often_the_worker_starts() -> None:
    schedules.ensure()
    before = list(Schedule.objects.order_by("name").values("id", "next_run"))
    schedules.ensure()
    assert list(Schedule.objects.order_by("name").values("id", "next_run")) == before
    assert len(before) == len(schedules.SCHEDULES)


@pytest.mark.django_db
def test_a_schedule_of_an_older_version_is_taken_away_and_a_foreign_one_stays() -> None:
    for name in ("pivotal: no longer known", "somebody else's"):
        Schedule.objects.create(name=name, func="x", schedule_type=Schedule.DAILY)
    schedules.ensure()
    names = set(Schedule.objects.values_list("name", flat=True))
    assert "pivotal: no longer known" not in names
    assert "somebody else's" in names


@contextmanager
def running_worker(environment: dict[str, str], log: Path) -> Iterator[psutil.Process]:
    """A real `manage.py worker`, ended however the test ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, CHECKOUT / "manage.py", "worker", "--stalled-after", "10"],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(40)


def beats(name: str) -> bool:
    """Whether the task of this name was done."""
    return WorkerHeartbeat.objects.filter(name=name).exists()


def pool(supervisor: psutil.Process) -> list[psutil.Process]:
    """The cluster's task workers: the sentinel starts two of them first, then its two helpers."""
    guard = wait_for(supervisor.children, seconds=60)[0]
    leader = wait_for(guard.children)[0]
    sentinel = wait_for(leader.children)[0]
    wait_for(lambda: len(sentinel.children()) == 4)
    return sorted(sentinel.children(), key=lambda child: child.pid)[:2]


def test_a_cluster_that_stands_still_is_replaced_and_its_tasks_are_done(
    child_environment: dict[str, str], tmp_path: Path
) -> None:
    with running_worker(child_environment, tmp_path / "log") as supervisor:
        async_task(BEAT, "before")
        wait_for(lambda: beats("before"), seconds=60)
        for idle in pool(supervisor):  # one of them dies holding the queue's lock, and nobody is ever served again
            idle.kill()
        for number in range(5):
            async_task(BEAT, f"after {number}")
        wait_for(lambda: beats("after 4"), seconds=120)
    assert "finished nothing" in (tmp_path / "log").read_text()


def test_nothing_of_the_worker_outlives_its_supervisor(child_environment: dict[str, str], tmp_path: Path) -> None:
    with running_worker(child_environment, tmp_path / "log") as supervisor:
        pool(supervisor)
        everybody = supervisor.children(recursive=True)
        supervisor.kill()
        _, alive = psutil.wait_procs(everybody, timeout=30)
    assert not alive


def test_the_worker_ends_cleanly_when_it_is_asked_to(child_environment: dict[str, str], tmp_path: Path) -> None:
    with running_worker(child_environment, tmp_path / "log") as supervisor:
        pool(supervisor)
        everybody = supervisor.children(recursive=True)
        supervisor.terminate()
        assert supervisor.wait(30) == 0
        _, alive = psutil.wait_procs(everybody, timeout=5)
    assert not alive

"""The workers' signs of life, one row for each."""

from __future__ import annotations

import logging
import os
import socket
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)

WORKER = "PIVOTAL_WORKER"  # the supervisor names its cluster in the environment
LONGEST_NAME = 40
SILENT_AFTER = timedelta(minutes=3)  # the watchdog beats each minute
FORGOTTEN_AFTER = timedelta(days=1)


def own_name() -> str:
    """The name under which this process reports: its cluster's, or the machine's when no supervisor gave one."""
    return (os.environ.get(WORKER) or socket.gethostname())[-LONGEST_NAME:]  # the end tells two of them apart


class HeartbeatManager(models.Manager["WorkerHeartbeat"]):
    """Writes and reads heartbeats in database time."""

    def beat(self, name: str = "") -> None:
        """Record that ``name``, or this process's own worker, has just finished something."""
        self.bulk_create(
            [WorkerHeartbeat(name=name or own_name(), at=Now())],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["at"],
        )

    def age(self, name: str = "") -> timedelta | None:
        """How long ago ``name``, or whichever worker was last, finished something; None: never."""
        found = self.filter(name=name) if name else self.all()
        return found.aggregate(age=Now() - models.Max("at"))["age"]

    def youngest(self) -> models.QuerySet[Any, Any]:
        """The age of the youngest heartbeat, as a subquery of one row and column; no row: there was never one."""
        return self.order_by("-at").annotate(age=Now() - models.F("at")).values("age")[:1]

    def ages(self) -> dict[str, timedelta]:
        """The same for every worker of the last day, by name; a machine that was taken away is forgotten after it."""
        recent = self.filter(at__gt=Now() - FORGOTTEN_AFTER).annotate(age=Now() - models.F("at")).order_by("name")
        return dict(recent.values_list("name", "age"))

    def leave(self, name: str) -> None:
        """Forget a worker that ended because it was told to."""
        self.filter(name=name).delete()


class WorkerHeartbeat(models.Model):
    """When one worker, a cluster on a machine, last finished a piece of work."""

    name = models.CharField(max_length=LONGEST_NAME, primary_key=True)
    at = models.DateTimeField()

    objects = HeartbeatManager()

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.name


def on_task_done(sender: object, **kwargs: object) -> None:
    """Any task that ended, well or not, is a sign of life; one that cannot be written down ends nothing."""
    try:
        WorkerHeartbeat.objects.beat()
    except DatabaseError as error:
        logger.warning("The heartbeat could not be written: %s", error)

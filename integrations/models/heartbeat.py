"""The worker's sign of life."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now


class HeartbeatManager(models.Manager["WorkerHeartbeat"]):
    """Writes and reads the heartbeat in database time."""

    def beat(self, name: str = "worker") -> None:
        """Record that ``name`` has just finished something."""
        self.bulk_create(
            [WorkerHeartbeat(name=name, at=Now())],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["at"],
        )

    def age(self, name: str = "worker") -> timedelta | None:
        """How long ago ``name`` last finished something; None: never."""
        return self.filter(name=name).annotate(age=Now() - models.F("at")).values_list("age", flat=True).first()


class WorkerHeartbeat(models.Model):
    """When a worker last finished a piece of work."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    objects = HeartbeatManager()

    def __str__(self) -> str:
        return self.name

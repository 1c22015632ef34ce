"""Does what a worker would do with the tasks that wait in the queue."""

from __future__ import annotations

from django.utils.module_loading import import_string
from django_q.models import OrmQ


def work_off() -> list[str]:
    """Do every queued task, as its row says; returns their names."""
    done = []
    for row in OrmQ.objects.order_by("pk"):
        task = row.task
        row.delete()
        import_string(task["func"])(*task["args"], **task.get("kwargs", {}))
        done.append(task["func"].rpartition(".")[2])
    return done

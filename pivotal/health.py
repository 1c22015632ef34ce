"""`/healthz`: may this instance be given traffic, and is the background work alive."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from integrations.models import WorkerHeartbeat

SILENT_AFTER = timedelta(minutes=3)  # the watchdog beats each minute


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """JSON with `database`, `migrations` and `worker`; 200 when the web side can serve, else 503.

    A silent worker is said and does not make it 503: taking the pages away would not bring the worker back, and
    they explain what is going on.
    """
    try:
        pending = _pending_migrations()
        worker = _worker() if pending == 0 else "unknown"
    except DatabaseError:
        return JsonResponse(
            {"database": "unreachable", "migrations": "unknown", "worker": "unknown"},
            status=HTTPStatus.SERVICE_UNAVAILABLE,
        )
    status = HTTPStatus.OK if pending == 0 else HTTPStatus.SERVICE_UNAVAILABLE
    migrations = "applied" if pending == 0 else f"{pending} pending"
    return JsonResponse({"database": "ok", "migrations": migrations, "worker": worker}, status=status)


def _pending_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _worker() -> str:
    age = WorkerHeartbeat.objects.age()
    if age is None:
        return "never reported"
    return "ok" if age <= SILENT_AFTER else f"silent for {int(age.total_seconds())} s"

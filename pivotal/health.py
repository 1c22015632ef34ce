"""`/healthz`: is this process alive. `/readyz`: may it be given traffic, and how is everything behind it.

An orchestrator restarts a process that is not alive, and sends nobody to one that is not ready. So the first asks
nothing of the database, whose absence no restart mends; and a silent worker makes no page unavailable: the pages
explain what is going on. Whoever watches the whole asks `/readyz?strict`, which is 503 for anything that is not ok.
"""

from __future__ import annotations

from http import HTTPStatus

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_q.brokers import get_broker

from integrations.fields import is_unreadable
from integrations.models import ConnectionState, StripeConnection, WorkerHeartbeat
from integrations.models.heartbeat import SILENT_AFTER
from integrations.stripe.sync.freshness import freshness_of

UNKNOWN = "unknown"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers at all."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """JSON with `status` (`ok`, `degraded`, `unavailable`) and what it rests on; names neither hosts nor accounts."""
    try:
        pending = _pending_migrations()
        checks = {"database": "ok", "migrations": "applied" if pending == 0 else f"{pending} pending"}
        checks |= _behind() if pending == 0 else dict.fromkeys(("worker", "broker", "stripe"), UNKNOWN)
    except DatabaseError:
        checks = {"database": "unreachable", **dict.fromkeys(("migrations", "worker", "broker", "stripe"), UNKNOWN)}
    serves = checks["database"] == "ok" and checks["migrations"] == "applied"
    fine = serves and all(value == "ok" for name, value in checks.items() if name not in ("database", "migrations"))
    status = "ok" if fine else "degraded" if serves else "unavailable"
    good = fine if "strict" in request.GET else serves
    code = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"status": status, **checks}, status=code)


def _behind() -> dict[str, str]:
    return {"worker": _worker(), "broker": _broker(), "stripe": _stripe()}


def _pending_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _worker() -> str:
    """How the workers are; one that is silent cannot hide behind another that is not."""
    ages = WorkerHeartbeat.objects.ages()
    if not ages:
        return "never reported" if WorkerHeartbeat.objects.age() is None else "silent for more than a day"
    silent = [age for age in ages.values() if age > SILENT_AFTER]
    if not silent:
        return "ok"
    longest = f"silent for {int(max(silent).total_seconds())} s"
    return longest if len(ages) == 1 else f"{len(silent)} of {len(ages)} {longest}"


def _broker() -> str:
    """Whether tasks can be queued. Whatever a driver raises means that they cannot, and its text may name a host."""
    try:
        return "ok" if get_broker().ping() else "unreachable"
    except DatabaseError:
        raise
    except Exception:  # noqa: BLE001
        return "unreachable"


def _stripe() -> str:
    """Whether every connection is usable and was looked at recently enough; one never connected is nobody's problem."""
    troubles = []
    for each in StripeConnection.objects.exclude(state=ConnectionState.DISCONNECTED).order_by("mode"):
        if is_unreadable(each.access_token) or is_unreadable(each.refresh_token):
            troubles.append(f"{each.mode}: stored under another encryption key")
        elif each.state == ConnectionState.REAUTHORIZE:
            troubles.append(f"{each.mode}: reauthorize")
        elif each.last_look_at is not None and freshness_of(each).stale:
            age = int((timezone.now() - each.last_look_at).total_seconds())
            troubles.append(f"{each.mode}: last look {age} s ago")
    return ", ".join(troubles) or "ok"

"""`/metrics` for Prometheus, computed from the database when it is asked: right with any number of processes.

A dozen small queries, each by an index or on a small table. Counts over tables that are pruned are gauges of what is
kept, not counters. Open to whoever has METRICS_TOKEN, and to people who may connect integrations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hmac import compare_digest

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Avg, Count, F, Max, Min, Q
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_q.brokers import get_broker
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from integrations.models import (
    ApiCall,
    ConnectionState,
    DriftReport,
    IssueState,
    MonthlyReads,
    StripeConnection,
    StripeEvent,
    SyncIssue,
    SyncRun,
    WorkerHeartbeat,
)
from integrations.permissions import CONNECT
from pivotal.version import version

LATELY = timedelta(hours=1)
TIMES = ("last_full_sync_at", "last_incremental_update_at", "last_look_at", "webhook_at", "events_polled_at")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus' text format; raises PermissionDenied."""
    if not (_has_token(request) or request.user.has_perm(CONNECT)):
        raise PermissionDenied
    registry = CollectorRegistry()
    registry.register(Figures())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _has_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "")
    expected = f"Bearer {settings.METRICS_TOKEN}"
    return bool(settings.METRICS_TOKEN) and compare_digest(given.encode(), expected.encode())


class Figures(Collector):
    """Everything that is measured."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family after the other."""
        yield family("pivotal_info", "The running version", ["version"], [((version(),), 1)])
        yield from connections()
        yield from runs()
        yield from events()
        yield from calls()
        yield from reports()
        yield from workers()


def family(
    name: str, text: str, labels: list[str], values: Iterable[tuple[tuple[str, ...], float | None]]
) -> GaugeMetricFamily:
    """A gauge with its samples; a value that is not known is left out."""
    gauge = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values:
        if value is not None:
            gauge.add_metric(label_values, value)
    return gauge


def connections() -> Iterator[GaugeMetricFamily]:
    """States and times of the connections; one query."""
    rows = list(StripeConnection.objects.order_by("mode").values("mode", "state", *TIMES))
    states = [((row["mode"], state), float(row["state"] == state)) for row in rows for state in ConnectionState.values]
    yield family("pivotal_connection_state", "1 for the state a connection is in", ["mode", "state"], states)
    for name in TIMES:
        times = [((row["mode"],), seconds(row[name])) for row in rows]
        label = name.removesuffix("_at")
        yield family(f"pivotal_{label}_timestamp_seconds", f"When: {label.replace('_', ' ')}", ["mode"], times)


def seconds(moment: datetime | None) -> float | None:
    """Unix time."""
    return moment.timestamp() if moment else None


def runs() -> Iterator[GaugeMetricFamily]:
    """Runs that the log keeps, and how long the newest of a kind took; two queries."""
    counted = SyncRun.objects.order_by().values_list("connection__mode", "kind", "state").annotate(Count("pk"))
    labels = ["mode", "kind", "state"]
    yield family("pivotal_runs", "Runs in the log", labels, [((*row[:3],), row[3]) for row in counted])
    newest = (
        SyncRun.objects.filter(finished_at__isnull=False, started_at__isnull=False)
        .order_by("connection_id", "kind", "-id")
        .distinct("connection_id", "kind")
        .annotate(took=F("finished_at") - F("started_at"))
        .values_list("connection__mode", "kind", "took", "api_requests")
    )
    rows = list(newest)
    yield family(
        "pivotal_run_duration_seconds",
        "How long the newest run took",
        ["mode", "kind"],
        [((mode, kind), took.total_seconds()) for mode, kind, took, _requests in rows],
    )
    yield family(
        "pivotal_run_requests",
        "Requests the newest run made",
        ["mode", "kind"],
        [((mode, kind), requests) for mode, kind, _took, requests in rows],
    )


def events() -> Iterator[GaugeMetricFamily]:
    """The inbox: what waits and for how long, and how long what came lately took; two queries."""
    waiting = list(
        StripeEvent.objects.filter(state=StripeEvent.State.WAITING)
        .order_by()
        .values_list("connection__mode")
        .annotate(Count("pk"), age=Now() - Min("received_at"))
    )
    yield family("pivotal_events_waiting", "Events not dealt with yet", ["mode"], [((w[0],), w[1]) for w in waiting])
    oldest = [((each[0],), each[2].total_seconds()) for each in waiting]
    yield family("pivotal_events_oldest_waiting_seconds", "How long the oldest has waited", ["mode"], oldest)
    lag = F("done_at") - F("received_at")
    lately = list(
        StripeEvent.objects.filter(received_at__gt=Now() - LATELY)
        .order_by()
        .values_list("connection__mode", "source")
        .annotate(
            Count("pk"), failed=Count("pk", filter=Q(state=StripeEvent.State.FAILED)), mean=Avg(lag), longest=Max(lag)
        )
    )
    labels = ["mode", "source"]
    yield family("pivotal_events_last_hour", "Events received", labels, [((e[0], e[1]), e[2]) for e in lately])
    yield family(
        "pivotal_events_failed_last_hour", "Of these, given up", labels, [((e[0], e[1]), e[3]) for e in lately]
    )
    for index, name in ((4, "mean"), (5, "max")):
        lags = [((e[0], e[1]), e[index].total_seconds() if e[index] else None) for e in lately]
        yield family(f"pivotal_refresh_lag_{name}_seconds", "From received to refreshed, last hour", labels, lags)


def calls() -> Iterator[GaugeMetricFamily]:
    """Stripe's answers to the last calls kept, 429 among them, and reads this month; two queries."""
    by_status = ApiCall.objects.order_by().values_list("connection__mode", "status").annotate(Count("pk"))
    answers = [((mode, str(status)), number) for mode, status, number in by_status]
    yield family("pivotal_last_calls", "Of the last 200 calls, by status (0: no answer)", ["mode", "status"], answers)
    month = timezone.now().date().replace(day=1)
    reads = MonthlyReads.objects.filter(month=month).values_list("connection__mode", "reads")
    yield family("pivotal_reads_this_month", "Reads of Stripe", ["mode"], [((mode,), number) for mode, number in reads])


def reports() -> Iterator[GaugeMetricFamily]:
    """Open issues, and the newest drift report; two queries."""
    issues = (
        SyncIssue.objects.filter(state=IssueState.OPEN)
        .order_by()
        .values_list("connection__mode", "severity", "code")
        .annotate(Count("pk"))
    )
    labels = ["mode", "severity", "code"]
    yield family("pivotal_issues_open", "Records that need attention", labels, [((*i[:3],), i[3]) for i in issues])
    newest = DriftReport.objects.order_by("connection_id", "-created_at", "-id").distinct("connection_id")
    kinds = ("missing", "extra", "different")
    drift = [
        ((each["connection__mode"], kind), each[kind])
        for each in newest.values("connection__mode", *kinds)
        for kind in kinds
    ]
    yield family("pivotal_drift", "Differences the newest nightly run found", ["mode", "kind"], drift)


def workers() -> Iterator[GaugeMetricFamily]:
    """Signs of life and the queue; two queries with the ORM broker, one with Redis."""
    ages = [((name,), age.total_seconds()) for name, age in WorkerHeartbeat.objects.ages().items()]
    yield family("pivotal_worker_heartbeat_age_seconds", "Since the worker finished something", ["worker"], ages)
    yield family("pivotal_queue_depth", "Tasks that wait to be taken", [], [((), get_broker().queue_size())])

"""What the worker does by the clock (docs/architecture.md section 4 "Runs")."""

from __future__ import annotations

from django.db import connection, transaction
from django_q.models import Schedule

PREFIX = "pivotal: "
SCHEDULES: dict[str, dict[str, object]] = {
    # Queues runs whose lease is over again, wakes the inbox, and is the worker's sign of life.
    "watchdog": {"func": "integrations.stripe.tasks.watchdog", "schedule_type": Schedule.MINUTES, "minutes": 1},
    # What changes without any event: a trial that ends, a discount that runs out, the nightly run.
    "clock": {"func": "integrations.stripe.tasks.clock", "schedule_type": Schedule.MINUTES, "minutes": 1},
    # Newer exchange rates: of a new package version, and with FX_FETCH of the ECB.
    "rates": {"func": "integrations.stripe.tasks.refresh_rates", "schedule_type": Schedule.DAILY, "minutes": None},
    # Old calls, events and log entries.
    "prune": {"func": "integrations.stripe.tasks.prune", "schedule_type": Schedule.DAILY, "minutes": None},
}
LOCK = 0x70697631  # any number of our own


def ensure() -> None:
    """Make the schedules what SCHEDULES says, as often as one likes and from several machines at once."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Schedule has no unique name: two workers that start at once would both create it.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        names = [PREFIX + name for name in SCHEDULES]
        Schedule.objects.filter(name__startswith=PREFIX).exclude(name__in=names).delete()
        for name, values in SCHEDULES.items():
            Schedule.objects.update_or_create(name=PREFIX + name, defaults=values)

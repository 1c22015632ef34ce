"""What the worker does by the clock (docs/architecture.md section 4 "Runs")."""

from __future__ import annotations

from django.db import connection, transaction
from django_q.models import Schedule

PREFIX = "pivotal: "
SCHEDULES: dict[str, dict[str, object]] = {
    # Queues runs whose lease is over again, wakes the inbox, and is the worker's sign of life.
    "watchdog": {"func": "integrations.stripe.tasks.watchdog", "schedule_type": Schedule.MINUTES, "minutes": 1},
    # Asks Stripe for events where it is time to: a quiet account less often, and so one whose webhooks arrive.
    "poll": {"func": "integrations.stripe.tasks.poll_events", "schedule_type": Schedule.MINUTES, "minutes": 1},
    # What changes without any event: a due date that passes, a discount that runs out.
    "clock": {"func": "integrations.stripe.tasks.clock", "schedule_type": Schedule.MINUTES, "minutes": 1},
    # Newer exchange rates: of a new package version, and with FX_FETCH of the ECB.
    "rates": {"func": "integrations.stripe.tasks.refresh_rates", "schedule_type": Schedule.DAILY, "minutes": None},
    # The nightly run and its report. Asked each minute and decided on rows: it is by the workspace's clock, not by UTC.
    "night": {"func": "integrations.stripe.tasks.night", "schedule_type": Schedule.MINUTES, "minutes": 1},
    # Mail to admins, and the daily mail to owners at 08:00.
    "notices": {"func": "integrations.stripe.tasks.mail_notices", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "daily mail": {"func": "customers.tasks.send_daily_mails", "schedule_type": Schedule.MINUTES, "minutes": 1},
    # The sums over all customers: folded into few rows, and once a day taken anew.
    "fold tallies": {"func": "customers.tasks.fold_tallies", "schedule_type": Schedule.MINUTES, "minutes": 1},
    "recount tallies": {"func": "customers.tasks.recount_tallies", "schedule_type": Schedule.DAILY, "minutes": None},
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

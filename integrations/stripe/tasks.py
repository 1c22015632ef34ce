"""What django-q2 calls: ids in, one call, nothing else. The queue may lose, repeat or delay any of these."""

from __future__ import annotations

from integrations.stripe.sync import (
    converting,
    decision_jobs,
    housekeeping,
    inbox,
    nightly,
    notices,
    polling,
    rates,
    runs,
)


def continue_run(run_id: int) -> None:
    """A run may go on."""
    runs.continue_run(run_id)


def continue_decisions(job_id: int) -> None:
    """A decision about very many Stripe customers may go on."""
    decision_jobs.continue_job(job_id)


def continue_conversion(conversion_id: int) -> None:
    """What is billed in other currencies may be converted further."""
    converting.continue_conversion(conversion_id)


def drain_inbox(connection_id: int) -> None:
    """There is something in an inbox."""
    inbox.drain(connection_id)


def poll_events() -> None:
    """Each minute: ask for events where it is time to."""
    polling.poll_due()


def watchdog() -> None:
    """Each minute: queue again what nobody works on."""
    housekeeping.watchdog()


def clock() -> None:
    """Each minute: figures that the clock alone changes."""
    housekeeping.clock()


def night() -> None:
    """Each minute: the nightly run when it is due, its report when it has ended."""
    nightly.tick()


def mail_notices() -> None:
    """Each minute: notices to admins that were not mailed yet."""
    notices.send_mails()


def prune() -> None:
    """Each day: forget what is older than the log keeps."""
    housekeeping.prune()


def refresh_rates() -> None:
    """Each day: newer exchange rates."""
    rates.refresh()

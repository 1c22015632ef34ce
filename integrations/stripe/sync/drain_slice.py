"""One slice on an inbox: the means to read, the lease and the time, and what becomes of what could not be read."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from django.db import transaction

from integrations.errors import IntegrationError
from integrations.models import StripeConnection
from integrations.stripe.api.calls import Call
from integrations.stripe.api.factory import IN_A_SLICE, governor_for, reader_for
from integrations.stripe.sync import dirty, issues, probing, tokens
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.dirty import Dirty
from integrations.stripe.sync.inbox_lease import InboxLease
from integrations.stripe.sync.looks import Look
from integrations.stripe.sync.threads import StoppedError

logger = logging.getLogger(__name__)

SLICE_SECONDS = 20
RENEW_SECONDS = 5
SHARE_BESIDE_A_RUN = 0.2  # with the run's own pace still below Stripe's limit
ALL_FAIL = 3  # so many failures and no success: it is Stripe, not the records
PAUSE_SECONDS = 30.0


@dataclass(slots=True)
class DrainResult:
    """What a slice did: events closed, Stripe customers read, Pivotal customers changed, what failed.

    ``run`` is the number of the run that does the rest, ``error`` what ended the slice early.
    """

    events: int = 0
    customers: int = 0
    changed: int = 0
    failed: int = 0
    requests: int = 0
    run: int | None = None
    error: IntegrationError | None = None
    by_customer: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: DrainResult) -> None:
        """Take a later slice into account."""
        self.events += other.events
        self.customers += other.customers
        self.failed += other.failed
        self.requests += other.requests
        self.by_customer |= other.by_customer
        self.changed = len(self.by_customer)
        self.run, self.error = other.run, other.error


class DrainSlice:
    """A slice on a claimed inbox. ``calls`` are the calls it made, ``result`` what it came to so far."""

    def __init__(self, held: InboxLease) -> None:
        self.held = held
        self.connection: StripeConnection = held.connection
        self.clock = DatabaseClock()
        self.stop = threading.Event()
        self.calls: deque[Call] = deque()
        self.result = DrainResult()
        self._alone = not held.beside_a_run
        self._deadline = time.monotonic() + SLICE_SECONDS
        self._renewed = time.monotonic()
        self.token = tokens.access_token(self.connection)
        mode = tokens.mode_of(self.connection)
        share = 1.0 if self._alone else SHARE_BESIDE_A_RUN
        self.reader = reader_for(
            mode,
            self.token,
            governor=governor_for(mode, share=share, sleep=self._sleep),
            on_call=self.calls.append,
            sleep=self._sleep,
            patience=IN_A_SLICE,
        )

    def _sleep(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise StoppedError

    def close(self) -> None:
        """End the kept connections."""
        self.stop.set()
        self.reader.close()

    @property
    def is_over(self) -> bool:
        """Whether to stop here: the time is up, Stripe is not there, or a run has begun to share the pace with."""
        return self.stop.is_set() or time.monotonic() > self._deadline or (self._alone and self.held.beside_a_run)

    def close_events(self, done: Sequence[Dirty]) -> None:
        """These are dealt with, what had been given up about them too."""
        with transaction.atomic():
            self.result.events += dirty.close(done)
            dirty.settle_failed(self.connection, [one.stripe_id for one in done if one.kind == "customer"])
            self.held.renew()

    def put_off(self, bad: Sequence[tuple[Dirty, IntegrationError]], *, succeeded: int) -> None:
        """Put off what could not be read; raises IntegrationError when it is not about these records."""
        for one, error in bad:
            if self._is_about_access(error):
                raise error
            self.result.failed += 1
            given_up = dirty.fail(
                one, code=error.code, permanent=error.code == "permission_missing", retry_after=error.retry_after
            )
            if given_up:
                problem = dirty.problem_of(one, error.code, error.detail, error.answer)
                issues.record(self.connection, [problem], run=None)
        limited = next((error for _one, error in bad if error.code == "rate_limited"), None)
        if limited is not None:
            raise limited
        if not succeeded and len(bad) >= ALL_FAIL:
            raise bad[0][1]

    def _is_about_access(self, error: IntegrationError) -> bool:
        """Whether nobody can be read, or everybody with other permissions than we thought."""
        if error.code == "permission_missing":
            return probing.probe_again(self.connection, self.reader)
        return error.code == "reauthorize"

    def end_with(self, error: IntegrationError) -> None:
        """Stop for now: nothing can be read, whoever it is about."""
        self.stop.set()
        self.result.error = error
        if error.code == "reauthorize":
            if not tokens.is_renewed(self.connection, self.token):
                tokens.ask_to_reauthorize(self.connection, error)
        elif not error.permanent:
            dirty.pause(self.connection, max(PAUSE_SECONDS, error.retry_after or 0.0))
        logger.warning("Stripe %s: %s; the inbox waits", self.connection.mode, error)

    def keep(self) -> None:
        """Renew the lease when it is time to; raises LeaseLostError when it is no longer ours."""
        if time.monotonic() - self._renewed > RENEW_SECONDS:
            self.held.renew()
            self._renewed = time.monotonic()

    def tick(self, ended: set[Future[Look]]) -> None:
        """While threads read: keep the lease, and end their waiting with the slice."""
        self.keep()
        if self.is_over:
            self.stop.set()

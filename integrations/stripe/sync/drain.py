"""One slice of work on an inbox: read what waits, store it, follow it to the header, and only then close it.

Coalesced per Stripe customer, a few at once. What fails is tried again later, and in the end becomes an issue that
**Retry this record** settles (docs/architecture.md section 4 "Incremental").
"""

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
from integrations.models import RunKind, RunState, StripeConnection
from integrations.stripe.api.calls import Call
from integrations.stripe.api.decode import DecodeError
from integrations.stripe.api.factory import IN_A_SLICE, governor_for, reader_for
from integrations.stripe.api.objects import Invoice
from integrations.stripe.api.permissions import read_account
from integrations.stripe.api.query import object_path
from integrations.stripe.sync import catalog_changes, connections, derive, dirty, issues, runs, tokens
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.dirty import Dirty
from integrations.stripe.sync.inbox_lease import InboxLease
from integrations.stripe.sync.looks import Look, looks_at, missing_catalog, named_by
from integrations.stripe.sync.refresh import land, say_updated
from integrations.stripe.sync.threads import StoppedError, read_in_threads

logger = logging.getLogger(__name__)

SLICE_SECONDS = 20
RENEW_SECONDS = 5
CHUNK = 24
SHARE_BESIDE_A_RUN = 0.2  # with the run's own pace still below Stripe's limit
PAGES_WORTH = 3  # a refresh costs more requests than a page
FEWEST_FOR_A_RUN = 25  # below that, a walk is no quicker
MOST_CONCERNED = 20_000  # by one product or price; more than a slice can recompute
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


class Drain:
    """A slice on a claimed inbox. ``calls`` are the calls it made."""

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

    def work(self) -> DrainResult:
        """Deal with what is due, until the slice is over. Raises LeaseLostError when the inbox is no longer ours."""
        try:
            dirty.sort_out(self.connection)
            if not self._hand_over():
                self._read_single()
                self._read_customers()
        except StoppedError:
            pass
        except IntegrationError as error:
            self._end_with(error)
        if self.result.customers:
            say_updated(self.connection)
        self.result.requests = len(self.calls)
        return self.result

    # --- more than a walk costs --------------------------------------------------------------------------------

    def _hand_over(self) -> bool:
        """Leave it to a run when it reads everybody with fewer requests; one that failed meanwhile is no such hope."""
        waiting = dirty.count_customers(self.connection)
        pages = -(-runs.mirrored_subscriptions(self.connection) // 100)
        if waiting <= max(FEWEST_FOR_A_RUN, pages * PAGES_WORTH):
            return False
        return self._leave_to_a_run()

    def _leave_to_a_run(self) -> bool:
        run = runs.active(self.connection)
        if run is None or run.kind == RunKind.PREVIEW:
            oldest, last = dirty.backlog(self.connection).oldest_at, runs.latest(self.connection)
            if last and oldest and last.created_at > oldest and last.state != RunState.SUCCEEDED:
                return False
            run = runs.start(self.connection, kind=RunKind.FULL, actor=None)
        self.result.run = run.pk
        return True

    # --- what is nobody's ----------------------------------------------------------------------------------------

    def _read_single(self) -> None:
        """Products, prices, the account, and invoices that do not say whose they are."""
        steps = {
            "product": self._refresh_catalog,
            "price": self._refresh_catalog,
            "invoice": self._find_owner,
            "account": self._refresh_account,
        }
        for one in dirty.next_others(self.connection, steps, CHUNK):
            if self.is_over:
                return
            self._keep()
            try:
                steps[one.kind](one)
            except IntegrationError as error:
                if error.code == "record_gone":
                    self._close([one])
                else:
                    self._failed([(one, error)], succeeded=0)

    def _refresh_catalog(self, one: Dirty) -> None:
        batch = catalog_changes.read(self.connection, self.reader, one, self.clock)
        concerned = catalog_changes.land(self.connection, one, batch, fence=self.held.renew)
        if len(concerned) > MOST_CONCERNED and self._leave_to_a_run():
            self.stop.set()
            return
        for ids in derive.chunks(concerned):
            self.result.by_customer |= derive.refreshed(self.connection, ids, as_of=None)
            self._keep()
        self.result.changed = len(self.result.by_customer)
        if concerned:
            say_updated(self.connection)
        self._close([one])

    def _find_owner(self, one: Dirty) -> None:
        try:
            invoice = self.reader.get_object(object_path("invoices", one.stripe_id), None, Invoice)
        except DecodeError as error:
            raise IntegrationError("invalid_response", error.detail) from error
        if invoice.customer_id:
            dirty.belongs_to(one, invoice.customer_id)
        else:
            self._close([one])

    def _refresh_account(self, one: Dirty) -> None:
        account = read_account(self.reader)
        if account is not None and account.id == self.connection.account_id:
            connections.rename(self.connection, account.display_name)
        self._close([one])

    # --- customers -----------------------------------------------------------------------------------------------

    def _read_customers(self) -> None:
        while not self.is_over:
            chunk = dirty.next_customers(self.connection, CHUNK)
            if not chunk:
                return
            self._refresh(chunk)

    def _refresh(self, chunk: Sequence[Dirty]) -> None:
        """Look at these customers a few at once, land what succeeded, and put off what did not."""
        looks = looks_at(self.connection, self.reader, [one.stripe_id for one in chunk], clock=self.clock)
        futures = read_in_threads(looks, Look.read, stop=self.stop, tick=self._tick)
        good: list[tuple[Dirty, Look]] = []
        bad: list[tuple[Dirty, IntegrationError]] = []
        for one, future in zip(chunk, futures, strict=False):
            error = future.exception()
            if error is None:
                good.append((one, future.result()))
            elif isinstance(error, IntegrationError):
                bad.append((one, error))
            elif not isinstance(error, StoppedError):
                raise error
        good = self._complete(good, bad)
        if good:
            self._land(good)
        self._failed(bad, succeeded=len(good))

    def _complete(
        self, good: list[tuple[Dirty, Look]], bad: list[tuple[Dirty, IntegrationError]]
    ) -> list[tuple[Dirty, Look]]:
        """Read what the subscriptions found name for the first time; whoever needs what cannot be read waits."""
        for missing in missing_catalog(self.connection, [look for _one, look in good]):
            try:
                missing.look.read_catalog(missing.resource, missing.type, missing.stripe_id)
            except IntegrationError as error:
                without = [(one, look) for one, look in good if not names(look, missing.resource, missing.stripe_id)]
                bad += [(one, error) for one, look in good if (one, look) not in without]
                good = without
        return good

    def _land(self, good: list[tuple[Dirty, Look]]) -> None:
        looks = [look for _one, look in good]
        self.result.by_customer |= land(self.connection, looks, fence=self.held.renew)
        self.result.changed = len(self.result.by_customer)
        self.result.customers += len(good)
        broken = [(one, look) for one, look in good if look.batch.problems]
        self._close([one for one, look in good if not look.batch.problems])
        for one, look in broken:  # the issue is open already
            dirty.fail(one, code=look.batch.problems[0].code, permanent=True)
            self.result.failed += 1

    def _close(self, done: Sequence[Dirty]) -> None:
        with transaction.atomic():
            self.result.events += dirty.close(done)
            dirty.settle_failed(self.connection, [one.stripe_id for one in done if one.kind == "customer"])
            self.held.renew()

    # --- what goes wrong -----------------------------------------------------------------------------------------

    def _failed(self, bad: Sequence[tuple[Dirty, IntegrationError]], *, succeeded: int) -> None:
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
            return connections.probe_again(self.connection, self.reader)
        return error.code == "reauthorize"

    def _end_with(self, error: IntegrationError) -> None:
        """Stop for now: nothing can be read, whoever it is about."""
        self.stop.set()
        self.result.error = error
        if error.code == "reauthorize":
            if not tokens.is_renewed(self.connection, self.token):
                tokens.ask_to_reauthorize(self.connection, error)
        elif not error.permanent:
            dirty.pause(self.connection, max(PAUSE_SECONDS, error.retry_after or 0.0))
        logger.warning("Stripe %s: %s; the inbox waits", self.connection.mode, error)

    def _keep(self) -> None:
        if time.monotonic() - self._renewed > RENEW_SECONDS:
            self.held.renew()
            self._renewed = time.monotonic()

    def _tick(self, ended: set[Future[Look]]) -> None:
        self._keep()
        if self.is_over:
            self.stop.set()


def names(look: Look, resource: str, stripe_id: str) -> bool:
    """Whether a subscription this look found names the object."""
    rows = look.batch.tables.get("subscription", {}).values()
    return any(stripe_id in named_by(row["data"])[resource] for row in rows)

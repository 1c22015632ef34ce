"""One slice of work on an inbox: read what waits, store it, follow it to the header, and only then close it.

Coalesced per Stripe customer, a few at once. What fails is tried again later, and in the end becomes an issue that
**Retry this record** settles (docs/architecture.md section 4 "Incremental").
"""

from __future__ import annotations

from collections.abc import Sequence

from integrations.errors import IntegrationError
from integrations.models import RunKind, RunState
from integrations.stripe.api.decode import DecodeError
from integrations.stripe.api.objects import Invoice
from integrations.stripe.api.permissions import read_account
from integrations.stripe.api.query import object_path
from integrations.stripe.sync import catalog_changes, connections, derive, dirty, runs
from integrations.stripe.sync.chunked import in_chunks
from integrations.stripe.sync.dirty import Dirty
from integrations.stripe.sync.drain_slice import DrainResult, DrainSlice
from integrations.stripe.sync.looks import Look, looks_at, missing_catalog, named_by
from integrations.stripe.sync.refresh import land, say_updated
from integrations.stripe.sync.threads import StoppedError, read_in_threads

CHUNK = 24
PAGES_WORTH = 3  # a refresh costs more requests than a page
FEWEST_FOR_A_RUN = 25  # below that, a walk is no quicker
MOST_CONCERNED = 20_000  # by one product or price; more than a slice can recompute


class Drain(DrainSlice):
    """The steps of a slice: sort out, leave to a run what it does quicker, and read what waits."""

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
            self.end_with(error)
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
            self.keep()
            try:
                steps[one.kind](one)
            except IntegrationError as error:
                if error.code == "record_gone":
                    self.close_events([one])
                else:
                    self.put_off([(one, error)], succeeded=0)

    def _refresh_catalog(self, one: Dirty) -> None:
        batch = catalog_changes.read(self.connection, self.reader, one, self.clock)
        concerned = catalog_changes.land(self.connection, one, batch, fence=self.held.renew)
        if len(concerned) > MOST_CONCERNED and self._leave_to_a_run():
            self.stop.set()
            return
        for ids in in_chunks(concerned):
            self.result.by_customer |= derive.refreshed(self.connection, ids, as_of=None)
            self.keep()
        self.result.changed = len(self.result.by_customer)
        if concerned:
            say_updated(self.connection)
        self.close_events([one])

    def _find_owner(self, one: Dirty) -> None:
        try:
            invoice = self.reader.get_object(object_path("invoices", one.stripe_id), None, Invoice)
        except DecodeError as error:
            raise IntegrationError("invalid_response", error.detail) from error
        if invoice.customer_id:
            dirty.belongs_to(one, invoice.customer_id)
        else:
            self.close_events([one])

    def _refresh_account(self, one: Dirty) -> None:
        account = read_account(self.reader)
        if account is not None and account.id == self.connection.account_id:
            connections.rename(self.connection, account.display_name)
        self.close_events([one])

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
        futures = read_in_threads(looks, Look.read, stop=self.stop, tick=self.tick)
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
        self.put_off(bad, succeeded=len(good))

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
        self.close_events([one for one, look in good if not look.batch.problems])
        for one, look in broken:  # the issue is open already
            dirty.fail(one, code=look.batch.problems[0].code, permanent=True)
            self.result.failed += 1


def names(look: Look, resource: str, stripe_id: str) -> bool:
    """Whether a subscription this look found names the object."""
    rows = look.batch.tables.get("subscription", {}).values()
    return any(stripe_id in named_by(row["data"])[resource] for row in rows)

"""The phases of a run, in order; each does a slice's worth and says whether it is through.

Catalog first, so that prices and coupons are known; then the subscriptions with their customers and latest invoices; then
the few invoices the payment status needs beside them; then matching and roll-up from the mirror.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from integrations.errors import IntegrationError
from integrations.models import RunKind, StripeConnection
from integrations.stripe.api.permissions import probe
from integrations.stripe.sync import customers_from_stripe, derive, match, rates
from integrations.stripe.sync.fetch import Fetched, Fetcher, first_lanes
from integrations.stripe.sync.invoices import drop_closed_payments, reread_invoices, settle, skim_paid_invoices
from integrations.stripe.sync.rows import Batch
from integrations.stripe.sync.unseen import read_unseen
from integrations.stripe.sync.walks import (
    COUPONS,
    CUSTOMERS,
    OPEN_INVOICES,
    PAYMENTS,
    PRICES,
    PRODUCTS,
    SUBSCRIPTIONS,
    UNCOLLECTIBLE_INVOICES,
    Walk,
)
from integrations.stripe.sync.work import Work

PAGES_A_BATCH = 5


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a run; ``work`` returns True when it is through, ``wanted`` whether this run has it at all."""

    name: str
    label: str
    work: Callable[[Work], bool]
    wanted: Callable[[Work], bool]


def walk(work: Work, what: Walk) -> bool:
    """Walk a list from its checkpoint; True when every lane is done.

    A permission that turns out to be missing is looked up once more; the figures then say what they lack.
    """
    if not work.may(what.permission):
        return True
    try:
        return walk_lanes(work, what)
    except IntegrationError as error:
        if error.code != "permission_missing" or work.checkpoint.get("probed"):
            raise
        work.checkpoint["probed"] = True
        probe_again(work.connection, work)
        return False


def walk_lanes(work: Work, what: Walk) -> bool:
    """Fetch, and write several pages at a time with the lanes' new places."""
    lanes = work.checkpoint["walks"].setdefault(what.name, first_lanes())
    fetcher = Fetcher(
        what,
        lanes,
        reader=work.reader,
        connection=work.connection,
        kind=work.run.kind,
        clock=work.clock,
        overrides=work.overrides,
        abort=work.stop,
    )
    held: list[Fetched] = []

    def write() -> None:
        batch = Batch(work.overrides)
        for fetched in held:
            assert fetched.lane is not None and fetched.batch is not None  # noqa: S101, PT018 - only real pages are held
            batch.merge(fetched.batch)
            lanes[fetched.lane].update(after=fetched.after, created=fetched.created, done=fetched.done)
        work.commit(what.name, batch)
        held.clear()

    pages = fetcher.pages()
    try:
        for fetched in pages:
            if fetched.lane is None:
                work.keep_lease()
            else:
                held.append(fetched)
            if held and (len(held) >= PAGES_A_BATCH or fetched.done or fetched.lane is None):
                write()
            if work.is_over:
                break
    except IntegrationError:
        if held:
            write()
        raise
    finally:
        pages.close()
    if held:
        write()
    return all(lane["done"] for lane in lanes)


def probe_again(connection: StripeConnection, work: Work) -> None:
    """Find out what the connection may read now; raises ``permission_missing`` when the needed two are gone."""
    result = probe(work.reader)
    connection.permissions = list(result.granted)
    connection.can_expand = result.can_expand
    connection.save(update_fields=["permissions", "can_expand"])
    if not result.can_connect:
        raise IntegrationError("permission_missing", " ".join(result.will_be_blank))


def walking(what: Walk, wanted: Callable[[Work], bool]) -> Phase:
    """A phase that walks one list."""
    return Phase(what.name, what.label, lambda work: walk(work, what), wanted)


def derive_attached(work: Work) -> bool:
    """Contributions and roll-up, customer by customer in chunks."""
    used = rates.frozen(work.checkpoint)
    cursor = work.checkpoint["cursors"].get("roll_up", 0)
    while not work.is_over:
        cursor = derive.attached_chunk(work.connection, after=cursor, rates=used, now=work.began)
        if cursor is None:
            return True
        work.checkpoint["cursors"]["roll_up"] = cursor
        work.commit("roll_up")
    return False


def derive_unattached(work: Work) -> bool:
    """What is at stake on the Stripe customers that nobody has."""
    used = rates.frozen(work.checkpoint)
    cursor = work.checkpoint["cursors"].get("figures", "")
    while not work.is_over:
        cursor = derive.unattached_chunk(work.connection, after=cursor, rates=used, now=work.began)
        if cursor is None:
            return True
        work.checkpoint["cursors"]["figures"] = cursor
        work.commit("figures")
    return False


def match_all(work: Work) -> bool:
    """Match the whole mirror, in one statement or two."""
    work.keep_lease(600)
    with derive.lock(work.connection):
        match.rematch(work.connection)
        if not work.is_preview and not work.connection.billing_signal_only and not work.checkpoint.get("incomplete"):
            customers_from_stripe.create(work.connection)
            match.rematch(work.connection)
    return True


def always(work: Work) -> bool:
    """Every run."""
    return True


def writes_customers(work: Work) -> bool:
    """Every run but a preview."""
    return not work.is_preview


def without_expansion(work: Work) -> bool:
    """When lists come with ids only, customers are read on their own."""
    return not work.connection.can_expand


def reads_invoices(work: Work) -> bool:
    """When invoices may be read and are wanted."""
    return not work.is_preview and work.may("invoice_read")


PHASES: tuple[Phase, ...] = (
    walking(PRODUCTS, always),
    walking(PRICES, always),
    walking(COUPONS, always),
    walking(SUBSCRIPTIONS, always),
    walking(CUSTOMERS, without_expansion),
    Phase("unseen", "Checking what is gone", read_unseen, always),
    walking(PAYMENTS, reads_invoices),
    walking(OPEN_INVOICES, reads_invoices),
    walking(UNCOLLECTIBLE_INVOICES, reads_invoices),
    Phase("closed_payments", "Checking closed payments", drop_closed_payments, reads_invoices),
    Phase("closed_invoices", "Checking closed invoices", reread_invoices, reads_invoices),
    Phase("paid_invoices", "Reading paid invoices", skim_paid_invoices, reads_invoices),
    Phase("settle", "Reading invoices of single customers", settle, reads_invoices),
    Phase("match", "Matching customers", match_all, always),
    Phase("roll_up", "Writing billing fields", derive_attached, writes_customers),
    Phase("figures", "Adding up the rest", derive_unattached, always),
)

LABELS = {phase.name: phase.label for phase in PHASES}
COMPLETE_KINDS = (RunKind.INITIAL, RunKind.FULL, RunKind.NIGHTLY)

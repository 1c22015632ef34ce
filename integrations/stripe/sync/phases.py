"""The phases of a run, in order; each does a slice's worth and says whether it is through.

Catalog first, so that prices and coupons are known; then the subscriptions with their customers and latest invoices,
and beside them the few other invoices the payment status needs; then what is left of those; then matching and roll-up
from the mirror.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection as database
from django.db import transaction

from integrations.errors import IntegrationError
from integrations.stripe.api.permissions import PERMISSIONS, probe
from integrations.stripe.sync import customers_from_stripe, derive, examined, match, prices, rates
from integrations.stripe.sync.beside import Beside
from integrations.stripe.sync.carried import Carried, is_worth_it
from integrations.stripe.sync.invoices import reread_invoices, settle
from integrations.stripe.sync.paid_invoices import drop_paid_of_nobody, keep_newest_of_unsettled, skim_paid_invoices
from integrations.stripe.sync.payments import drop_closed_payments, read_intents, read_payments
from integrations.stripe.sync.rollup_chunks import roll_up
from integrations.stripe.sync.unseen import read_unseen
from integrations.stripe.sync.walking import walk
from integrations.stripe.sync.walks import (
    COUPONS,
    CUSTOMERS,
    OPEN_INVOICES,
    PAID_INVOICES,
    PAYMENTS,
    PRICES,
    PRODUCTS,
    SUBSCRIPTIONS,
    UNCOLLECTIBLE_INVOICES,
    Walk,
)
from integrations.stripe.sync.work import Work

# Tables with the columns that what follows joins or looks up by. To look at the others, JSON among them, takes several
# times as long, and autovacuum does in its own time. Of customers everything: the words of their names are known then.
SUBSCRIBED_TABLES = (
    "integrations_seenid",
    "integrations_stripecustomer (id, connection_id, stripe_id, email_domain, email_address, personal, customer_id)",
    "integrations_stripesubscription (connection_id, stripe_id, customer_id, status, live, created)",
    "customers_customer",
    "customers_customerdomain",
)
INVOICE_TABLES = (
    "integrations_stripeinvoice (connection_id, stripe_id, customer_id, status, created)",
    "integrations_stripeinvoicepayment (connection_id, stripe_id, invoice_id)",
    "integrations_stripepaymentintent (connection_id, stripe_id)",
)
LONGEST_STATEMENT_SECONDS = 600  # the lease over one statement that cannot renew it


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a run; ``work`` returns True when it is through, ``wanted`` whether this run has it at all."""

    name: str
    label: str
    work: Callable[[Work], bool]
    wanted: Callable[[Work], bool]


def step(work: Work, phase: Phase) -> bool:
    """Do a slice's worth of a phase; True when it is through.

    A permission that turns out to be missing is looked up: the run goes on without it, and the figures say what they
    lack. Raises IntegrationError ``permission_missing`` when the lookup finds nothing new, or too little to go on.
    """
    try:
        return phase.work(work)
    except IntegrationError as error:
        if error.code != "permission_missing" or not probe_again(work):
            raise
        return False


def require_access(work: Work) -> None:
    """See that customers and subscriptions may be read, by the last probe or by a new one.

    Raises IntegrationError ``permission_missing``: without either there is nothing to read.
    """
    if not all(work.may(permission.slug) for permission in PERMISSIONS if permission.required):
        probe_again(work)


def probe_again(work: Work) -> bool:
    """Find out what the connection may read now; True when that is not what we thought.

    Raises ``permission_missing`` when one of the two is gone without which there is nothing to read.
    """
    connection, result = work.connection, probe(work.reader)
    if not result.can_connect:
        raise IntegrationError("permission_missing", " ".join(result.will_be_blank))
    before = (connection.permissions, connection.can_expand)
    connection.permissions, connection.can_expand = list(result.granted), result.can_expand
    connection.save(update_fields=["permissions", "can_expand"])
    return before != (connection.permissions, connection.can_expand)


def walk_subscriptions(work: Work) -> bool:
    """Walk the subscriptions, and beside them, on endpoints with rates of their own, what invoices there are.

    A first run computes contributions along with them.
    """
    beside = Beside(work, SUBSCRIPTIONS.name) if reads_invoices(work) else None
    return walk(work, SUBSCRIPTIONS, Carried(work) if is_worth_it(work) else None, beside)


def page_paid_invoices(work: Work) -> bool:
    """Page paid invoices as far back as it pays."""
    if not skim_paid_invoices(work, lambda work: walk(work, PAID_INVOICES, keep_newest_of_unsettled)):
        return False
    work.keep_lease(LONGEST_STATEMENT_SECONDS)
    drop_paid_of_nobody(work)
    return True


def walking(what: Walk, wanted: Callable[[Work], bool]) -> Phase:
    """A phase that walks one list."""
    return Phase(what.name, what.label, lambda work: walk(work, what), wanted)


def analyze(*tables: str) -> Callable[[Work], bool]:
    """A phase that has PostgreSQL look at what the walks wrote.

    What follows joins tables that were empty a moment ago. Autovacuum comes too late for them, and without statistics
    the planner takes them for tiny and compares every row with every other.
    """
    statement = f"ANALYZE {', '.join(tables)}"

    def run(work: Work) -> bool:
        work.keep_lease(LONGEST_STATEMENT_SECONDS)
        with database.cursor() as cursor:
            cursor.execute(statement)
        return True

    return run


def derive_figures(work: Work) -> bool:
    """What is at stake on the Stripe customers that were not rolled up."""
    used = rates.frozen(work.checkpoint)
    cursors = work.checkpoint["cursors"]
    while True:
        with transaction.atomic():
            reached = derive.figures_chunk(
                work.connection,
                after=cursors.get("figures", ""),
                rates=used,
                now=work.began,
                attached_too=work.is_preview,
            )
            if reached is None:
                return True
            cursors["figures"] = reached
            work.commit("figures")
        if work.is_over:
            return False


def match_all(work: Work) -> bool:
    """Match the whole mirror, in one statement or two, with the options as they are now."""
    work.keep_lease(LONGEST_STATEMENT_SECONDS)
    connection = work.connection
    with work.fenced(), derive.lock(connection):
        connection.refresh_from_db(fields=["match_personal_emails", "billing_signal_only"])
        prices.carry(connection, since=work.began)  # what an event said of a price while the pages were being read
        match.rematch_all(connection)
        if not work.is_preview and not connection.billing_signal_only and not work.checkpoint.get("incomplete"):
            customers_from_stripe.create(connection)
            match.rematch_all(connection)
    return True


def recompute_by_clock(work: Work) -> bool:
    """What dates alone have changed by now is no drift: it is brought up to date before anything is compared."""
    work.keep_lease(LONGEST_STATEMENT_SECONDS)
    derive.clock_ticked(work.connection, now=work.began)
    work.keep_lease()
    return True


def compares(work: Work) -> bool:
    """A nightly run, which reports what it finds different."""
    return work.report is not None


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
    Phase("dates", "Following dates that have passed", recompute_by_clock, compares),
    walking(PRODUCTS, always),
    walking(PRICES, always),
    walking(COUPONS, always),
    Phase("drafts", "Reading drafts", examined.begin, reads_invoices),
    Phase(SUBSCRIPTIONS.name, SUBSCRIPTIONS.label, walk_subscriptions, always),
    walking(CUSTOMERS, without_expansion),
    Phase("statistics", "Checking what is gone", analyze(*SUBSCRIBED_TABLES), always),
    Phase("unseen", "Checking what is gone", read_unseen, always),
    walking(PAYMENTS, reads_invoices),
    walking(OPEN_INVOICES, reads_invoices),
    walking(UNCOLLECTIBLE_INVOICES, reads_invoices),
    Phase("closed_payments", "Checking closed payments", drop_closed_payments, reads_invoices),
    Phase("payments_of_invoices", "Reading payments of open invoices", read_payments, reads_invoices),
    Phase("intents", "Reading payment intents", read_intents, reads_invoices),
    Phase("closed_invoices", "Checking closed invoices", reread_invoices, reads_invoices),
    Phase("invoice_statistics", "Reading paid invoices", analyze(*INVOICE_TABLES), reads_invoices),
    Phase("paid_invoices", "Reading paid invoices", page_paid_invoices, reads_invoices),
    Phase("settle", "Reading invoices of single customers", settle, reads_invoices),
    Phase("match", "Matching customers", match_all, always),
    Phase("roll_up", "Writing billing fields", roll_up, writes_customers),
    Phase("figures", "Adding up the rest", derive_figures, always),
)

LABELS = {phase.name: phase.label for phase in PHASES}

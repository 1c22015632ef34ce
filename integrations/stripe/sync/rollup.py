"""The five billing fields of Pivotal customers, from committed mirror rows (docs/rules.md sections 3 and 5).

Callers hold the derive lock and this module locks the customers, ordered by id, before it reads anything, so that two
workers on one merged customer cannot lose an update (docs/architecture.md section 4 "Runs").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from customers.models import Activity, BillingFlag, Customer, MrrPoint
from integrations.models import BillingSummary, StripeConnection
from integrations.stripe.rules.money import ZERO
from integrations.stripe.rules.payment_status import PaymentStatus, payment_status
from integrations.stripe.rules.risk import Risk, at_risk
from integrations.stripe.rules.summary import Summary, summarise
from integrations.stripe.sync.attached import Attached, AttachedReader, Look
from integrations.stripe.sync.binding import binding_cursor
from integrations.stripe.sync.contributions import Change
from integrations.stripe.sync.history import History
from integrations.stripe.sync.insert import insert_rows
from integrations.stripe.sync.scope_sql import Scope
from integrations.stripe.sync.unmoved import versions

SOURCE = "stripe"
FIELDS = ("plan", "mrr", "payment_status", "billing_started_at", "stripe_customer_id")

# One statement for a chunk; bulk_update would send a CASE per row and column.
UPDATE = """
UPDATE customers_customer AS c
SET plan = r.plan, plan_label = r.plan_label, mrr = r.mrr, payment_status = r.payment_status,
    billing_started_at = r.billing_started_at, stripe_customer_id = r.stripe_customer_id,
    billing_source = r.billing_source, billing_as_of = r.billing_as_of, billing_flags = r.billing_flags,
    next_change_at = r.next_change_at, mrr_at_risk = r.mrr_at_risk, at_risk_reason = r.at_risk_reason,
    at_risk_at = r.at_risk_at
FROM jsonb_to_recordset(%s::jsonb) AS r(
    id bigint, plan text, plan_label text, mrr numeric, payment_status text, billing_started_at timestamptz,
    stripe_customer_id text, billing_source text, billing_as_of timestamptz, billing_flags text[],
    next_change_at timestamptz, mrr_at_risk numeric, at_risk_reason text, at_risk_at timestamptz
)
WHERE c.id = r.id
"""
WRITTEN = (
    *FIELDS, "plan_label", "billing_source", "billing_as_of", "billing_flags", "next_change_at", "mrr_at_risk",
    "at_risk_reason", "at_risk_at",
)  # fmt: skip
SUMMARY = (
    "connection_id", "payment_reason", "also_open", "incomplete", "problems", "mrr_exact", "primary_subscription",
    "live_subscriptions", "computed_from",
)  # fmt: skip

Row = dict[str, Any]
"""Columns by name. A chunk has thousands of them, and instances of models would cost more than all the rules do."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the customers of one roll-up share beside what is attached to each."""

    receipts: Mapping[str, Change]
    intents: Mapping[str, str]
    with_history: Collection[int]
    moves_as_of: bool


@dataclass(slots=True)
class Written:
    """What one roll-up has to write; ``changed`` names the fields that changed, by customer."""

    customers: list[Row] = field(default_factory=list)
    summaries: list[Row] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    points: list[Row] = field(default_factory=list)
    activities: list[Row] = field(default_factory=list)
    changed: dict[int, list[str]] = field(default_factory=dict)


class Rollup:
    """Rolls up with one ``now``; ``decided`` marks changes that people on our side caused.

    ``remembers``: what the customers were computed from is kept with them, as a run does, so that the next one can tell
    whom nothing was written about since.
    """

    def __init__(
        self,
        connection: StripeConnection,
        *,
        now: datetime,
        origin: str = "Stripe",
        decided: bool = False,
        actor_type: str = Activity.ActorType.INTEGRATION,
        remembers: bool = False,
    ) -> None:
        self.connection = connection
        self.now = now
        self.scope = Scope.of(connection)
        self.reader = AttachedReader(connection, self.scope)
        self.remembers = remembers
        self.history = History(now=now, origin=origin, actor_type=actor_type, decided=decided)

    def roll_up(
        self,
        customer_ids: Iterable[int],
        *,
        changes: Iterable[Change] = (),
        as_of: datetime | None = None,
        looked_at: frozenset[str] | None = None,
    ) -> dict[int, list[str]]:
        """Recompute these customers; returns the names of the fields that changed, by customer.

        ``changes`` are the receipts that moved in the same transaction: they name the cause of an MRR change.
        ``as_of`` is when a look at Stripe began, ``looked_at`` at which Stripe customers; None is all of them. A
        refresh moves the customers' ``billing_as_of``; a run, which says itself when it looked, writes it only along
        with something else.
        """
        if not (wanted := set(customer_ids)):
            return {}
        locked = list(
            Customer.objects.select_for_update()
            .filter(pk__any=wanted)
            .order_by("pk")
            .values("id", "environment", *WRITTEN)
        )
        known = BillingSummary.objects.filter(pk__any={customer["id"] for customer in locked})
        summaries = {summary["customer_id"]: summary for summary in known.values("customer_id", *SUMMARY)}
        mine = [customer for customer in locked if self._is_mine(customer, summaries.get(customer["id"]))]
        numbers = [customer["id"] for customer in mine]
        attached = self.reader.read(numbers, Look(as_of, looked_at) if as_of is not None else None)
        context = Context(
            receipts={change.stripe_id: change for change in changes},
            intents=self.reader.add_invoices(attached),
            with_history=having_history(numbers),
            moves_as_of=looked_at is not None,
        )
        written = Written()
        for customer in mine:
            found = attached.get(customer["id"]) or Attached()
            self._roll_up_one(customer, found, summaries.get(customer["id"]), context, written)
        self._save(written, summaries)
        return written.changed

    def _roll_up_one(self, before: Row, found: Attached, old: Row | None, context: Context, written: Written) -> None:
        """Work out one customer, and note what has to be written."""
        number = before["id"]
        was_attached, is_attached = before["billing_source"] == SOURCE, bool(found.customers)
        status = payment_status(found.invoices, intents=context.intents, subscriptions=found.live, now=self.now)
        summary = summarise(found.customers, found.subscriptions, payment=status)
        risk = at_risk(found.subscriptions, payment=status, now=self.now)
        after = self._fields(found, summary, status, risk)
        after["billing_as_of"] = as_of(before, after, found, moves=context.moves_as_of)
        if any(before[name] != value for name, value in after.items()):
            written.customers.append({"id": number, **after})
        if is_attached:
            written.summaries.append(self._summary(number, found, summary, status, old))
        elif old is not None:
            written.gone.append(number)
        names = [name for name in FIELDS if after[name] != before[name]]
        if names or was_attached != is_attached:
            written.changed[number] = names
        cause = self.history.cause(found, old["mrr_exact"] if old else ZERO, context.receipts) if "mrr" in names else ""
        point = MrrPoint.Cause.FIRST_SYNC if is_attached and number not in context.with_history else cause
        if point:
            written.points.append({"customer_id": number, "at": self.now, "mrr": after["mrr"], "cause": point})
        written.activities += self.history.entries(
            number, before, after, names, was_attached=was_attached, is_attached=is_attached, cause=cause
        )

    def _is_mine(self, customer: Row, summary: Row | None) -> bool:
        """Whether this connection writes the customer: it is of its environment, or what it shows was written by it.

        A customer that moved to the other environment is announced in both, and the two connections may come in any
        order. Billing that another integration wrote stays its own.
        """
        if customer["billing_source"] not in ("", SOURCE):
            return False
        if customer["environment"] == self.connection.environment:
            return True
        return summary is not None and summary["connection_id"] == self.connection.pk

    def _fields(self, found: Attached, summary: Summary, status: PaymentStatus, risk: Risk) -> Row:
        """What the customer's columns should say, all but ``billing_as_of``."""
        flags = []
        if found.undecided:
            flags.append(BillingFlag.UNDECIDED)
        if found.problems:
            flags.append(BillingFlag.INCOMPLETE)
        if status.also_open is not None:
            flags.append(BillingFlag.OLDER_INVOICE_OPEN)
        changes = [*found.changes, *filter(None, (status.next_change_at, risk.next_change_at))]
        return {
            "plan": summary.plan,
            "plan_label": summary.plan_label,
            "mrr": summary.mrr,
            "payment_status": summary.payment_status,
            "billing_started_at": summary.billing_started_at,
            "stripe_customer_id": summary.stripe_customer_id,
            "billing_source": SOURCE if found.customers else "",
            "billing_flags": [str(flag) for flag in flags],
            "next_change_at": min(changes, default=None) if found.customers else None,
            "mrr_at_risk": risk.mrr if found.customers else None,
            "at_risk_reason": risk.reason if found.customers else "",
            "at_risk_at": risk.at if found.customers else None,
        }

    def _summary(self, number: int, found: Attached, summary: Summary, status: PaymentStatus, old: Row | None) -> Row:
        reason = status.reason
        if reason.subscription and reason.subscription not in {each.stripe_id for each in found.subscriptions}:
            reason = msgspec.structs.replace(reason, outside_scope=True)
        counts: dict[str, int] = defaultdict(int)
        for problem in found.problems:
            counts[problem] += 1
        return {
            "customer_id": number,
            "connection_id": self.connection.pk,
            "payment_reason": msgspec.to_builtins(reason),
            "also_open": msgspec.to_builtins(status.also_open) if status.also_open else None,
            "incomplete": [
                {"code": problem.partition(" ")[0], "subject": problem.partition(" ")[2], "subscriptions": number}
                for problem, number in sorted(counts.items())
            ],
            "problems": [f"{problem.code} {problem.subject}"[:300] for problem in status.problems],
            "mrr_exact": found.mrr,
            "primary_subscription": summary.primary_subscription,
            "live_subscriptions": summary.live_subscriptions,
            "computed_at": self.now,
            "computed_from": old["computed_from"] if old else "",
        }

    def _save(self, written: Written, known: Mapping[int, Row]) -> None:
        """Write what was noted: the billing columns of customers and no others, summaries, points and entries."""
        if written.customers:
            with binding_cursor() as cursor:
                cursor.execute(UPDATE, [msgspec.json.encode(written.customers).decode()])
        if self.remembers:
            found = versions(self.connection, self.scope, [row["customer_id"] for row in written.summaries])
            for row in written.summaries:
                row["computed_from"] = found[row["customer_id"]]
        save_summaries(written.summaries, known)
        if written.gone:
            BillingSummary.objects.filter(customer_id__in=written.gone).delete()
        insert_rows(MrrPoint, written.points)
        insert_rows(Activity, written.activities)


def as_of(before: Row, after: Row, found: Attached, *, moves: bool) -> datetime | None:
    """What ``billing_as_of`` should say: it moves by a look at this customer, else along with something else alone."""
    known: datetime | None = before["billing_as_of"]
    is_kept = not moves and known is not None and all(before[name] == value for name, value in after.items())
    if is_kept or not found.customers:
        return known if is_kept else None
    return max(filter(None, (known, found.covered_at)), default=None)


def save_summaries(summaries: Iterable[Row], known: Mapping[int, Row]) -> None:
    """Write the summaries that say something new; ``computed_at`` alone is no news."""
    news = []
    for row in summaries:
        old = known.get(row["customer_id"])
        if old is None or any(old[name] != row[name] for name in SUMMARY):
            news.append(row)
    insert_rows(BillingSummary, news, replace_by="customer_id")


def having_history(customer_ids: Iterable[int]) -> set[int]:
    """Those of these customers that have a point of MRR already."""
    points = MrrPoint.objects.filter(customer_id__any=set(customer_ids))
    return set(points.values_list("customer_id", flat=True).distinct())

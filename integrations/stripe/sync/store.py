"""Writes batches into the mirror: one statement per table, whatever the number of rows.

Rows travel as one JSON parameter and are unpacked by PostgreSQL, as jsonb, which parses them once. An older observation
never overwrites a newer one. A walk leaves rows that say the same unwritten; a refresh always moves ``observed_at``.
Tables are written in a fixed order and rows ordered by id, so that two writers cannot deadlock (docs/architecture.md
section 4 "Observed-at").
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from django.db import DataError, connection, transaction

from integrations.stripe.sync.binding import binding_cursor
from integrations.stripe.sync.computed_from import COMPUTED_FROM
from integrations.stripe.sync.rows import Batch, Problem, Row


@dataclass(frozen=True, slots=True)
class Table:
    """A mirror table: its columns with their types, and which of them an update writes.

    ``defaults`` are what a new row has in further columns, as expressions over a row and what it may have ``carried``
    along.
    """

    name: str
    object_type: str
    columns: tuple[tuple[str, str], ...]
    updates: tuple[str, ...] | None = None
    defaults: tuple[tuple[str, str], ...] = ()
    carried: tuple[tuple[str, str], ...] = ()

    @property
    def updated(self) -> tuple[str, ...]:
        """The columns an update writes, beside ``observed_at``."""
        return self.updates if self.updates is not None else tuple(name for name, _type in self.columns)


TEXT, TIME, FLAG, LIST = "text", "timestamptz", "boolean", "text[]"

# In this order: a reader that sees a subscription finds its customer, price and invoice already there.
TABLES: dict[str, Table] = {
    "product": Table("integrations_stripeproduct", "product", (("name", TEXT),)),
    "price": Table("integrations_stripeprice", "price", (("product_id", TEXT), ("lookup_key", TEXT))),
    "coupon": Table("integrations_stripecoupon", "coupon", ()),
    "customer": Table(
        "integrations_stripecustomer",
        "customer",
        (
            ("email", TEXT),
            ("email_address", TEXT),
            ("email_domain", TEXT),
            ("personal", FLAG),
            ("name", TEXT),
            ("created", TIME),
            ("deleted", FLAG),
        ),
        defaults=(
            ("standing", "''"),
            ("match_state", "''"),
            ("match_reason", "''"),
            ("winner", "false"),
            ("ambiguous_kind", "''"),
        ),
    ),
    "tombstone": Table(
        "integrations_stripecustomer",
        "customer",
        (),
        updates=("deleted",),
        defaults=(
            ("deleted", "true"),
            ("email", "''"),
            ("email_address", "''"),
            ("email_domain", "''"),
            ("personal", "false"),
            ("name", "''"),
            ("standing", "''"),
            ("match_state", "''"),
            ("match_reason", "''"),
            ("winner", "false"),
            ("ambiguous_kind", "''"),
        ),
    ),
    "payment_intent": Table("integrations_stripepaymentintent", "payment_intent", (("status", TEXT),)),
    "invoice_payment": Table("integrations_stripeinvoicepayment", "invoice_payment", (("invoice_id", TEXT),)),
    "invoice": Table(
        "integrations_stripeinvoice",
        "invoice",
        (("customer_id", TEXT), ("status", TEXT), ("created", TIME), ("number", TEXT)),
    ),
    "subscription": Table(
        "integrations_stripesubscription",
        "subscription",
        (
            ("customer_id", TEXT),
            ("status", TEXT),
            ("live", FLAG),
            ("created", TIME),
            ("start_date", TIME),
            ("currency", TEXT),
            ("price_ids", LIST),
            ("product_ids", LIST),
            ("lookup_keys", LIST),
            ("latest_invoice_id", TEXT),
        ),
        defaults=(
            ("mrr", "coalesce(r.mrr, 0)"),
            ("receipt", "r.receipt"),
            ("problems", "coalesce(r.problems, '{}')"),
            ("plan", "coalesce(r.plan, '')"),
            ("plan_label", "coalesce(r.plan_label, '')"),
            ("next_change_at", "r.next_change_at"),
            ("computed_from", f"coalesce({COMPUTED_FROM.format(basis='r.basis', data='r.data')}, '')"),
        ),
        carried=(
            ("mrr", "numeric"),
            ("receipt", "jsonb"),
            ("problems", LIST),
            ("plan", TEXT),
            ("plan_label", TEXT),
            ("next_change_at", TIME),
            ("basis", TEXT),
        ),
    ),
}


def statement(table: Table, *, refresh: bool) -> str:
    """The upsert of one table; takes the connection's id and the rows as JSON."""
    columns = [name for name, _type in table.columns]
    defaults = [name for name, _value in table.defaults]
    keep_data = table.updates is not None
    updates = [*table.updated, "observed_at"] if keep_data else [*table.updated, "data", "observed_at"]
    compared = [name for name in updates if name != "observed_at"]
    newer = "<=" if refresh else "<"
    different = (
        ""
        if refresh
        else f" AND ({', '.join(f't.{c}' for c in compared)}) IS DISTINCT FROM"
        f" ({', '.join(f'EXCLUDED.{c}' for c in compared)})"
    )
    record = ", ".join(f"{name} {kind}" for name, kind in (*table.columns, *table.carried, *FIXED))
    return (
        f"INSERT INTO {table.name} AS t"  # noqa: S608 - names come from the table above, never from outside
        f" (connection_id, stripe_id, data, observed_at{''.join(f', {c}' for c in (*columns, *defaults))})"
        f" SELECT %s, r.stripe_id, r.data, r.observed_at{''.join(f', r.{c}' for c in columns)}"
        f"{''.join(f', {value}' for _name, value in table.defaults)}"
        f" FROM jsonb_to_recordset(%s::jsonb) AS r({record}) ORDER BY r.stripe_id"
        f" ON CONFLICT (connection_id, stripe_id) DO UPDATE SET"
        f" {', '.join(f'{c} = EXCLUDED.{c}' for c in updates)}"
        f" WHERE t.observed_at {newer} EXCLUDED.observed_at{different}"
    )


FIXED = (("stripe_id", "text"), ("data", "jsonb"), ("observed_at", "timestamptz"))


def write(connection_id: int, batch: Batch, *, refresh: bool = False) -> int:
    """Store a batch inside the caller's transaction; returns the rows written.

    A row the database refuses is left out and becomes a problem of the batch; the others are written.
    """
    filled = [(table, list(rows.values())) for name, table in TABLES.items() if (rows := batch.tables.get(name))]
    try:
        with transaction.atomic():
            written = sum(upsert(connection_id, table, rows, refresh=refresh) for table, rows in filled)
    except DataError:
        written = sum(write_one_by_one(connection_id, table, rows, batch, refresh=refresh) for table, rows in filled)
    return written + bury(connection_id, batch)


GONE = {
    "customer": "UPDATE integrations_stripecustomer AS t SET deleted = TRUE, observed_at = g.observed_at {gone}",
    "invoice": "DELETE FROM integrations_stripeinvoice AS t USING {rows} WHERE {newer}",
    "subscription": (
        "UPDATE integrations_stripesubscription AS t SET status = 'canceled', live = FALSE,"
        """ data = jsonb_set(data, '{{status}}', '"canceled"'), observed_at = g.observed_at {gone}"""
    ),
}
GONE_ROWS = "unnest(%s::text[], %s::timestamptz[]) AS g(stripe_id, observed_at)"
GONE_NEWER = "t.connection_id = %s AND t.stripe_id = g.stripe_id AND t.observed_at < g.observed_at"


def bury(connection_id: int, batch: Batch) -> int:
    """Take what Stripe no longer has out of the figures: subscriptions end, invoices go, customers are deleted."""
    buried = 0
    for name, sql in GONE.items():
        gone = sorted((stripe_id, at) for (table, stripe_id), at in batch.gone.items() if table == name)
        if not gone:
            continue
        text = sql.format(rows=GONE_ROWS, newer=GONE_NEWER, gone=f"FROM {GONE_ROWS} WHERE {GONE_NEWER}")
        with connection.cursor() as cursor:
            cursor.execute(text, [[each[0] for each in gone], [each[1] for each in gone], connection_id])
            buried += int(cursor.rowcount)
    return buried


def upsert(connection_id: int, table: Table, rows: list[Row], *, refresh: bool) -> int:
    """Write rows of one table in one statement; returns the rows written."""
    with binding_cursor() as cursor:
        payload = msgspec.json.encode(rows).decode()
        cursor.execute(statement(table, refresh=refresh), [connection_id, payload])
        return int(cursor.rowcount)


def write_one_by_one(connection_id: int, table: Table, rows: list[Row], batch: Batch, *, refresh: bool) -> int:
    """The slow way for a batch with a row the database refuses: everything but that row is kept."""
    written = 0
    for row in rows:
        try:
            with transaction.atomic():
                written += upsert(connection_id, table, [row], refresh=refresh)
        except DataError as error:
            owner = row.get("customer_id") or (row["stripe_id"] if table.object_type == "customer" else "")
            detail = str(error).splitlines()[0]
            batch.problems.append(
                Problem("invalid_response", table.object_type, row["stripe_id"], owner, detail=detail)
            )
    return written

"""Customers about whom nothing was written since a run rolled them up: rolling them up again would write nothing.

The five fields are a pure function of rows and the clock (docs/architecture.md section 4 "Unmoved customers"). Every
version of a row in PostgreSQL has its own pair of place and transaction (``ctid``, ``xmin``), so a hash over the pairs
of all rows a roll-up reads is a different one after any write, whoever made it and to whichever column. What moves rows
without changing them (a restored dump, ``VACUUM FULL``) makes a hash differ too: then everybody is rolled up once more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from django.db import connection as database
from django.db.models import Exists, OuterRef, Q

from customers.models import MrrPoint
from integrations.models import BillingSummary, StripeConnection
from integrations.stripe.sync.computed_from import rules_version
from integrations.stripe.sync.scope_sql import Scope

# One row a customer. The summary is left out, since it is where the hash is kept and nothing but a roll-up writes it.
VERSIONS = """
WITH asked AS (
    SELECT jsonb_array_elements_text(%(ids)s::jsonb)::bigint AS id
), mine AS (
    SELECT c.id, c.ctid AS place, c.xmin AS written
    FROM customers_customer c WHERE c.id = ANY(ARRAY(SELECT id FROM asked))
), theirs AS (
    SELECT sc.customer_id AS owner, sc.stripe_id, sc.ctid AS place, sc.xmin AS written
    FROM integrations_stripecustomer sc
    WHERE sc.connection_id = %(connection)s AND sc.customer_id = ANY(ARRAY(SELECT id FROM asked))
), invoices AS (
    SELECT theirs.owner, i.stripe_id, i.ctid AS place, i.xmin AS written
    FROM theirs JOIN integrations_stripeinvoice i
      ON i.connection_id = %(connection)s AND i.customer_id = theirs.stripe_id
), payments AS (
    SELECT invoices.owner, p.data->'payment'->>'payment_intent' AS intent, p.ctid AS place, p.xmin AS written
    FROM invoices JOIN integrations_stripeinvoicepayment p
      ON p.connection_id = %(connection)s AND p.invoice_id = invoices.stripe_id
), versions AS (
    SELECT id AS owner, 1 AS kind, place, written FROM mine
    UNION ALL SELECT owner, 2, place, written FROM theirs
    UNION ALL
    SELECT theirs.owner, 3, s.ctid, s.xmin
    FROM theirs JOIN integrations_stripesubscription s
      ON s.connection_id = %(connection)s AND s.customer_id = theirs.stripe_id
    UNION ALL SELECT owner, 4, place, written FROM invoices
    UNION ALL SELECT owner, 5, place, written FROM payments
    UNION ALL
    SELECT payments.owner, 6, pi.ctid, pi.xmin
    FROM payments JOIN integrations_stripepaymentintent pi
      ON pi.connection_id = %(connection)s AND pi.stripe_id = payments.intent
)
SELECT owner, encode(sha256(convert_to(
           %(basis)s || string_agg(kind || place::text || written::text, ',' ORDER BY kind, place), 'UTF8'
       )), 'hex') AS computed_from
FROM versions GROUP BY owner
"""


def moved(connection: StripeConnection, scope: Scope, customer_ids: Sequence[int], *, now: datetime) -> list[int]:
    """Those of these customers that a roll-up at ``now`` may find different, in the same order."""
    known = known_of(connection, customer_ids, now=now)
    found = versions(connection, scope, known) if known else {}
    return [number for number in customer_ids if number not in known or known[number] != found.get(number)]


def known_of(connection: StripeConnection, customer_ids: Collection[int], *, now: datetime) -> dict[int, str]:
    """What those of these customers were computed from that the clock has not moved since and whose history began."""
    is_waiting = Q(customer__next_change_at__isnull=True) | Q(customer__next_change_at__gt=now)
    has_history = Exists(MrrPoint.objects.filter(customer=OuterRef("customer")))
    rows = BillingSummary.objects.filter(is_waiting, has_history, connection=connection, pk__any=set(customer_ids))
    return dict(rows.exclude(computed_from="").values_list("customer_id", "computed_from"))


def versions(connection: StripeConnection, scope: Scope, customer_ids: Collection[int]) -> dict[int, str]:
    """What these customers are computed from, as their rows are now."""
    with database.cursor() as cursor:
        cursor.execute(VERSIONS, values(connection, scope, customer_ids))
        return dict(cursor.fetchall())


def values(connection: StripeConnection, scope: Scope, customer_ids: Collection[int]) -> dict[str, Any]:
    """What the statements refer to."""
    basis = msgspec.json.encode([code_version(), connection.pk, connection.environment, scope.parameters])
    ids = msgspec.json.encode(list(customer_ids))
    return {"ids": ids.decode(), "connection": connection.pk, "basis": basis.decode()}


@cache
def code_version() -> str:
    """A hash of the code that rolls up: another release rolls up everybody once more."""
    here = Path(__file__).parent
    digest = sha256(rules_version().encode())
    for name in ("attached", "causes", "history", "match", "rollup", "scope_sql", "unmoved"):
        digest.update((here / f"{name}.py").read_bytes())
    return digest.hexdigest()

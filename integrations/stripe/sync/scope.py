"""Choosing the scope and the options, and seeing first what that would change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction

from integrations.models import ScopeFilter, ScopeKind, StripeConnection, StripePrice, StripeProduct
from integrations.stripe.rules.plan import plan_label
from integrations.stripe.sync import counts, derive, match
from integrations.stripe.sync.counts import Counts
from integrations.stripe.sync.match import Options
from integrations.stripe.sync.scope_sql import Scope


@dataclass(frozen=True, slots=True)
class Choice:
    """A product or lookup key of the account; figures are None before anything was read."""

    value: str
    label: str
    shown_as: str
    subscriptions: int | None
    mrr: Decimal | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class ScopeChoices:
    """What the scope can be narrowed to."""

    products: list[Choice]
    lookup_keys: list[Choice]
    without_lookup_key: int
    in_two_products: int
    subscriptions: int
    mrr: Decimal


@dataclass(frozen=True, slots=True)
class Preview:
    """What a scope and options would make of the counts, and what becomes of the headers."""

    before: Counts
    after: Counts
    headers_blank: int
    headers_filled: int


FIGURES = """
SELECT value, count(*) FILTER (WHERE s.live), coalesce(sum(s.mrr), 0)
FROM integrations_stripesubscription s, unnest(s.{column}) AS value
WHERE s.connection_id = %s GROUP BY value
"""

TOTALS = """
SELECT count(*) FILTER (WHERE live), coalesce(sum(mrr), 0),
       count(*) FILTER (WHERE live AND lookup_keys = '{}'),
       count(*) FILTER (WHERE live AND cardinality(product_ids) > 1)
FROM integrations_stripesubscription WHERE connection_id = %s
"""


def figures(connection: StripeConnection, column: str) -> dict[str, tuple[int, Decimal]]:
    """Live subscriptions and MRR by product or lookup key."""
    with database.cursor() as cursor:
        cursor.execute(FIGURES.format(column=column), [connection.pk])
        return {value: (number, mrr) for value, number, mrr in cursor.fetchall()}


def choices(connection: StripeConnection) -> ScopeChoices:
    """Products and lookup keys that the account really has, the biggest first; chosen ones stay listed."""
    saved = Scope.of(connection)
    with database.cursor() as cursor:
        cursor.execute(TOTALS, [connection.pk])
        subscriptions, mrr, without_key, in_two = cursor.fetchone()
    names = dict(StripeProduct.objects.filter(connection=connection).values_list("stripe_id", "name"))
    products = figures(connection, "product_ids")
    keys = figures(connection, "lookup_keys")
    known_keys = set(
        StripePrice.objects.filter(connection=connection).exclude(lookup_key="").values_list("lookup_key", flat=True)
    )
    read = bool(products)

    def choice(value: str, label: str, shown_as: str, found: dict[str, tuple[int, Decimal]], chosen: bool) -> Choice:
        number, amount = found.get(value, (0, Decimal(0)))
        return Choice(value, label, shown_as, number if read else None, amount if read else None, chosen)

    def order(each: Choice) -> tuple[bool, Decimal, str]:
        return (not each.chosen, -(each.mrr or Decimal(0)), each.label.lower())

    product_ids = set(names) | set(products) | set(saved.products)
    key_values = known_keys | set(keys) | set(saved.lookup_keys)
    return ScopeChoices(
        products=sorted(
            (choice(each, names.get(each) or each, "", products, each in saved.products) for each in product_ids),
            key=order,
        ),
        lookup_keys=sorted(
            (choice(each, each, plan_label(each, "lookup_key"), keys, each in saved.lookup_keys) for each in key_values),
            key=order,
        ),
        without_lookup_key=without_key,
        in_two_products=in_two,
        subscriptions=subscriptions,
        mrr=mrr,
    )


def save_scope(
    connection: StripeConnection, *, products: Iterable[str], lookup_keys: Iterable[str], actor: User | None
) -> Counts:
    """Save the scope; it takes effect at once, from the mirror, without a call to Stripe."""
    names = dict(StripeProduct.objects.filter(connection=connection).values_list("stripe_id", "name"))
    rows = [
        *(ScopeFilter(kind=ScopeKind.PRODUCT, value=each, label=names.get(each, "")[:255]) for each in set(products)),
        *(ScopeFilter(kind=ScopeKind.LOOKUP_KEY, value=each) for each in set(lookup_keys)),
    ]
    for row in rows:
        row.connection = connection
    with transaction.atomic():
        ScopeFilter.objects.filter(connection=connection).delete()
        ScopeFilter.objects.bulk_create(rows)
        apply(connection)
    return counts.count(connection)


def save_options(
    connection: StripeConnection, *, match_personal_emails: bool, billing_signal_only: bool, actor: User | None
) -> Counts:
    """Save the two toggles; matching follows at once, from the mirror."""
    with transaction.atomic():
        connection.match_personal_emails = match_personal_emails
        connection.billing_signal_only = billing_signal_only
        connection.save(update_fields=["match_personal_emails", "billing_signal_only"])
        apply(connection)
    return counts.count(connection)


def apply(connection: StripeConnection) -> None:
    """Match and roll up everything again; a connection that is not connected, or never synced, waits for its run."""
    if connection.is_connected and connection.last_full_sync_at is not None:
        derive.rematch(connection, everything=True, origin="Scope or options")


def preview(
    connection: StripeConnection,
    *,
    products: Iterable[str],
    lookup_keys: Iterable[str],
    match_personal_emails: bool,
    billing_signal_only: bool = True,
) -> Preview:
    """What saving this would change, computed without writing anything."""
    options = Options(Scope(tuple(products), tuple(lookup_keys)), match_personal_emails)
    sql = match.verdicts_sql(options, None) + HEADERS
    with database.cursor() as cursor:
        cursor.execute(sql, match.parameters(connection, options, None))
        blank, filled = cursor.fetchone()
    return Preview(
        before=counts.count(connection),
        after=counts.preview_counts(connection, options),
        headers_blank=blank,
        headers_filled=filled,
    )


HEADERS = """
, now_on AS (
    SELECT DISTINCT customer_id FROM integrations_stripecustomer
    WHERE connection_id = %(connection)s AND match_state = 'matched'
), then_on AS (
    SELECT DISTINCT customer_id FROM verdicts WHERE match_state = 'matched'
)
SELECT (SELECT count(*) FROM now_on n WHERE NOT EXISTS (SELECT 1 FROM then_on t WHERE t.customer_id = n.customer_id)),
       (SELECT count(*) FROM then_on t WHERE NOT EXISTS (SELECT 1 FROM now_on n WHERE n.customer_id = t.customer_id))
"""

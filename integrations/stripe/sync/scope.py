"""Choosing the scope and the options, and seeing first what that would change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction

from integrations import audit
from integrations.models import AuditAction, ConnectionState, ScopeFilter, ScopeKind, StripeConnection, StripeProduct
from integrations.stripe.rules.plan import plan_label
from integrations.stripe.sync import counts, customers_from_stripe, derive, match
from integrations.stripe.sync.counts import Counts
from integrations.stripe.sync.customers_from_stripe import WouldBe
from integrations.stripe.sync.kept import kept
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
    """What a scope and options would make of the counts, and what becomes of the headers.

    ``creates`` is what the next complete run would create; None while **Billing signal only** is on.
    """

    before: Counts
    after: Counts
    headers_blank: int
    headers_filled: int
    creates: WouldBe | None


KEPT_AS = "scope"

FIGURES = """
WITH subscriptions AS MATERIALIZED (
    SELECT live, mrr, product_ids, lookup_keys FROM integrations_stripesubscription WHERE connection_id = %s
)
SELECT 'product', value, count(*) FILTER (WHERE live), sum(mrr)
FROM subscriptions, unnest(product_ids) AS value GROUP BY value
UNION ALL
SELECT 'lookup_key', value, count(*) FILTER (WHERE live), sum(mrr)
FROM subscriptions, unnest(lookup_keys) AS value GROUP BY value
UNION ALL
SELECT 'all', '', count(*) FILTER (WHERE live), coalesce(sum(mrr), 0) FROM subscriptions
UNION ALL
SELECT 'without_lookup_key', '', count(*), 0 FROM subscriptions WHERE live AND lookup_keys = '{}'
UNION ALL
SELECT 'in_two_products', '', count(*), 0 FROM subscriptions WHERE live AND cardinality(product_ids) > 1
"""

CATALOG = """
SELECT 'product', stripe_id, name FROM integrations_stripeproduct WHERE connection_id = %(connection)s
UNION ALL
SELECT DISTINCT 'lookup_key', lookup_key, lookup_key
FROM integrations_stripeprice WHERE connection_id = %(connection)s AND lookup_key <> ''
UNION ALL
SELECT 'chosen_' || kind, value, value FROM integrations_scopefilter WHERE connection_id = %(connection)s
"""


Figures = dict[str, dict[str, tuple[int, Decimal]]]


def figures(connection: StripeConnection) -> Figures:
    """Live subscriptions and MRR by product, by lookup key, and in all; one query."""
    found: Figures = defaultdict(dict)
    with database.cursor() as cursor:
        cursor.execute(FIGURES, [connection.pk])
        for kind, value, number, mrr in cursor.fetchall():
            found[kind][value] = (number, mrr)
    return found


def catalog(connection: StripeConnection) -> dict[str, dict[str, str]]:
    """Names of the products and the lookup keys of the prices that the account has, and which are chosen; one query."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    with database.cursor() as cursor:
        cursor.execute(CATALOG, {"connection": connection.pk})
        for kind, value, name in cursor.fetchall():
            found[kind][value] = name
    return found


def choices(connection: StripeConnection) -> ScopeChoices:
    """Products and lookup keys that the account really has, the biggest first; chosen ones stay listed.

    Three queries, whatever the account has.
    """
    known = catalog(connection)
    saved = Scope(products=list(known["chosen_product"]), lookup_keys=list(known["chosen_lookup_key"]))
    names, known_keys = known["product"], set(known["lookup_key"])
    found = kept(connection, KEPT_AS, figures, Figures)
    products, keys = found.get("product", {}), found.get("lookup_key", {})
    subscriptions, mrr = found["all"][""]
    without_key, in_two = found["without_lookup_key"][""][0], found["in_two_products"][""][0]
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
            (
                choice(each, each, plan_label(each, "lookup_key"), keys, each in saved.lookup_keys)
                for each in key_values
            ),
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
    with derive.lock(connection):  # of two people who save at once the second waits
        before = Scope.of(connection)
        ScopeFilter.objects.filter(connection=connection).delete()
        ScopeFilter.objects.bulk_create(rows)
        record_scope(connection, before, Scope.of(connection), actor)
        apply(connection)
    return counts.count(connection)


def record_scope(connection: StripeConnection, before: Scope, after: Scope, actor: User | None) -> None:
    """Write a changed scope into the audit log; saving the same again is none."""
    was, now = (
        {"products": sorted(scope.products), "lookup_keys": sorted(scope.lookup_keys)} for scope in (before, after)
    )
    if was != now:
        audit.record(AuditAction.SCOPE, actor=actor, connection=connection, details={"before": was, "after": now})


OPTIONS = ("match_personal_emails", "billing_signal_only")


def save_options(
    connection: StripeConnection, *, match_personal_emails: bool, billing_signal_only: bool, actor: User | None
) -> Counts:
    """Save the two toggles; matching follows at once, from the mirror."""
    with transaction.atomic():
        before = {name: getattr(connection, name) for name in OPTIONS}
        connection.match_personal_emails = match_personal_emails
        connection.billing_signal_only = billing_signal_only
        connection.save(update_fields=OPTIONS)
        changed = {name: [was, getattr(connection, name)] for name, was in before.items()}
        changed = {name: values for name, values in changed.items() if values[0] != values[1]}
        if changed:
            audit.record(AuditAction.OPTIONS, actor=actor, connection=connection, details=changed)
        apply(connection)
    return counts.count(connection)


def apply(connection: StripeConnection) -> None:
    """Match and roll up everything again; a disconnected connection waits until it is connected."""
    if connection.state != ConnectionState.DISCONNECTED:
        derive.rematch_all(connection, decided=True, origin="Scope or options")


def preview(
    connection: StripeConnection,
    *,
    products: Iterable[str],
    lookup_keys: Iterable[str],
    match_personal_emails: bool,
    billing_signal_only: bool = True,
) -> Preview:
    """What saving this would change, computed without writing anything.

    ``billing_signal_only`` changes nothing at once: customers are created by the next complete run.
    """
    options = Options(Scope(tuple(products), tuple(lookup_keys)), match_personal_emails)
    sql = match.verdicts_sql(options) + HEADERS
    with match.set_wise(), database.cursor() as cursor:
        cursor.execute(sql, match.parameters(connection, options))
        blank, filled = cursor.fetchone()
    return Preview(
        before=counts.count(connection),
        after=counts.preview_counts(connection, options),
        headers_blank=blank,
        headers_filled=filled,
        creates=None if billing_signal_only else customers_from_stripe.missing(connection, options),
    )


HEADERS = """
, now_on AS (
    SELECT DISTINCT customer_id FROM integrations_stripecustomer
    WHERE connection_id = %(connection)s AND match_state = 'matched' AND match_reason <> 'winner_ended'
), then_on AS (
    SELECT DISTINCT customer_id FROM verdicts WHERE match_state = 'matched' AND match_reason <> 'winner_ended'
)
SELECT (SELECT count(*) FROM now_on n WHERE NOT EXISTS (SELECT 1 FROM then_on t WHERE t.customer_id = n.customer_id)),
       (SELECT count(*) FROM then_on t WHERE NOT EXISTS (SELECT 1 FROM now_on n WHERE n.customer_id = t.customer_id))
"""

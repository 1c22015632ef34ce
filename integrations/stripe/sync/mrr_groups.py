"""The live subscriptions behind each line of How MRR adds up, as queries that lists page through.

The groups are what Stripe's own figure treats differently from ours, or may (docs/rules.md section 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django.db import connection as database
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When

from integrations.models import (
    IssueState,
    Severity,
    Standing,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
    SyncIssue,
)
from integrations.stripe.rules.subscriptions import COUNTING_STATUSES
from integrations.stripe.sync.scope_sql import Scope

SET_TO_CANCEL = "set_to_cancel"
REPEATING_DISCOUNTS = "repeating_discounts"
EXCHANGE_RATES = "exchange_rates"
COLLECTION_PAUSED = "collection_paused"
INCOMPLETE = "incomplete"

COUNTING = Q(status__in=sorted(COUNTING_STATUSES))
STAYING = COUNTING & Q(leaving=False)
REPEATING_LINE = [{"kind": "discount", "repeating": True}]

GROUPS: Mapping[str, Q] = {
    SET_TO_CANCEL: COUNTING & Q(leaving=True),
    REPEATING_DISCOUNTS: STAYING & Q(receipt__lines__contains=REPEATING_LINE),
    EXCHANGE_RATES: STAYING & ~Q(currency="usd") & Q(mrr__gt=0),
    COLLECTION_PAUSED: STAYING & Q(paused=True),
    INCOMPLETE: STAYING & ~Q(problems=[]),
}
"""What is set to cancel is in no other group: Stripe counts it 0, so nothing else about it matters."""

TAKEN_OFF = """
SELECT coalesce(sum((line->>'usd')::numeric), 0)
FROM integrations_stripesubscription s, jsonb_array_elements(s.receipt->'lines') AS line
WHERE s.id IN ({subscriptions}) AND line->>'repeating' = 'true'
"""


def live(connection: StripeConnection) -> QuerySet[StripeSubscription]:
    """Every live subscription of the account, with ``leaving`` for one that is set to end."""
    is_leaving = Q(data__cancel_at_period_end=True) | Q(data__cancel_at__gt=0)
    return StripeSubscription.objects.filter(connection=connection, live=True).annotate(
        # CASE, since a key that is missing makes a condition null, and neither it nor its opposite true.
        leaving=Case(When(is_leaving, then=Value(True)), default=Value(False)),
        paused=Case(When(data__pause_collection__has_key="behavior", then=Value(True)), default=Value(False)),
    )


def listed(connection: StripeConnection, group: str) -> QuerySet[StripeSubscription]:
    """The live subscriptions of one of the GROUPS."""
    return live(connection).filter(GROUPS[group])


def taken_off(subscriptions: QuerySet[StripeSubscription]) -> Decimal:
    """What repeating discounts take off these, as their receipts have it: zero or below."""
    sql, parameters = subscriptions.order_by().values("pk").query.sql_with_params()
    with database.cursor() as cursor:
        cursor.execute(TAKEN_OFF.format(subscriptions=sql), parameters)
        return Decimal(cursor.fetchone()[0])


def outside_scope(connection: StripeConnection) -> QuerySet[StripeSubscription]:
    """The live subscriptions outside the scope."""
    scope = Scope.of(connection)
    return live(connection).none() if scope.is_everything else live(connection).exclude(scope.condition)


def unplaced(connection: StripeConnection) -> QuerySet[StripeSubscription]:
    """The live subscriptions in scope whose Stripe customer is at none of the other places."""
    owner = StripeCustomer.objects.filter(connection=connection, stripe_id=OuterRef("customer_id"))
    placed = owner.filter(standing=Standing.LIVE).exclude(match_state="")
    errors = SyncIssue.objects.filter(connection=connection, state=IssueState.OPEN, severity=Severity.ERROR)
    failed = errors.filter(
        Q(stripe_customer_id=OuterRef("customer_id")) | Q(stripe_customer_id="", object_id=OuterRef("customer_id"))
    )
    return live(connection).filter(Scope.of(connection).condition).exclude(Exists(placed)).exclude(Exists(failed))

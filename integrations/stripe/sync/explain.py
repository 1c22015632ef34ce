"""Why each billing field of a customer says what it says: for the command, and for whoever asks the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.db import connection as database

from customers.models import Customer
from integrations.models import BillingSummary, Mode, StripeConnection, StripeCustomer
from integrations.stripe.rules.payment_status import AlsoOpen, Reason, sentence
from integrations.stripe.rules.receipt import Receipt
from integrations.stripe.sync.freshness import Freshness, freshness
from integrations.stripe.sync.match import ATTACHED
from integrations.stripe.sync.scope_sql import Scope


@dataclass(frozen=True, slots=True)
class ExplainedSubscription:
    """One subscription in scope of an attached Stripe customer, with its receipt."""

    stripe_id: str
    stripe_customer_id: str
    status: str
    plan: str
    plan_label: str
    mrr: Decimal
    start_date: datetime
    receipt: Receipt | None
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything a customer's billing rests on; ``sum`` is the exact total of the subscriptions before rounding."""

    customer: Customer
    connection: StripeConnection
    freshness: Freshness
    stripe_customers: list[StripeCustomer]
    subscriptions: list[ExplainedSubscription]
    payment: Reason | None
    payment_sentence: str
    also_open: AlsoOpen | None
    summary: BillingSummary | None
    sum: Decimal = Decimal(0)
    near: list[StripeCustomer] = field(default_factory=list)


SUBSCRIPTIONS = """
SELECT s.stripe_id, s.customer_id, s.status, s.plan, s.plan_label, s.mrr, s.start_date, s.receipt, s.problems
FROM integrations_stripesubscription s
WHERE s.connection_id = %(connection)s AND s.customer_id = ANY(%(stripe_ids)s) AND {scope}
ORDER BY s.mrr DESC, s.start_date, s.stripe_id
"""


def connection_of(customer: Customer) -> StripeConnection:
    """The connection that may write this customer's billing: its environment's; unsaved when there is none yet."""
    mode = Mode.LIVE if customer.environment == "production" else Mode.TEST
    return StripeConnection.objects.filter(mode=mode).first() or StripeConnection(mode=mode)


def explain(customer: Customer) -> Explanation:
    """Collect what the fields of a customer rest on; five queries."""
    connection = connection_of(customer)
    attached = list(
        StripeCustomer.objects.filter(ATTACHED, connection_id=connection.pk, customer=customer).order_by(
            "created", "stripe_id"
        )
    )
    subscriptions = explained_subscriptions(connection, [each.stripe_id for each in attached])
    summary = BillingSummary.objects.filter(customer=customer).first()
    reason = msgspec.convert(summary.payment_reason, Reason, strict=False) if summary else None
    near: list[StripeCustomer] = []
    if not attached and customer.domain:
        same = StripeCustomer.objects.filter(connection_id=connection.pk, email_domain=customer.domain)
        near = list(same.order_by("created", "stripe_id")[:10])
    return Explanation(
        customer=customer,
        connection=connection,
        freshness=freshness(customer, connection),
        stripe_customers=attached,
        subscriptions=subscriptions,
        payment=reason,
        payment_sentence=sentence(reason) if reason else "",
        also_open=msgspec.convert(summary.also_open, AlsoOpen, strict=False) if summary and summary.also_open else None,
        summary=summary,
        sum=sum((each.mrr for each in subscriptions), Decimal(0)),
        near=near,
    )


def explained_subscriptions(connection: StripeConnection, stripe_ids: list[str]) -> list[ExplainedSubscription]:
    """The subscriptions in scope of these Stripe customers, the biggest first."""
    if not stripe_ids:
        return []
    scope = Scope.of(connection)
    values: dict[str, Any] = {"connection": connection.pk, "stripe_ids": stripe_ids, **scope.parameters}
    with database.cursor() as cursor:
        cursor.execute(SUBSCRIPTIONS.format(scope=scope.sql), values)
        rows = cursor.fetchall()
    return [
        ExplainedSubscription(
            stripe_id=stripe_id,
            stripe_customer_id=customer_id,
            status=status,
            plan=plan,
            plan_label=label,
            mrr=mrr,
            start_date=start,
            receipt=msgspec.json.decode(receipt, type=Receipt, strict=False) if receipt else None,
            problems=problems,
        )
        for stripe_id, customer_id, status, plan, label, mrr, start, receipt, problems in rows
    ]

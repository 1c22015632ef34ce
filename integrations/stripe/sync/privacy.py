"""Everything held about one customer, as JSON; and forgetting it, or a whole connection, completely.

What Stripe still has comes back with the next run: whoever is to stay forgotten is deleted, or ignored, there first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.serializers.python import Serializer
from django.db import connection as database
from django.db import transaction
from django.db.models import Model, Q, QuerySet

from customers.models import Activity, Customer, MrrPoint
from customers.services import delete_customers
from integrations import audit
from integrations.models import (
    ApiCall,
    Attempt,
    AuditAction,
    BillingSummary,
    DriftEntry,
    MatchDecision,
    MatchDecisionMember,
    StripeConnection,
    StripeCustomer,
    StripeEvent,
    StripeInvoice,
    StripeInvoicePayment,
    StripePaymentIntent,
    StripeSubscription,
    SyncIssue,
)
from integrations.models.run import ACTIVE_STATES
from integrations.stripe.sync import derive, disconnecting


@dataclass(slots=True)
class Holdings:
    """What there is about some Stripe customers of one connection: the sets of rows, by what they are."""

    connection: StripeConnection
    stripe_ids: list[str]
    rows: dict[str, QuerySet[Any]] = field(default_factory=dict)

    @property
    def every_id(self) -> list[str]:
        """The ids of all mirrored objects among them."""
        mirrored = ("stripe_customers", "subscriptions", "invoices", "invoice_payments", "payment_intents")
        return [each for name in mirrored for each in self.rows[name].values_list("stripe_id", flat=True)]


def holdings(connection: StripeConnection, stripe_ids: Iterable[str]) -> Holdings:
    """Find everything that belongs to these Stripe customers."""
    ids = list(stripe_ids)
    found = Holdings(connection, ids)
    here = {"connection": connection}
    invoices = StripeInvoice.objects.filter(customer_id__in=ids, **here)
    numbers = list(invoices.values_list("stripe_id", flat=True))
    payments = StripeInvoicePayment.objects.filter(invoice_id__in=numbers, **here)
    intents = [intent_of(data) for data in payments.values_list("data", flat=True)]
    found.rows = {
        "stripe_customers": StripeCustomer.objects.filter(stripe_id__in=ids, **here),
        "subscriptions": StripeSubscription.objects.filter(customer_id__in=ids, **here),
        "invoices": invoices,
        "invoice_payments": payments,
        "payment_intents": StripePaymentIntent.objects.filter(stripe_id__in=[each for each in intents if each], **here),
        "events": StripeEvent.objects.filter(stripe_customer_id__in=ids, **here),
        "attempts": Attempt.objects.filter(stripe_customer_id__in=ids, **here),
        "drift": DriftEntry.objects.filter(report__connection=connection, stripe_customer_id__in=ids),
        "decisions": MatchDecisionMember.objects.filter(decision__connection=connection, stripe_customer_id__in=ids),
    }
    about = Q(stripe_customer_id__in=ids) | Q(object_id__in=found.every_id)
    found.rows["issues"] = SyncIssue.objects.filter(about, **here)
    return found


def intent_of(payment: dict[str, Any]) -> str:
    """The payment intent an invoice payment rests on; empty when there is none."""
    intent = (payment.get("payment") or {}).get("payment_intent") or ""
    return intent.get("id", "") if isinstance(intent, dict) else str(intent)


def holdings_of(customer: Customer) -> list[Holdings]:
    """Everything behind a Pivotal customer, by connection."""
    return [
        holdings(
            connection, customer.stripe_customers.filter(connection=connection).values_list("stripe_id", flat=True)
        )
        for connection in StripeConnection.objects.order_by("pk")
    ]


def everything_about(customer: Customer) -> dict[str, Any]:
    """All that is stored about one customer, table by table, as values JSON can carry with Django's encoder."""
    answer: dict[str, Any] = {
        "customer": plain([customer])[0],
        "domains": plain(customer.domains.all()),
        "history": plain(customer.activities.order_by("pk")),
        "mrr_history": plain(customer.mrr_points.order_by("pk")),
        "billing_summary": plain(BillingSummary.objects.filter(customer=customer)),
        "drift": plain(DriftEntry.objects.filter(customer=customer)),
        "stripe": {},
    }
    for found in holdings_of(customer):
        answer["stripe"][found.connection.mode] = {name: plain(rows) for name, rows in found.rows.items()}
    return answer


def plain(rows: Iterable[Model]) -> list[dict[str, Any]]:
    """Rows as plain mappings with their primary key."""
    serialized = Serializer().serialize(rows)
    return [{"pk": each["pk"], **each["fields"]} for each in serialized]


def forget_customer(customer: Customer, *, actor: User | None, mirror_only: bool = False) -> dict[str, int]:
    """Delete everything held about a customer, and the customer; returns how many rows of each kind.

    ``mirror_only`` keeps the customer as people entered it, with its billing fields empty.
    """
    number, gone = customer.pk, {"customers": 0 if mirror_only else 1}
    for found in holdings_of(customer):
        with derive.lock(found.connection):
            for name, count in forget(found).items():
                gone[name] = gone.get(name, 0) + count
    with transaction.atomic():
        DriftEntry.objects.filter(customer=customer).delete()
        if mirror_only:
            Activity.objects.filter(customer=customer, actor_type=Activity.ActorType.INTEGRATION).delete()
            MrrPoint.objects.filter(customer=customer).delete()
            BillingSummary.objects.filter(customer=customer).delete()
            disconnecting.blank_billing([number])
        else:
            content_type = ContentType.objects.get_for_model(Customer)
            LogEntry.objects.filter(content_type=content_type, object_id=str(number)).delete()
            delete_customers([customer])
        audit.record(AuditAction.CUSTOMER_FORGOTTEN, actor=actor, subject=f"customer {number}", details=gone)
    return gone


def forget(found: Holdings) -> dict[str, int]:
    """Delete rows and every mention of their ids elsewhere, inside the caller's transaction."""
    ids, every_id = found.stripe_ids, found.every_id
    if not ids:
        return {}
    active = [str(state) for state in ACTIVE_STATES]
    values: dict[str, Any] = {
        "connection": found.connection.pk,
        "ids": ids,
        "every_id": every_id or ids,
        "active": active,
    }
    counts = {name: rows.count() for name, rows in found.rows.items()}
    with database.cursor() as cursor:
        for sql in MENTIONS:
            cursor.execute(sql, values)
    # The rows that others are found by go last.
    for name in reversed(list(found.rows)):
        found.rows[name].delete()
    return counts


MENTIONS = (
    # A decision keeps its place in the log; whom it was about and the words about them go.
    "UPDATE integrations_matchdecision SET reason = '', stripe_customer_ids = ARRAY("
    " SELECT each FROM unnest(stripe_customer_ids) AS each WHERE each <> ALL(%(ids)s))"
    " WHERE connection_id = %(connection)s AND stripe_customer_ids && %(ids)s::varchar[]",
    "UPDATE integrations_decisionjob SET members = ARRAY("
    " SELECT each FROM unnest(members) AS each WHERE each <> ALL(%(ids)s))"
    " WHERE connection_id = %(connection)s AND members && %(ids)s::varchar[]",
    "DELETE FROM integrations_seenid WHERE stripe_id = ANY(%(every_id)s)",
    "DELETE FROM integrations_apicall WHERE connection_id = %(connection)s"
    " AND EXISTS (SELECT 1 FROM unnest(%(every_id)s::text[]) AS each WHERE strpos(path, each) > 0)",
    "UPDATE integrations_syncrun SET checkpoint = '{}' WHERE connection_id = %(connection)s"
    " AND state <> ALL(%(active)s)"
    " AND EXISTS (SELECT 1 FROM unnest(%(every_id)s::text[]) AS each WHERE strpos(checkpoint::text, each) > 0)",
)


def forget_connection(connection: StripeConnection, *, actor: User | None) -> None:
    """Disconnect, and delete the connection with everything that was ever read through it or said about it."""
    disconnecting.disconnect(connection, actor=actor)
    disconnecting.delete_mirror(connection, actor=actor)
    with transaction.atomic():
        MatchDecision.objects.filter(connection=connection, undoes__isnull=False).delete()
        ApiCall.objects.filter(connection=connection).delete()
        StripeConnection.objects.get(pk=connection.pk).delete()

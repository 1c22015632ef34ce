"""Rows as a finished sync leaves them, for pages that only read: matches, MRR and receipts are given, not computed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import factory
from django.utils import timezone

from integrations.models import (
    ApiCall,
    Attempt,
    AttemptKind,
    AttemptState,
    AuthKind,
    BillingSummary,
    ConnectionState,
    MatchState,
    Mode,
    RunKind,
    RunState,
    Severity,
    Standing,
    StripeConnection,
    StripeCustomer,
    StripeInvoice,
    StripeSubscription,
    SyncIssue,
    SyncRun,
)
from integrations.stripe.api.permissions import PERMISSIONS
from integrations.stripe.sync import stakes
from tests.factories import CustomerFactory


class ConnectionFactory(factory.django.DjangoModelFactory[StripeConnection]):
    """A connection to Fieldnote Inc, live, synced an hour ago; ``fresh=True`` has not been synced yet."""

    class Meta:
        model = StripeConnection
        django_get_or_create = ("mode",)

    mode = Mode.LIVE
    state = ConnectionState.CONNECTED
    auth_kind = AuthKind.RESTRICTED_KEY
    access_token = "rk_live_made_up"
    key_last4 = "e_up"
    account_id = "acct_1Fieldnote"
    account_name = "Fieldnote Inc"
    permissions = factory.LazyFunction(lambda: [permission.slug for permission in PERMISSIONS])
    connected_at = factory.LazyFunction(timezone.now)
    last_full_sync_at = factory.LazyFunction(timezone.now)
    last_look_at = factory.SelfAttribute("last_full_sync_at")

    class Params:
        fresh = factory.Trait(last_full_sync_at=None, last_look_at=None)


class RunFactory(factory.django.DjangoModelFactory[SyncRun]):
    """A full run that succeeded."""

    class Meta:
        model = SyncRun

    connection = factory.SubFactory(ConnectionFactory)
    kind = RunKind.FULL
    state = RunState.SUCCEEDED
    created_at = factory.LazyFunction(timezone.now)
    started_at = factory.SelfAttribute("created_at")
    finished_at = factory.LazyAttribute(lambda run: run.started_at + timedelta(seconds=52))


class IssueFactory(factory.django.DjangoModelFactory[SyncIssue]):
    """A Stripe customer that could not be read."""

    class Meta:
        model = SyncIssue

    connection = factory.SubFactory(ConnectionFactory)
    code = "invalid_response"
    severity = Severity.ERROR
    object_type = "customer"
    object_id = factory.Sequence(lambda n: f"cus_broken{n:04d}")
    stripe_customer_id = factory.SelfAttribute("object_id")
    first_seen_at = factory.LazyFunction(timezone.now)
    last_seen_at = factory.SelfAttribute("first_seen_at")


class AttemptFactory(factory.django.DjangoModelFactory[Attempt]):
    """A poll that found three events."""

    class Meta:
        model = Attempt

    connection = factory.SubFactory(ConnectionFactory)
    kind = AttemptKind.POLL
    state = AttemptState.SUCCEEDED
    started_at = factory.LazyFunction(timezone.now)
    finished_at = factory.LazyAttribute(lambda attempt: attempt.started_at + timedelta(seconds=2))
    events = 3


class ApiCallFactory(factory.django.DjangoModelFactory[ApiCall]):
    """A read that was answered."""

    class Meta:
        model = ApiCall

    connection = factory.SubFactory(ConnectionFactory)
    at = factory.LazyFunction(timezone.now)
    method = "GET"
    path = "/v1/customers?limit=100"
    status = 200
    duration_ms = 41


class StripeCustomerFactory(factory.django.DjangoModelFactory[StripeCustomer]):
    """A live Stripe customer without a customer; ``customer=…`` matches it."""

    class Meta:
        model = StripeCustomer

    connection = factory.SubFactory(ConnectionFactory)
    stripe_id = factory.Sequence(lambda n: f"cus_{n:014d}")
    data = factory.LazyAttribute(lambda row: {"id": row.stripe_id, "email": row.email, "name": row.name})
    observed_at = factory.LazyFunction(timezone.now)
    name = factory.Sequence(lambda n: f"Stripe customer {n}")
    email = factory.Sequence(lambda n: f"billing@company{n}.com")
    email_address = factory.SelfAttribute("email")
    email_domain = factory.LazyAttribute(lambda row: row.email.rpartition("@")[2])
    created = factory.LazyFunction(timezone.now)
    standing = Standing.LIVE
    match_state = factory.LazyAttribute(lambda row: MatchState.MATCHED if row.customer else MatchState.UNMATCHED)
    match_reason = factory.LazyAttribute(lambda row: "domain" if row.customer else "no_customer")
    customer = None


class StripeSubscriptionFactory(factory.django.DjangoModelFactory[StripeSubscription]):
    """An active subscription of 12 x $80 a month; ``mrr`` and ``receipt`` agree with it."""

    class Meta:
        model = StripeSubscription

    connection = factory.SubFactory(ConnectionFactory)
    stripe_id = factory.Sequence(lambda n: f"sub_{n:014d}")
    customer_id = factory.Sequence(lambda n: f"cus_{n:014d}")
    observed_at = factory.LazyFunction(timezone.now)
    status = "active"
    live = True
    created = factory.LazyFunction(timezone.now)
    start_date = factory.SelfAttribute("created")
    currency = "usd"
    product_ids = factory.LazyFunction(lambda: ["prod_growth"])
    lookup_keys = factory.LazyFunction(lambda: ["growth_monthly"])
    price_ids = factory.LazyFunction(lambda: ["price_growth"])
    plan = "growth_monthly"
    plan_label = "Growth"
    mrr = Decimal(960)
    data = factory.LazyAttribute(
        lambda row: {
            "id": row.stripe_id,
            "customer": row.customer_id,
            "status": row.status,
            "created": int(row.created.timestamp()),
            "start_date": int(row.start_date.timestamp()),
            "currency": row.currency,
            "items": {"data": [subscription_item(row.currency)]},
            **row.changes,
        }
    )
    receipt = factory.LazyAttribute(
        lambda row: {
            "subscription": row.stripe_id,
            "status": row.status,
            "counts": True,
            "why_zero": "",
            "currency": row.currency,
            "lines": [{"kind": "item", "label": "Growth", "detail": "12 x $80.00 a month", "usd": str(row.mrr)}],
            "contribution": str(row.mrr),
        }
    )

    class Params:
        changes = factory.LazyFunction(dict)

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> StripeSubscription:
        row = super()._create(model_class, *args, **kwargs)
        stakes.of_stripe_ids(row.connection, [row.customer_id])  # the list its Stripe customer may be on
        return row


def subscription_item(currency: str) -> dict[str, object]:
    """An item of 12 at 80 a month."""
    price = {
        "id": "price_growth",
        "currency": currency,
        "product": "prod_growth",
        "recurring": {"interval": "month"},
        "unit_amount": 8000,
        "lookup_key": "growth_monthly",
    }
    return {"id": "si_1", "price": price, "quantity": 12}


class StripeInvoiceFactory(factory.django.DjangoModelFactory[StripeInvoice]):
    """A paid invoice of $960."""

    class Meta:
        model = StripeInvoice

    connection = factory.SubFactory(ConnectionFactory)
    stripe_id = factory.Sequence(lambda n: f"in_{n:014d}")
    customer_id = factory.Sequence(lambda n: f"cus_{n:014d}")
    observed_at = factory.LazyFunction(timezone.now)
    status = "paid"
    created = factory.LazyFunction(timezone.now)
    number = factory.Sequence(lambda n: f"FN-{n:04d}")
    data = factory.LazyAttribute(
        lambda row: {
            "id": row.stripe_id,
            "created": int(row.created.timestamp()),
            "currency": "usd",
            "customer": row.customer_id,
            "status": row.status,
            "number": row.number,
            "collection_method": "charge_automatically",
            "total": 96000,
            "amount_due": 96000,
            "amount_remaining": 0 if row.status == "paid" else 96000,
            **row.changes,
        }
    )

    class Params:
        changes = factory.LazyFunction(dict)


class BillingSummaryFactory(factory.django.DjangoModelFactory[BillingSummary]):
    """What the roll-up found beside the five fields: nothing special."""

    class Meta:
        model = BillingSummary

    connection = factory.SubFactory(ConnectionFactory)
    customer = factory.SubFactory(CustomerFactory, billed=True)
    computed_at = factory.LazyFunction(timezone.now)
    live_subscriptions = 1

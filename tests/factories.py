"""Rows for tests, with sensible values where a test does not care."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import factory
from django.contrib.auth.models import Group, User
from django.utils import timezone

from customers.domains import is_personal
from customers.models import Activity, Customer, CustomerDomain, Environment, MrrPoint, PaymentStatus
from customers.permissions import ADMIN, MEMBER, STAFF
from integrations.models import (
    ConnectionState,
    DecisionKind,
    ExchangeRate,
    MatchDecision,
    MatchDecisionMember,
    MemberEffect,
    Mode,
    RateSource,
    StripeConnection,
    StripeCustomer,
    StripeInvoice,
    StripeSubscription,
)
from integrations.stripe.rules.domains import email_address, email_domain
from integrations.stripe.rules.subscriptions import is_live

# --- people ----------------------------------------------------------------------------------------------------


class UserFactory(factory.django.DjangoModelFactory[User]):
    """A person in the group ``group`` (a Member when not said); Admin and Staff may enter Django admin."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    first_name = factory.Sequence(lambda n: f"Person{n}")
    last_name = "Test"
    email = factory.LazyAttribute(lambda user: f"{user.username}@workspace.test")
    is_staff = False

    @factory.post_generation
    def group(self: User, create: bool, extracted: str | None, **kwargs: Any) -> None:
        """Put the person in the group; an empty text means no group at all."""
        if create and extracted != "":
            self.groups.add(Group.objects.get(name=extracted or MEMBER))


class StaffFactory(UserFactory):
    """Somebody who clears collisions."""

    is_staff = True
    group = factory.PostGeneration(lambda user, create, extracted: user.groups.add(Group.objects.get(name=STAFF)))


class AdminFactory(UserFactory):
    """Somebody who connects integrations."""

    is_staff = True
    group = factory.PostGeneration(lambda user, create, extracted: user.groups.add(Group.objects.get(name=ADMIN)))


class OwnerFactory(AdminFactory):
    """The workspace's owner."""

    is_superuser = True


# --- customers -------------------------------------------------------------------------------------------------


class CustomerFactory(factory.django.DjangoModelFactory[Customer]):
    """A production customer; ``billed=True`` fills in what an integration would."""

    class Meta:
        model = Customer

    name = factory.Sequence(lambda n: f"Customer {n}")
    domain = factory.Sequence(lambda n: f"customer{n}.com")
    environment = Environment.PRODUCTION

    class Params:
        billed = factory.Trait(
            plan="growth_monthly",
            plan_label="Growth",
            mrr=Decimal("1400.00"),
            payment_status=PaymentStatus.PAID,
            billing_started_at=factory.LazyFunction(timezone.now),
            stripe_customer_id=factory.Sequence(lambda n: f"cus_{n:014d}"),
            billing_source="stripe",
            billing_as_of=factory.LazyFunction(timezone.now),
        )


class CustomerDomainFactory(factory.django.DjangoModelFactory[CustomerDomain]):
    """An extra domain."""

    class Meta:
        model = CustomerDomain

    customer = factory.SubFactory(CustomerFactory)
    domain = factory.Sequence(lambda n: f"extra{n}.com")


class ActivityFactory(factory.django.DjangoModelFactory[Activity]):
    """An entry an integration wrote."""

    class Meta:
        model = Activity

    customer = factory.SubFactory(CustomerFactory)
    at = factory.LazyFunction(timezone.now)
    actor_type = Activity.ActorType.INTEGRATION
    field = "mrr"
    old = "900.00"
    new = "1125.00"
    origin = "Stripe"


class MrrPointFactory(factory.django.DjangoModelFactory[MrrPoint]):
    """A point of the MRR history."""

    class Meta:
        model = MrrPoint

    customer = factory.SubFactory(CustomerFactory)
    at = factory.LazyFunction(timezone.now)
    mrr = Decimal("900.00")
    cause = MrrPoint.Cause.FIRST_SYNC


# --- integrations ----------------------------------------------------------------------------------------------

LONG_AGO = datetime.datetime(2026, 1, 15, 12, tzinfo=datetime.UTC)


class StripeConnectionFactory(factory.django.DjangoModelFactory[StripeConnection]):
    """A connected live connection whose first run is over; ``mode`` makes it the test one."""

    class Meta:
        model = StripeConnection
        django_get_or_create = ("mode",)

    mode = Mode.LIVE
    state = ConnectionState.CONNECTED
    account_id = factory.LazyAttribute(lambda connection: f"acct_{connection.mode}")
    permissions = factory.LazyFunction(
        lambda: ["customer_read", "subscription_read", "invoice_read", "payment_intent_read"]
    )
    connected_at = LONG_AGO
    last_full_sync_at = factory.LazyFunction(timezone.now)
    last_look_at = factory.LazyFunction(timezone.now)


class StripeCustomerFactory(factory.django.DjangoModelFactory[StripeCustomer]):
    """A mirrored Stripe customer of the live connection, not matched yet; the columns follow ``email`` as in a walk."""

    class Meta:
        model = StripeCustomer

    connection = factory.SubFactory(StripeConnectionFactory)
    stripe_id = factory.Sequence(lambda n: f"cus_{n:05d}")
    email = factory.Sequence(lambda n: f"billing@stripe{n}.com")
    email_domain = factory.LazyAttribute(lambda row: email_domain(row.email) or "")
    email_address = factory.LazyAttribute(lambda row: email_address(row.email) or "" if row.email_domain else "")
    personal = factory.LazyAttribute(lambda row: is_personal(row.email_domain))
    name = factory.LazyAttribute(lambda row: f"Stripe {row.stripe_id}")
    created = LONG_AGO
    observed_at = LONG_AGO
    data = factory.LazyAttribute(lambda row: {"id": row.stripe_id, "email": row.email, "name": row.name})


def price_data(
    price_id: str, *, amount: int = 10_000, currency: str = "usd", lookup_key: str = "growth_monthly", **fields: Any
) -> dict[str, Any]:
    """A price as a subscription carries it: $100 a month when nothing is said; ``amount`` in minor units."""
    return {
        "id": price_id,
        "currency": currency,
        "product": "prod_growth",
        "recurring": {"interval": "month"},
        "unit_amount": amount,
        "lookup_key": lookup_key or None,
        **fields,
    }


class StripeSubscriptionFactory(factory.django.DjangoModelFactory[StripeSubscription]):
    """A mirrored active subscription of ``owner``, $100 a month for each ``quantity``; its MRR is computed by a sync.

    ``extra`` goes into the object as Stripe would send it, ``price`` into its only price.
    """

    class Meta:
        model = StripeSubscription

    class Params:
        owner = factory.SubFactory(StripeCustomerFactory)
        amount = 10_000
        quantity = 1
        product = "prod_growth"
        lookup_key = "growth_monthly"
        extra: dict[str, Any] = {}
        price: dict[str, Any] = {}

    connection = factory.LazyAttribute(lambda row: row.owner.connection)
    stripe_id = factory.Sequence(lambda n: f"sub_{n:05d}")
    customer_id = factory.LazyAttribute(lambda row: row.owner.stripe_id)
    status = "active"
    live = factory.LazyAttribute(lambda row: is_live(row.status))
    created = LONG_AGO
    start_date = factory.SelfAttribute("created")
    currency = "usd"
    price_ids = factory.LazyAttribute(lambda row: [f"price_{row.product}_{row.amount}_{row.currency}"])
    product_ids = factory.LazyAttribute(lambda row: [row.product])
    lookup_keys = factory.LazyAttribute(lambda row: [row.lookup_key] if row.lookup_key else [])
    observed_at = LONG_AGO
    data = factory.LazyAttribute(
        lambda row: {
            "id": row.stripe_id,
            "customer": row.customer_id,
            "status": row.status,
            "created": int(row.created.timestamp()),
            "start_date": int(row.start_date.timestamp()),
            "currency": row.currency,
            "items": {
                "data": [
                    {
                        "id": f"si_{row.stripe_id}",
                        "quantity": row.quantity,
                        "price": price_data(
                            row.price_ids[0],
                            amount=row.amount,
                            currency=row.currency,
                            lookup_key=row.lookup_key,
                            **({"product": row.product} | row.price),
                        ),
                    }
                ]
            },
            **row.extra,
        }
    )


class StripeInvoiceFactory(factory.django.DjangoModelFactory[StripeInvoice]):
    """A mirrored paid invoice of ``owner``, $100; ``extra`` goes into the object as Stripe would send it."""

    class Meta:
        model = StripeInvoice

    class Params:
        owner = factory.SubFactory(StripeCustomerFactory)
        extra: dict[str, Any] = {}

    connection = factory.LazyAttribute(lambda row: row.owner.connection)
    stripe_id = factory.Sequence(lambda n: f"in_{n:05d}")
    customer_id = factory.LazyAttribute(lambda row: row.owner.stripe_id)
    status = "paid"
    created = LONG_AGO
    number = factory.LazyAttribute(lambda row: row.stripe_id.replace("in_", "INV-"))
    observed_at = LONG_AGO
    data = factory.LazyAttribute(
        lambda row: {
            "id": row.stripe_id,
            "customer": row.customer_id,
            "status": row.status,
            "number": row.number,
            "created": int(row.created.timestamp()),
            "currency": "usd",
            "collection_method": "charge_automatically",
            "total": 10_000,
            "amount_due": 10_000,
            "amount_remaining": 0 if row.status == "paid" else 10_000,
            **row.extra,
        }
    )


class AdminRateFactory(factory.django.DjangoModelFactory[ExchangeRate]):
    """A rate an admin entered, USD for one unit."""

    class Meta:
        model = ExchangeRate

    date = datetime.date(2026, 11, 20)
    currency = "ngn"
    source = RateSource.ADMIN
    usd_per_unit = Decimal("0.001")


def decide(
    kind: DecisionKind,
    effects: dict[StripeCustomer, MemberEffect],
    *,
    on: Iterable[Customer] = (),
    to: Customer | None = None,
) -> MatchDecision:
    """A decision about the Stripe customers in ``effects``, taken on Pivotal customers ``on``; pins go ``to`` one."""
    connection = next(iter(effects)).connection
    decision = MatchDecision.objects.create(
        connection=connection,
        kind=kind,
        reason="Because.",
        stripe_customer_ids=sorted(row.stripe_id for row in effects),
        customer_ids=sorted(customer.pk for customer in on),
    )
    MatchDecisionMember.objects.bulk_create(
        MatchDecisionMember(
            decision=decision,
            stripe_customer_id=row.stripe_id,
            effect=effect,
            customer=to if effect == MemberEffect.PINNED else None,
        )
        for row, effect in effects.items()
    )
    return decision


def undo(decision: MatchDecision) -> MatchDecision:
    """Undo a decision by a new one."""
    return MatchDecision.objects.create(
        connection=decision.connection, kind=DecisionKind.UNDO, reason="A mistake.", undoes=decision
    )

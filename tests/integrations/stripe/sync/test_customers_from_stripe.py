"""**Billing signal only** off: customers made from unmatched company domains (docs/rules.md section 2.9)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from customers.models import Activity, Customer, Environment
from integrations.models import DecisionKind, MemberEffect, Mode, StripeConnection, StripeCustomer
from integrations.stripe.sync import customers_from_stripe
from integrations.stripe.sync.match import Options
from integrations.stripe.sync.scope_sql import Scope
from tests.factories import (
    LONG_AGO,
    CustomerDomainFactory,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
    decide,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory(billing_signal_only=False)


def subscriber(connection: StripeConnection, email: str, *, status: str = "active", **fields: Any) -> StripeCustomer:
    row = StripeCustomerFactory(connection=connection, email=email, **fields)
    StripeSubscriptionFactory(owner=row, status=status)
    return row


def create(connection: StripeConnection) -> int:
    derive_all(connection)
    number = customers_from_stripe.create(connection)
    derive_all(connection)
    return number


def test_one_customer_per_domain_named_after_the_oldest(live: StripeConnection) -> None:
    subscriber(live, "b@acme.com", name="Acme Young", created=LONG_AGO + timedelta(days=1))
    subscriber(live, "a@acme.com", name=" Acme Old ")

    assert create(live) == 1

    made = Customer.objects.get()
    assert (made.name, made.domain, made.created_by_source) == ("Acme Old", "acme.com", "stripe")
    assert (made.environment, made.status, made.mrr) == (Environment.PRODUCTION, "active", Decimal(200))
    assert set(Activity.objects.values_list("event_type", "actor_type", "new")) == {
        ("customer.created", "integration", "Acme Old"),
        ("billing.attached", "integration", made.stripe_customer_id),
    }


def test_without_a_name_the_domain_is_the_name(live: StripeConnection) -> None:
    subscriber(live, "a@acme.com", name="  ")

    create(live)

    assert Customer.objects.get().name == "acme.com"


@pytest.mark.parametrize("email", ["jane@gmail.com", "", "a@ended.com", "a@known.com", "a@ignored.com", "a@pinned.com"])
def test_nobody_is_made_for(live: StripeConnection, email: str) -> None:
    StripeConnection.objects.update(match_personal_emails=True)
    known = CustomerFactory(domain="known.com", name="Known")
    row = subscriber(live, email, status="canceled" if "ended" in email else "active")
    if "ignored" in email:
        decide(DecisionKind.IGNORE, {row: MemberEffect.IGNORED})
    if "pinned" in email:
        archived = CustomerFactory(name="Archived", status="archived")
        decide(DecisionKind.PIN, {row: MemberEffect.PINNED}, to=archived)
        archived.delete()

    assert create(live) == 0
    assert list(Customer.objects.all()) == [known]


def test_with_the_option_on_nobody_is_made(live: StripeConnection) -> None:
    subscriber(live, "a@acme.com")
    StripeConnection.objects.update(billing_signal_only=True)

    assert create(live) == 0


def test_test_mode_makes_staging_customers() -> None:
    test = StripeConnectionFactory(mode=Mode.TEST, billing_signal_only=False)
    subscriber(test, "a@acme.com")

    create(test)

    assert Customer.objects.get().environment == Environment.STAGING


def test_a_second_run_makes_nobody_again(live: StripeConnection) -> None:
    subscriber(live, "a@acme.com")
    create(live)

    assert create(live) == 0


@pytest.mark.parametrize("as_extra", [False, True])
def test_a_run_does_not_bring_back_what_somebody_archived(live: StripeConnection, as_extra: bool) -> None:
    archived = CustomerFactory(name="Acme", domain="other.com" if as_extra else "acme.com", status="archived")
    if as_extra:
        CustomerDomainFactory(customer=archived, domain="acme.com")
    subscriber(live, "a@acme.com")

    assert create(live) == 0
    assert customers_from_stripe.missing(live).number == 0


def test_it_is_said_beforehand_how_many_and_under_which_names(live: StripeConnection) -> None:
    for number in range(12):
        subscriber(live, f"a@company{number}.com", name=f"Company {number:02}")
    subscriber(live, "b@company0.com", name="Younger", created=LONG_AGO + timedelta(days=1))
    subscriber(live, "jane@gmail.com", name="Jane")
    derive_all(live)

    found = customers_from_stripe.missing(live)

    assert (found.number, found.names, found.more) == (12, [f"Company {number:02}" for number in range(10)], 2)
    assert not Customer.objects.exists()
    assert customers_from_stripe.create(live) == 12


def test_beforehand_goes_by_the_scope_that_is_not_saved_yet(live: StripeConnection) -> None:
    subscriber(live, "a@acme.com")
    derive_all(live)
    options = Options(Scope(products=("prod_other",)), match_personal_emails=False)

    assert customers_from_stripe.missing(live).number == 1
    assert customers_from_stripe.missing(live, options).number == 0


def test_a_decision_counts_each_other_e_mail_once(live: StripeConnection) -> None:
    rows = [
        subscriber(live, "a@acme.com", name="Acme"),
        subscriber(live, "b@acme.com", name="Acme Two"),
        subscriber(live, "jane@gmail.com", name=""),
        subscriber(live, "", name="", stripe_id="cus_nameless"),
    ]

    found = customers_from_stripe.would_be_created(live, [row.stripe_id for row in rows])

    assert (found.number, found.names) == (3, ["Acme", "cus_nameless", "jane@gmail.com"])

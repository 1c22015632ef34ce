"""What is at risk within 30 days, from the mirror to the customer (docs/rules.md section 8)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from customers.models import Customer
from customers.totals import risk_totals
from integrations.models import StripeConnection, StripeCustomer
from integrations.stripe.sync import derive, disconnecting
from tests.factories import (
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)
SOON, LATE = NOW + timedelta(days=20), NOW + timedelta(days=50)


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def acme(live: StripeConnection) -> Customer:
    return CustomerFactory(name="Acme", domain="acme.com")


def billed(live: StripeConnection, domain: str = "acme.com") -> StripeCustomer:
    return StripeCustomerFactory(connection=live, email=f"billing@{domain}")


def ending(owner: StripeCustomer, end: datetime, **fields: Any) -> None:
    StripeSubscriptionFactory(owner=owner, extra={"cancel_at": int(end.timestamp())}, **fields)


def risk(customer: Customer) -> tuple[Decimal | None, str, datetime | None]:
    customer.refresh_from_db()
    return customer.mrr_at_risk, customer.at_risk_reason, customer.at_risk_at


def test_what_is_set_to_end_soon_is_at_risk_and_the_rest_is_not(live: StripeConnection, acme: Customer) -> None:
    owner = billed(live)
    ending(owner, SOON)
    StripeSubscriptionFactory(owner=owner, quantity=4)

    derive_all(live)

    assert risk(acme) == (Decimal("100.00"), "ending", SOON)
    assert acme.mrr == Decimal("500.00")


def test_the_end_of_the_period_is_the_end(live: StripeConnection, acme: Customer) -> None:
    ends = {"cancel_at_period_end": True, "current_period_end": int(SOON.timestamp())}
    StripeSubscriptionFactory(owner=billed(live), extra=ends)
    derive_all(live)
    assert risk(acme) == (Decimal("100.00"), "ending", SOON)


def test_a_failing_customer_is_at_risk_as_a_whole_and_counted_once(live: StripeConnection, acme: Customer) -> None:
    owner = billed(live)
    ending(owner, SOON)
    StripeSubscriptionFactory(owner=owner, quantity=4)
    invoice = StripeInvoiceFactory(owner=owner, status="open", extra={"attempt_count": 2})

    derive_all(live)

    assert risk(acme) == (Decimal("500.00"), "failing", invoice.created)


def test_with_nothing_attached_nothing_is_known(live: StripeConnection, acme: Customer) -> None:
    derive_all(live)
    assert risk(acme) == (None, "", None)
    assert risk_totals("production").risk_unknown == 0


def test_the_clock_rolls_up_thirty_days_before_the_end(live: StripeConnection, acme: Customer) -> None:
    ending(billed(live), LATE)
    derive_all(live)
    assert risk(acme) == (Decimal("0.00"), "", None)
    crossing = LATE - timedelta(days=30)
    assert acme.next_change_at == crossing

    derive.clock_ticked(live, now=crossing - timedelta(seconds=1))
    assert risk(acme)[0] == Decimal("0.00")
    derive.clock_ticked(live, now=crossing)

    assert risk(acme) == (Decimal("100.00"), "ending", LATE)
    assert acme.next_change_at is None


def test_cleared_billing_leaves_no_risk(live: StripeConnection, acme: Customer) -> None:
    ending(billed(live), SOON)
    derive_all(live)
    disconnecting.blank_billing([acme.pk])
    assert risk(acme) == (None, "", None)


def test_customers_of_an_earlier_release_are_worked_out_by_the_clock_once(
    live: StripeConnection, acme: Customer
) -> None:
    ending(billed(live), SOON)
    derive_all(live)
    Customer.objects.update(mrr_at_risk=None, at_risk_reason="", at_risk_at=None, next_change_at=None)
    unknown = risk_totals("production")
    assert (unknown.at_risk, unknown.risk_unknown, unknown.risk_at_least) == (0, 1, True)

    derive.clock_ticked(live)

    assert risk(acme) == (Decimal("100.00"), "ending", SOON)
    known = risk_totals("production")
    assert (known.risk_mrr, known.at_risk, known.risk_unknown) == (Decimal("100.00"), 1, 0)
    with database.cursor() as cursor:
        cursor.execute("SELECT xmin::text FROM customers_customer WHERE id = %s", [acme.pk])
        before = cursor.fetchone()
        derive.clock_ticked(live)
        cursor.execute("SELECT xmin::text FROM customers_customer WHERE id = %s", [acme.pk])
        assert cursor.fetchone() == before


def test_the_minute_finds_who_is_due_and_who_is_unknown_by_index(live: StripeConnection, acme: Customer) -> None:
    with database.cursor() as cursor:
        # So few rows are quicker found in other ways: none of them is left.
        cursor.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_nestloop = off"
        )
    due = derive.due_of(live, now=NOW).explain()
    assert "customer_next_change" in due
    assert "customer_risk_unknown" in due


def test_staging_is_never_mixed_in(live: StripeConnection, acme: Customer) -> None:
    CustomerFactory(domain="acme.com", environment="staging")
    testing = StripeConnectionFactory(mode="test")
    ending(billed(testing), SOON, quantity=7)
    ending(billed(live), SOON)
    derive_all(live)
    derive_all(testing)
    assert risk_totals("production").risk_mrr == Decimal("100.00")
    assert risk_totals("staging").risk_mrr == Decimal("700.00")


def test_a_figure_that_is_incomplete_is_at_least(live: StripeConnection, acme: Customer) -> None:
    ending(billed(live), SOON, currency="ngn")
    derive_all(live)
    assert risk(acme) == (Decimal("0.00"), "ending", SOON)
    totals = risk_totals("production")
    assert (totals.at_risk, totals.risk_at_least) == (1, True)

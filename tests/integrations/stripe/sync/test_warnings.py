"""What the figures leave out is one open warning per subject (docs/architecture.md section 4 "Tables")."""

from __future__ import annotations

import pytest

from customers.models import BillingFlag
from integrations.models import IssueState, RunKind, ScopeFilter, Severity, StripeConnection, SyncIssue, SyncRun
from integrations.stripe.sync import issues
from tests.factories import (
    AdminRateFactory,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def warnings() -> list[tuple[str, str, str]]:
    found = SyncIssue.objects.filter(state=IssueState.OPEN, severity=Severity.WARNING).order_by("code", "object_id")
    return list(found.values_list("code", "object_id", "detail"))


def test_many_subscriptions_without_a_rate_are_one_warning(live: StripeConnection) -> None:
    for _each in range(2):
        StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=live), currency="ngn")

    derive_all(live)

    assert warnings() == [("no_exchange_rate", "ngn", "2 records are affected")]


def test_an_unknown_status_is_one_warning_and_counts_nothing(live: StripeConnection) -> None:
    owner = StripeCustomerFactory(connection=live)
    StripeSubscriptionFactory(owner=owner, stripe_id="sub_x", status="hibernating")

    derive_all(live)

    assert warnings() == [("unknown_value", "sub_x", "1 record is affected")]
    owner.refresh_from_db()
    assert owner.standing == "live"


def test_an_unknown_invoice_status_is_one_warning(live: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    owner = StripeCustomerFactory(connection=live, email="a@acme.com")
    StripeSubscriptionFactory(owner=owner)
    StripeInvoiceFactory(owner=owner, stripe_id="in_x", status="dreaming")

    derive_all(live)

    assert [each[:2] for each in warnings()] == [("unknown_value", "in_x")]


def test_a_warning_resolves_when_its_cause_is_gone(live: StripeConnection) -> None:
    customer = CustomerFactory(domain="acme.com")
    StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=live, email="a@acme.com"), currency="ngn")
    derive_all(live)
    customer.refresh_from_db()
    assert customer.billing_flags == [BillingFlag.INCOMPLETE]
    AdminRateFactory()

    derive_all(live)

    customer.refresh_from_db()
    assert (warnings(), customer.billing_flags) == ([], [])
    assert SyncIssue.objects.get().state == IssueState.RESOLVED


def test_what_is_outside_the_scope_raises_no_warning(live: StripeConnection) -> None:
    StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=live), currency="ngn", lookup_key="addon")
    ScopeFilter.objects.create(connection=live, kind="lookup_key", value="growth")

    derive_all(live)

    assert warnings() == []


def test_a_run_puts_its_name_to_the_warnings_it_meets(live: StripeConnection) -> None:
    StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=live), currency="ngn")
    derive_all(live)
    run = SyncRun.objects.create(connection=live, kind=RunKind.FULL)

    issues.sync_warnings(live, run)
    issues.sync_warnings(live)

    assert SyncIssue.objects.get().run == run


def test_an_error_about_the_same_object_is_left_alone(live: StripeConnection) -> None:
    StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=live), stripe_id="sub_x", status="hibernating")
    SyncIssue.objects.create(
        connection=live, code="unknown_value", severity=Severity.ERROR, object_type="subscription", object_id="sub_x"
    )

    derive_all(live)

    assert list(SyncIssue.objects.values_list("severity", "state")) == [("error", "open")]

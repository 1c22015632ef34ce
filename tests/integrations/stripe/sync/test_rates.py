"""Exchange rates: which set is used, and that a new rate reaches the figures (docs/rules.md section 4.11)."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django_q.models import OrmQ

from customers.models import Activity, Customer, MrrPoint
from integrations.models import (
    ConnectionState,
    ExchangeRate,
    IssueState,
    Mode,
    RateSource,
    StripeConnection,
    StripeSubscription,
    SyncIssue,
)
from integrations.stripe.rules.money import cross_rate
from integrations.stripe.sync import rates
from tests.factories import (
    AdminRateFactory,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)
from tests.integrations.stripe.sync.derived import derive_all
from tests.queued import work_off

pytestmark = pytest.mark.django_db

OLD, NEW = datetime.date(2026, 10, 29), datetime.date(2026, 10, 30)


def ecb(day: datetime.date, **units: str) -> None:
    for currency, value in units.items():
        ExchangeRate.objects.create(source=RateSource.ECB, date=day, currency=currency, units_per_euro=Decimal(value))


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def billed(live: StripeConnection, currency: str, **fields: Any) -> Customer:
    """A customer with one subscription of 100 units of a currency."""
    customer = CustomerFactory(**fields)
    owner = StripeCustomerFactory(connection=live, email=f"a@{customer.domain}")
    StripeSubscriptionFactory(owner=owner, currency=currency)
    return customer


def mrr(customer: Customer) -> Decimal:
    customer.refresh_from_db()
    return customer.mrr


# --- the set -----------------------------------------------------------------------------------------------------


def test_a_rate_is_crossed_over_the_euro_and_not_rounded() -> None:
    ecb(NEW, usd="1.1", gbp="0.87")

    found = rates.load()

    gbp, eur = found.get("gbp"), found.get("eur")
    assert gbp is not None
    assert eur is not None
    assert (gbp.usd_per_unit, gbp.date) == (cross_rate(Decimal("1.1"), Decimal("0.87")), NEW)
    assert eur.usd_per_unit == Decimal("1.1")


def test_a_currency_missing_from_the_newest_row_has_no_rate() -> None:
    ecb(OLD, usd="1.1", rub="90")
    ecb(NEW, usd="1.2")

    assert rates.load().get("rub") is None


def test_an_admins_rate_wins_and_its_newest_counts() -> None:
    ecb(NEW, usd="1.1", gbp="0.87")
    AdminRateFactory(currency="gbp", date=OLD, usd_per_unit=Decimal("1.30"))
    AdminRateFactory(currency="gbp", date=OLD - datetime.timedelta(days=9), usd_per_unit=Decimal("9.99"))

    gbp = rates.load().get("gbp")

    assert gbp is not None
    assert (gbp.usd_per_unit, gbp.source) == (Decimal("1.30"), "admin")


def test_a_run_keeps_one_set_of_rates_until_it_ends() -> None:
    checkpoint: dict[str, Any] = {}
    first = rates.frozen(checkpoint)
    AdminRateFactory()

    assert rates.frozen(checkpoint) == first
    assert rates.load() != first


# --- a new rate --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.TEST])
def test_entering_a_rate_reaches_the_figures_by_the_worker(mode: Mode, django_capture_on_commit_callbacks: Any) -> None:
    connection = StripeConnectionFactory(mode=mode)
    customer = billed(connection, "ngn", environment=connection.environment)
    unattached = StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=connection), currency="ngn")
    derive_all(connection)
    assert (mrr(customer), open_warnings()) == (Decimal(0), ["ngn"])

    with django_capture_on_commit_callbacks(execute=True):
        rate = AdminRateFactory(usd_per_unit=Decimal("0.5"))
    assert mrr(customer) == Decimal(0)
    assert work_off() == ["continue_conversion"]
    unattached.refresh_from_db()
    assert (mrr(customer), unattached.mrr, open_warnings()) == (Decimal(50), Decimal(50), [])

    with django_capture_on_commit_callbacks(execute=True):
        rate.delete()
    assert work_off() == ["continue_conversion"]
    assert (mrr(customer), open_warnings()) == (Decimal(0), ["ngn"])


def open_warnings() -> list[str]:
    found = SyncIssue.objects.filter(code="no_exchange_rate", state=IssueState.OPEN)
    return list(found.values_list("object_id", flat=True))


def test_a_change_by_the_rate_alone_is_in_the_history_and_no_activity(
    live: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    rate = AdminRateFactory(usd_per_unit=Decimal("0.5"))
    customer = billed(live, "ngn")
    derive_all(live)
    entries = Activity.objects.count()

    rate.usd_per_unit = Decimal("0.25")
    with django_capture_on_commit_callbacks(execute=True):
        rate.save()
    work_off()

    assert list(MrrPoint.objects.filter(customer=customer).order_by("id").values_list("cause", "mrr")) == [
        ("first_sync", Decimal(50)),
        ("exchange_rate", Decimal(25)),
    ]
    assert Activity.objects.count() == entries


def test_what_a_rate_alone_makes_primary_is_no_activity_either(
    live: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    rate = AdminRateFactory(usd_per_unit=Decimal("0.5"))
    customer = CustomerFactory(domain="acme.com")
    for number, currency in enumerate(("ngn", "usd")):
        owner = StripeCustomerFactory(connection=live, email="a@acme.com", stripe_id=f"cus_{number}")
        StripeSubscriptionFactory(owner=owner, currency=currency, lookup_key=currency)
    derive_all(live)
    entries = Activity.objects.count()

    rate.usd_per_unit = Decimal(2)
    with django_capture_on_commit_callbacks(execute=True):
        rate.save()
    work_off()

    customer.refresh_from_db()
    assert (customer.plan, customer.stripe_customer_id, customer.mrr) == ("ngn", "cus_0", Decimal(300))
    assert Activity.objects.count() == entries


def test_a_rate_touches_only_what_is_billed_in_its_currency(
    live: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    customer = billed(live, "kes")
    derive_all(live)
    StripeSubscription.objects.update(mrr=Decimal(77))

    with django_capture_on_commit_callbacks(execute=True):
        AdminRateFactory(currency="ngn")
    work_off()

    assert StripeSubscription.objects.get().mrr == Decimal(77)
    assert mrr(customer) == Decimal(0)


def test_a_disconnected_connection_keeps_its_figures(
    live: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    customer = billed(live, "ngn")
    derive_all(live)
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)

    with django_capture_on_commit_callbacks(execute=True):
        AdminRateFactory()
    work_off()

    assert mrr(customer) == Decimal(0)


def test_a_newer_packaged_set_is_followed_by_the_worker(
    live: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    ecb(datetime.date(1999, 1, 4), usd="4", gbp="2")
    customer = billed(live, "gbp")
    derive_all(live)
    assert mrr(customer) == Decimal(200)

    with django_capture_on_commit_callbacks(execute=True):
        assert rates.seed()
    assert work_off() == ["continue_conversion"]

    today = rates.load().get("gbp")
    assert today is not None
    assert mrr(customer) == round(100 * today.usd_per_unit, 2)


def test_the_first_packaged_set_queues_nothing(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert rates.seed()
        assert not rates.seed()

    assert not OrmQ.objects.exists()

"""Everybody is worked in chunks: memory stays the same however many there are, and a killed worker loses one chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone
from django_q.models import OrmQ

from customers.models import Customer, MrrPoint, PersonalDomain
from integrations.models import (
    ConnectionState,
    ExchangeRate,
    RateConversion,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
)
from integrations.stripe.sync import chunked, converting, derive, housekeeping, match
from integrations.stripe.sync.rollup import Rollup
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

CHUNK = 3


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> StripeConnection:
    """Thirteen customers and seven Stripe customers of nobody, $50 a month each as the naira stands."""
    monkeypatch.setattr(chunked, "CHUNK", CHUNK)
    connection = StripeConnectionFactory()
    AdminRateFactory(usd_per_unit=Decimal("0.5"))
    for number in range(13):
        CustomerFactory(domain=f"company{number}.com")
    for number in range(20):
        billed(connection, f"company{number}.com", number)
    derive_all(connection)
    OrmQ.objects.all().delete()
    RateConversion.objects.all().delete()
    return connection


def billed(connection: StripeConnection, domain: str, number: int) -> None:
    owner = StripeCustomerFactory(connection=connection, email=f"a@{domain}", stripe_id=f"cus_{number:03}")
    StripeSubscriptionFactory(owner=owner, currency="ngn")


def figures() -> list[tuple[Any, ...]]:
    customers = Customer.objects.order_by("pk").values_list("pk", "mrr", "plan", "billing_source", "billing_flags")
    subscriptions = StripeSubscription.objects.order_by("stripe_id").values_list("stripe_id", "mrr")
    points = MrrPoint.objects.order_by("customer", "pk").values_list("customer", "mrr", "cause")
    return [*customers, *subscriptions, *points]


# --- memory ------------------------------------------------------------------------------------------------------


@contextmanager
def answers() -> Iterator[list[int]]:
    """How many rows each statement inside answers with."""
    sizes: list[int] = []

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if context["cursor"].description is not None:
            sizes.append(context["cursor"].rowcount)
        return result

    with database.execute_wrapper(watch):
        yield sizes


def scope_changes(live: StripeConnection) -> None:
    StripeCustomer.objects.update(match_state="", match_reason="", customer=None)
    derive.rematch_all(live)


def a_domain_becomes_personal(live: StripeConnection) -> None:
    PersonalDomain.objects.create(domain="company1.com")
    match.rematch_all(live)


def time_passes(live: StripeConnection) -> None:
    Customer.objects.update(next_change_at=timezone.now())
    StripeSubscription.objects.update(next_change_at=timezone.now())
    derive.clock_ticked(live, now=datetime.now(UTC) + timedelta(minutes=1))


def a_rate_is_new(live: StripeConnection) -> None:
    finish(new_rate())


@pytest.mark.parametrize("happens", [scope_changes, a_domain_becomes_personal, time_passes, a_rate_is_new])
def test_no_statement_answers_with_everybody(
    live: StripeConnection, happens: Callable[[StripeConnection], None]
) -> None:
    with answers() as sizes:
        happens(live)

    assert 0 < max(sizes) <= CHUNK


# --- a conversion that is cut off ----------------------------------------------------------------------------------


def new_rate() -> RateConversion:
    """The naira is worth half; what is asked for."""
    AdminRateFactory(usd_per_unit=Decimal("0.25"), date=timezone.localdate())
    return RateConversion.objects.get()


def finish(conversion: RateConversion) -> None:
    while converting.convert_chunk(conversion.pk):
        pass


def converted(mrr: str) -> int:
    return StripeSubscription.objects.filter(mrr=Decimal(mrr)).count()


def test_a_killed_worker_loses_one_chunk_and_the_watchdog_goes_on(
    live: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversion = new_rate()
    rolled_up, roll_up = [], Rollup.roll_up

    def killed(self: Rollup, *args: Any, **fields: Any) -> Any:
        rolled_up.append(self)
        if len(rolled_up) == 3:
            raise SystemExit
        return roll_up(self, *args, **fields)

    with monkeypatch.context() as patched:
        patched.setattr(Rollup, "roll_up", killed)
        with pytest.raises(SystemExit):
            converting.continue_conversion(conversion.pk)
    assert (converted("25"), converted("50")) == (2 * CHUNK, 20 - 2 * CHUNK)
    OrmQ.objects.all().delete()

    housekeeping.watchdog()
    assert work_off() == ["continue_conversion"]

    assert not RateConversion.objects.exists()
    assert (converted("25"), Customer.objects.filter(mrr=25).count()) == (20, 13)
    assert MrrPoint.objects.filter(cause="exchange_rate").count() == 13, "each header moved once"
    before = figures()
    derive_all(live)
    assert figures() == before


def test_a_customer_whose_stripe_customers_lie_in_two_chunks_moves_once(live: StripeConnection) -> None:
    billed(live, "company0.com", 999)
    derive_all(live)
    conversion = new_rate()

    assert converting.convert_chunk(conversion.pk)

    assert Customer.objects.get(domain="company0.com").mrr == Decimal(50)
    finish(conversion)
    assert list(
        MrrPoint.objects.filter(customer__domain="company0.com", cause="exchange_rate").values_list("mrr", flat=True)
    ) == [Decimal(50)]


def test_a_slice_that_is_over_queues_the_next(live: StripeConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting, "SLICE_SECONDS", 0)
    conversion = new_rate()
    OrmQ.objects.all().delete()

    assert converting.continue_conversion(conversion.pk)

    conversion.refresh_from_db()
    assert (conversion.reached, converted("25")) == ("cus_002", CHUNK)
    while OrmQ.objects.exists():
        assert work_off() == ["continue_conversion"]
    assert (converted("25"), converting.unattended()) == (20, [])


def test_a_rate_that_changes_again_half_way_is_the_one_that_counts(live: StripeConnection) -> None:
    first = new_rate()
    converting.convert_chunk(first.pk)
    ExchangeRate.objects.get(usd_per_unit=Decimal("0.25")).delete()

    for conversion in RateConversion.objects.all():
        finish(conversion)

    assert (converted("50"), Customer.objects.filter(mrr=50).count()) == (20, 13)


def test_a_conversion_waits_while_its_connection_is_disconnected(live: StripeConnection) -> None:
    conversion = new_rate()
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)

    assert not converting.convert_chunk(conversion.pk)
    assert (converting.unattended(), converted("50")) == ([], 20)

    StripeConnection.objects.update(state=ConnectionState.CONNECTED)
    assert converting.unattended() == [conversion.pk]

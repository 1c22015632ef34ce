"""The sums over all customers are those of the customers, whoever wrote what and when."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection as database

from customers import search, selectors, tallies, totals
from customers.models import AtRisk, BillingFlag, Customer, CustomerTally, Environment, PaymentStatus, Status
from tests.factories import CustomerDomainFactory, CustomerFactory

FILTERS: list[dict[str, Any]] = [
    {},
    *({"status": status} for status in ("at_risk", "churned", "with_churned", "archived", "all")),
    *({"pay": pay, "status": "all"} for pay in (*PaymentStatus.values, "late")),
    {"risk": True},
    {"incomplete": True},
    {"incomplete": True, "risk": True, "pay": "failing"},
]


def simply(found: list[Customer]) -> totals.Totals:
    """Added up in the plainest way."""

    def paying(*statuses: str) -> list[Customer]:
        return [customer for customer in found if customer.payment_status in statuses]

    at_risk = [customer for customer in found if customer.at_risk_reason]
    return totals.Totals(
        customers=len(found),
        mrr=sum((customer.mrr for customer in found), Decimal(0)),
        late_mrr=sum((customer.mrr for customer in paying("past_due", "failing")), Decimal(0)),
        paid=len(paying("paid")),
        past_due=len(paying("past_due")),
        failing=len(paying("failing")),
        without=len(paying("none")),
        incomplete=sum("incomplete" in customer.billing_flags for customer in found),
        risk_mrr=sum((customer.mrr_at_risk or Decimal(0) for customer in at_risk), Decimal(0)),
        at_risk=len(at_risk),
        risk_incomplete=sum("incomplete" in customer.billing_flags for customer in at_risk),
        risk_unknown=sum(bool(customer.billing_source) and customer.mrr_at_risk is None for customer in found),
    )


def assert_right() -> None:
    for environment in Environment.values:
        for chosen in FILTERS:
            found = selectors.filtered(Customer.objects.all(), environment, chosen)
            right = simply(list(found))
            assert totals.of_list([found], environment, chosen) == right, chosen
            assert totals.totals([found]) == right, chosen
        listed = list(selectors.filtered(Customer.objects.all(), environment, {}))
        concerned = [
            each for each in listed if each.at_risk_reason or (each.billing_source and each.mrr_at_risk is None)
        ]
        assert totals.risk_totals(environment) == simply(concerned)


def some_fields(chance: random.Random) -> dict[str, Any]:
    reason = chance.choice(["", "", *AtRisk.values])
    return {
        "environment": chance.choice(Environment.values),
        "status": chance.choice(Status.values),
        "payment_status": chance.choice(PaymentStatus.values),
        "billing_source": chance.choice(["", "stripe"]),
        "billing_flags": chance.sample(BillingFlag.values, chance.randint(0, 2)),
        "mrr": Decimal(chance.randint(0, 99_999_999)) / 100,
        "at_risk_reason": reason,
        "mrr_at_risk": chance.choice([None, Decimal(chance.randint(0, 9999)) / 100]),
    }


@pytest.mark.django_db
def test_whatever_is_written_the_sums_are_those_of_the_customers() -> None:
    chance = random.Random(20261128)  # noqa: S311 (a repeatable mess)
    for number in range(150):
        customers = list(Customer.objects.all())
        kind = chance.randrange(6) if len(customers) > 10 else 0
        some = chance.sample(customers, min(len(customers), chance.randint(1, 8)))
        if kind == 0:
            Customer.objects.bulk_create(
                Customer(name=f"Customer {number}", **some_fields(chance)) for _each in range(chance.randint(1, 6))
            )
        elif kind == 1:
            Customer.objects.filter(pk__in=[each.pk for each in some]).update(**some_fields(chance))
        elif kind == 2:
            for customer in some:
                customer.mrr = some_fields(chance)["mrr"]
            Customer.objects.bulk_update(some, ["mrr"])
        elif kind == 3:
            Customer.objects.filter(pk__in=[each.pk for each in some]).delete()
        elif kind == 4:
            tallies.fold()
        else:
            tallies.recount()
        if number % 10 == 0:
            assert_right()
    assert_right()


@pytest.mark.django_db
def test_what_moves_no_figure_adds_no_row() -> None:
    CustomerFactory.create_batch(3)
    before = CustomerTally.objects.count()

    Customer.objects.update(name="Another", plan_label="Growth")

    assert CustomerTally.objects.count() == before


@pytest.mark.django_db
def test_an_emptied_table_has_no_sums() -> None:
    CustomerFactory.create_batch(3)
    with database.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE customers_customer CASCADE")

    assert not CustomerTally.objects.exists()


@pytest.mark.django_db
def test_many_rows_become_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MANY", 5)
    for _each in range(6):
        CustomerFactory(status=Status.ACTIVE)
    assert CustomerTally.objects.count() == 6

    tallies.fold()

    assert CustomerTally.objects.count() == 1
    assert_right()


@pytest.mark.django_db
def test_what_was_written_past_the_triggers_is_right_after_the_next_recount() -> None:
    CustomerFactory.create_batch(2)
    CustomerTally.objects.all().delete()
    assert totals.of_list([Customer.objects.all()], Environment.PRODUCTION, {}).customers == 0

    tallies.recount()

    assert_right()


@contextmanager
def somebody_else() -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own, in a transaction that is taken back at the end."""
    parameters = database.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    connection = psycopg.connect(**{name: parameters[name] for name in names if name in parameters})
    try:
        yield connection
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tidy", [tallies.fold, tallies.recount])
def test_what_others_write_meanwhile_counts_from_their_commit_on(tidy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MANY", 0)
    CustomerFactory.create_batch(2, status=Status.ACTIVE, mrr=Decimal(100))

    def shown() -> tuple[int, Decimal]:
        found = totals.of_list([Customer.objects.all()], Environment.PRODUCTION, {})
        return found.customers, found.mrr

    with somebody_else() as other:
        other.execute("UPDATE customers_customer SET mrr = mrr + 1")
        tidy()
        assert shown() == (2, Decimal(200))
        other.commit()

    assert shown() == (2, Decimal(202))
    assert_right()


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["acme", "a", "acme.com", "labs", "acme labs", "cus_", "@acme.com", "-", "zzyzx"])
def test_a_search_that_finds_many_adds_up_whom_it_lists(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "FEW", 3)
    for number in range(6):
        CustomerFactory(name="Acme", domain="acme.com", mrr=number)
        CustomerFactory(name=f"Labs of Acme {number}", domain="", mrr=number, billed=True)
        CustomerFactory(name=f"Anna {number} Labs", mrr=number, billed=True)
        CustomerDomainFactory(customer=CustomerFactory(name=f"Other {number}", mrr=7), domain=f"acme.com{number}.org")

    found, parts = selectors.searched(Customer.objects.all(), Environment.PRODUCTION, {"q": text})

    assert totals.totals(parts) == simply(list(found))
    assert found.count() == len(set(found))

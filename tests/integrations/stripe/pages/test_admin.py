"""Django admin of the integrations' tables: read-only, but for the rates an admin enters."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import AmbiguousGroup, ExchangeRate, MatchDecision, RateSource
from tests.factories import AdminFactory, CustomerFactory, OwnerFactory, StaffFactory
from tests.integrations.stripe.pages.factories import (
    ApiCallFactory,
    BillingSummaryFactory,
    ConnectionFactory,
    IssueFactory,
    RunFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
)
from tests.queued import work_off

pytestmark = pytest.mark.django_db
OURS = [model for model in admin.site._registry if model._meta.app_label == "integrations"]
READ_ONLY = [model for model in OURS if model not in (ExchangeRate, AmbiguousGroup)]  # the latter has its own tests


def rows() -> None:
    """A row of every table."""
    connection = ConnectionFactory()
    customer = CustomerFactory(billed=True)
    stripe = StripeCustomerFactory(connection=connection, customer=customer)
    StripeSubscriptionFactory(connection=connection, customer_id=stripe.stripe_id)
    StripeInvoiceFactory(connection=connection, customer_id=stripe.stripe_id)
    BillingSummaryFactory(connection=connection, customer=customer)
    IssueFactory(connection=connection, run=RunFactory(connection=connection))
    ApiCallFactory(connection=connection)
    MatchDecision.objects.create(connection=connection, kind="keep_merged", reason="One contract")


@pytest.mark.parametrize("model", READ_ONLY)
def test_the_owner_sees_every_table_and_changes_none(client: Client, model: Any) -> None:
    client.force_login(OwnerFactory())
    rows()
    name = f"admin:integrations_{model._meta.model_name}"
    assert client.get(reverse(f"{name}_changelist"), {"q": "cus"}).status_code == 200
    row = model.objects.first()
    if row:
        change = reverse(f"{name}_change", args=[row.pk])
        assert client.get(change).status_code == 200
        assert client.post(change, {}).status_code == 403
        assert client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse(f"{name}_add")).status_code == 403


def test_no_page_of_the_admin_shows_a_secret(client: Client) -> None:
    client.force_login(OwnerFactory())
    connection = ConnectionFactory(access_token="rk_live_verysecret", webhook_secret="whsec_verysecret")
    page = client.get(reverse("admin:integrations_stripeconnection_change", args=[connection.pk])).content.decode()
    assert "verysecret" not in page


def add_rate(client: Client, **data: str) -> Any:
    form = {"currency": "NGN", "date": "2026-11-20", "usd_per_unit": "0.00065", **data}
    return client.post(reverse("admin:integrations_exchangerate_add"), form)


def test_an_admin_enters_a_rate_in_whatever_case(client: Client) -> None:
    person = AdminFactory()
    client.force_login(person)
    add_rate(client)
    rate = ExchangeRate.objects.get()
    assert (rate.currency, rate.source, rate.usd_per_unit) == ("ngn", RateSource.ADMIN, Decimal("0.00065"))
    assert rate.entered_by == person


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"currency": "N1"}, "three letters"),
        ({"currency": "USD"}, "US dollars need no rate"),
        ({"usd_per_unit": "0"}, "Enter how many US dollars"),
        ({"usd_per_unit": ""}, "Enter how many US dollars"),
        ({"usd_per_unit": "-1"}, "greater than or equal to 0"),
        ({"date": "2999-01-01"}, "This day has not come yet"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(client: Client, data: dict[str, str], says: str) -> None:
    client.force_login(AdminFactory())
    assert says in add_rate(client, **data).content.decode()
    assert not ExchangeRate.objects.exists()


def test_a_rate_says_what_follows_and_waits_for_nobody(client: Client, django_capture_on_commit_callbacks: Any) -> None:
    client.force_login(AdminFactory())
    ConnectionFactory()
    with django_capture_on_commit_callbacks(execute=True):
        add_rate(client)
    said = client.get(reverse("admin:integrations_exchangerate_changelist")).content.decode()
    assert "What is billed in NGN is being converted again" in said
    assert "1 NGN = 0.00065 USD" in said

    with django_capture_on_commit_callbacks(execute=True):
        client.post(
            reverse("admin:integrations_exchangerate_delete", args=[ExchangeRate.objects.get().pk]), {"post": "yes"}
        )
    assert "What is billed in NGN is being converted again" in client.get(reverse("admin:index")).content.decode()
    assert work_off() == ["continue_conversion", "continue_conversion"]


@pytest.mark.parametrize(("entered", "is_taken"), [("0.75", False), ("1.3", True), ("3.1", False)])
def test_a_rate_turned_over_is_asked_about_where_the_ecb_knows_better(
    client: Client, entered: str, is_taken: bool
) -> None:
    client.force_login(AdminFactory())
    for currency, units in (("usd", "1.2"), ("gbp", "0.8")):
        ExchangeRate.objects.create(
            date=timezone.localdate(), currency=currency, source=RateSource.ECB, units_per_euro=Decimal(units)
        )
    said = add_rate(client, currency="GBP", usd_per_unit=entered)
    assert ExchangeRate.objects.filter(source=RateSource.ADMIN).exists() == is_taken
    if not is_taken:
        assert "The ECB says 1 GBP is 1.5 US dollars" in said.content.decode()


@pytest.mark.parametrize(("with_an_ecb_rate", "left"), [(False, 0), (True, 2)])
def test_many_are_deleted_unless_one_is_the_ecbs(client: Client, with_an_ecb_rate: bool, left: int) -> None:
    client.force_login(OwnerFactory())
    add_rate(client)
    if with_an_ecb_rate:
        ExchangeRate.objects.create(
            date=timezone.localdate(), currency="gbp", source=RateSource.ECB, units_per_euro=Decimal("0.8")
        )
    chosen = list(ExchangeRate.objects.values_list("pk", flat=True))
    client.post(
        reverse("admin:integrations_exchangerate_changelist"),
        {"action": "delete_selected", "_selected_action": chosen, "post": "yes"},
    )
    assert ExchangeRate.objects.count() == left


def test_a_second_rate_of_the_same_day_is_refused(client: Client) -> None:
    client.force_login(AdminFactory())
    add_rate(client)
    assert "a rate of this day for this currency already" in add_rate(client).content.decode()


def test_a_rate_of_the_ecb_is_not_edited(client: Client) -> None:
    client.force_login(OwnerFactory())
    rate = ExchangeRate.objects.create(
        date=timezone.localdate(), currency="eur", source=RateSource.ECB, units_per_euro=Decimal(1)
    )
    assert client.post(reverse("admin:integrations_exchangerate_change", args=[rate.pk]), {}).status_code == 403
    assert client.post(reverse("admin:integrations_exchangerate_delete", args=[rate.pk])).status_code == 403


def test_staff_see_the_rates_and_change_none(client: Client) -> None:
    client.force_login(StaffFactory())
    assert client.get(reverse("admin:integrations_exchangerate_changelist")).status_code == 200
    assert add_rate(client).status_code == 403

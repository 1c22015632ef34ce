"""What is held about a customer comes out whole, and goes without a trace."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db.models import ForeignKey

from customers.models import Customer
from integrations.models import AuditEntry, StripeConnection, StripeCustomer, StripeInvoicePayment, StripePaymentIntent
from tests.security.walking import workspace

pytestmark = pytest.mark.django_db


def mentions(text: str) -> dict[str, int]:
    """In which tables a text stands anywhere, and in how many rows."""
    found = {}
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}" AS row WHERE strpos(row::text, %s) > 0', [text])  # noqa: S608
            (count,) = cursor.fetchone()
            if count:
                found[table] = count
    return found


@pytest.fixture
def customer() -> Customer:
    """A customer with rows everywhere, among others."""
    known = workspace()
    customer = Customer.objects.get(pk=known["customer_id"])
    Customer.objects.filter(pk=customer.pk).update(name="Ada Lovelace Ltd", domain="lovelace.example")
    first = customer.stripe_customers.first()
    assert first is not None
    live = StripeConnection.objects.get(mode="live")
    invoice = live.pk and apps.get_model("integrations", "StripeInvoice").objects.get(customer_id=first.stripe_id)
    payment = {"id": "inpay_ada", "status": "open", "payment": {"payment_intent": "pi_ada"}}
    now = first.observed_at
    StripeInvoicePayment.objects.create(
        connection=live, stripe_id="inpay_ada", invoice_id=invoice.stripe_id, data=payment, observed_at=now
    )
    StripePaymentIntent.objects.create(
        connection=live, stripe_id="pi_ada", status="processing", data={"id": "pi_ada"}, observed_at=now
    )
    live.calls.create(at=now, method="GET", path=f"/v1/customers/{first.stripe_id}", status=200, duration_ms=1)
    live.runs.update(checkpoint={"cursors": {"x": first.stripe_id}})
    live.issues.create(code="x", severity="error", object_type="invoice", object_id=invoice.stripe_id)
    customer.refresh_from_db()
    return customer


def test_the_export_holds_every_row(customer: Customer, capsys: Any) -> None:
    call_command("privacy", "export", str(customer.pk))
    answer = json.loads(capsys.readouterr().out)
    assert answer["customer"]["name"] == "Ada Lovelace Ltd"
    live = answer["stripe"]["live"]
    assert {len(live[name]) for name in ("stripe_customers", "subscriptions", "invoices")} == {2}
    assert [row["stripe_id"] for row in live["payment_intents"]] == ["pi_ada"]
    assert len(answer["history"]) == len(answer["mrr_history"]) == 1
    assert len(live["issues"]) == 1
    assert AuditEntry.objects.get(action="export").subject == f"everything about customer {customer.pk}"


def test_forgetting_leaves_no_trace_anywhere(customer: Customer, capsys: Any) -> None:
    stripe = list(customer.stripe_customers.all())
    traces = [each for row in stripe for each in (row.stripe_id, row.email, row.name)]
    traces += ["Ada Lovelace", "lovelace.example", "inpay_ada", "pi_ada"]
    assert all(mentions(trace) for trace in traces)
    others = StripeCustomer.objects.exclude(customer=customer).count()
    call_command("privacy", "forget", str(customer.pk), "--yes")
    assert {trace: mentions(trace) for trace in traces if mentions(trace)} == {}
    assert StripeCustomer.objects.count() == others
    assert "comes back with the next sync" in capsys.readouterr().err
    entry = AuditEntry.objects.get(action="customer_forgotten")
    assert entry.subject == f"customer {customer.pk}"
    assert entry.details["subscriptions"] == 2


def test_the_mirror_alone_can_be_forgotten(customer: Customer) -> None:
    call_command("privacy", "forget", str(customer.pk), "--mirror-only", "--yes")
    customer.refresh_from_db()
    assert (customer.name, customer.plan, customer.mrr, customer.stripe_customer_id) == ("Ada Lovelace Ltd", "", 0, "")
    assert not customer.stripe_customers.exists()
    assert not customer.mrr_points.exists()


def test_a_connection_is_forgotten_with_everything_read_through_it(customer: Customer) -> None:
    other = StripeConnection.objects.get(mode="test")
    call_command("privacy", "forget-connection", "--mode", "live", "--yes")
    assert list(StripeConnection.objects.all()) == [other]
    for model in apps.get_app_config("integrations").get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, ForeignKey) and field.related_model is StripeConnection:
                assert not model._default_manager.exclude(connection=other).exists(), model.__name__
    customer.refresh_from_db()
    assert customer.plan == ""


@pytest.mark.parametrize("arguments", [["forget", "{customer}"], ["forget-connection", "--mode", "live"]])
def test_nothing_is_deleted_without_a_yes(customer: Customer, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="Say --yes"):
        call_command("privacy", *[each.format(customer=customer.pk) for each in arguments])
    assert customer.stripe_customers.count() == 2

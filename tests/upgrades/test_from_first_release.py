"""A database of the first release, with data in it, goes to today's and back.

`FIRST_RELEASE` names the last migrations of that release; a later one gets a test of its own beside it when its data
need a look. Data are written with the models as they were then, so that no code of today helps them along.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone

from customers.models import Customer
from integrations.models import AuditEntry, StripeConnection, WorkerHeartbeat
from integrations.stripe.sync import derive
from tests.factories import OwnerFactory

pytestmark = pytest.mark.django_db(transaction=True)
FIRST_RELEASE = [("customers", "0002_groups"), ("integrations", "0001_initial")]
OURS = ("customers", "integrations")
# Migrations that cannot be undone, and why. None so far.
ONE_WAY: dict[tuple[str, str], str] = {}


def migrate(targets: list[tuple[str, str]]) -> None:
    """Take the database there."""
    MigrationExecutor(connection).migrate(targets)


def head() -> list[tuple[str, str]]:
    return [node for node in MigrationExecutor(connection).loader.graph.leaf_nodes() if node[0] in OURS]


@pytest.fixture
def then() -> Iterator[Any]:
    """The models of the first release, on a database that was taken back to it; at the end it is today's again."""
    try:
        migrate(FIRST_RELEASE)
        # What migrate itself returns is not that state when it undoes migrations of two apps.
        yield MigrationExecutor(connection).loader.project_state(FIRST_RELEASE).apps
    finally:
        migrate(head())


def test_its_data_arrive_whole_and_the_product_works_on_them(then: Any) -> None:
    customer = then.get_model("customers", "Customer").objects.create(
        name="Acme", domain="acme.com", environment="production", plan="growth_monthly", mrr="960.00"
    )
    old = then.get_model("integrations", "StripeConnection")
    live = old.objects.create(mode="live", state="connected", account_id="acct_1", access_token="rk_live_1")
    subscription = {
        "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1_700_000_000, "start_date": 1_700_000_000,
        "currency": "usd",
        "items": {"data": [{"id": "si_1", "quantity": 12, "price": {
            "id": "price_1", "currency": "usd", "product": "prod_1", "unit_amount": 8000,
            "recurring": {"interval": "month"},
        }}]},
    }  # fmt: skip
    moment = "2026-11-01T00:00:00Z"
    then.get_model("integrations", "StripeCustomer").objects.create(
        connection=live, stripe_id="cus_1", email="a@acme.com", email_address="a@acme.com", email_domain="acme.com",
        data={"id": "cus_1", "email": "a@acme.com", "metadata": {"kept": "once"}}, observed_at=moment, created=moment,
    )  # fmt: skip
    then.get_model("integrations", "StripeSubscription").objects.create(
        connection=live, stripe_id="sub_1", customer_id="cus_1", status="active", live=True, currency="usd",
        created=moment, start_date=moment, data=subscription, observed_at=moment,
    )  # fmt: skip
    then.get_model("integrations", "WorkerHeartbeat").objects.create(name="worker", at=moment)
    then.get_model("integrations", "SyncRun").objects.create(connection=live, kind="full", state="succeeded")

    migrate(head())

    now = StripeConnection.objects.get()
    assert now.access_token == "rk_live_1"
    assert list(WorkerHeartbeat.objects.values_list("name", flat=True)) == ["worker"]
    StripeConnection.objects.update(last_full_sync_at=moment)
    derive.refreshed(now, {"cus_1"}, as_of=timezone.now())
    browser = Client()
    browser.force_login(OwnerFactory())
    page = browser.get(f"/customers/{customer.pk}", follow=True)
    assert page.status_code == 200
    found = Customer.objects.get(pk=customer.pk)
    assert (found.plan, found.mrr, found.stripe_customer_id) == ("price_1", Decimal(960), "cus_1")
    assert (found.mrr_at_risk, found.at_risk_reason) == (Decimal(0), "")
    assert AuditEntry.objects.filter(action="signed_in").count() == 1


def test_every_migration_can_be_undone_or_says_why() -> None:
    executor = MigrationExecutor(connection)
    for key, migration in executor.loader.graph.nodes.items():
        if key[0] in OURS and key not in ONE_WAY:
            irreversible = [each for each in migration.operations if not each.reversible]
            assert irreversible == [], key


def test_everything_can_be_taken_back_to_nothing_and_built_again() -> None:
    try:
        migrate([("integrations", None), ("customers", None)])  # type: ignore[list-item]
        tables = connection.introspection.table_names()
        assert not [name for name in tables if name.startswith(("customers_", "integrations_"))]
    finally:
        migrate(head())
    assert "integrations_auditentry" in connection.introspection.table_names()


def test_the_first_release_is_the_one_the_changelog_names() -> None:
    assert "## 0.1.0" in (settings.BASE_DIR / "CHANGELOG.md").read_text()

"""Sandboxes for whole syncs, started once per process and set back before each test that uses one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pytest_django.fixtures import Settings

from sandbox.testing import Running, running
from tests.factories import CustomerFactory
from tests.integrations.stripe.sync.random_account import DAY, Account
from tests.integrations.stripe.sync.syncing import crm_rows, import_crm

PAGED = 350
"""Subscriptions of the paged sandbox: four pages of the usual size."""
LONG = 1800
"""Subscriptions of the long one: invoices are read beside so many, and two pages of those are open."""


@pytest.fixture(scope="session")
def demo_bench() -> Iterator[Running]:
    """The sandbox behind `stripe`."""
    with running("demo") as started:
        yield started


@pytest.fixture(scope="session")
def rules_bench() -> Iterator[Running]:
    """The sandbox behind `rules`."""
    with running("rules") as started:
        yield started


@pytest.fixture(scope="session")
def paged_bench() -> Iterator[Running]:
    """The sandbox behind `paged`."""
    with running("bulk", subscriptions=PAGED) as started:
        yield started


@pytest.fixture(scope="session")
def long_bench() -> Iterator[Running]:
    """The sandbox behind `long`."""
    with running("bulk", subscriptions=LONG) as started:
        yield started


@pytest.fixture(scope="session")
def empty_bench() -> Iterator[Running]:
    """The sandbox behind `empty`."""
    with running("empty") as started:
        yield started


@pytest.fixture
def stripe(demo_bench: Running, settings: Settings) -> Iterator[Running]:
    """The demo account, which shows every kind of header; this process calls it."""
    with as_after_a_start(demo_bench, settings) as bench:
        yield bench


@pytest.fixture
def rules(rules_bench: Running, settings: Settings) -> Iterator[Running]:
    """An account with a customer for every rule; this process calls it."""
    with as_after_a_start(rules_bench, settings) as bench:
        yield bench


@pytest.fixture
def paged(paged_bench: Running, settings: Settings) -> Iterator[Running]:
    """An account whose subscriptions take four pages; this process calls it."""
    with as_after_a_start(paged_bench, settings) as bench:
        yield bench


@pytest.fixture
def long(long_bench: Running, settings: Settings) -> Iterator[Running]:
    """An account long enough for invoices to be read beside its subscriptions; this process calls it."""
    with as_after_a_start(long_bench, settings) as bench:
        yield bench


@pytest.fixture
def empty(empty_bench: Running, settings: Settings) -> Iterator[Running]:
    """An account without anything, to be filled; this process calls it."""
    with as_after_a_start(empty_bench, settings) as bench:
        yield bench


@pytest.fixture(params=range(2))
def account(db: None, empty: Running, request: pytest.FixtureRequest) -> Account:
    """Two accounts full of invoices."""
    return Account.filled(empty, seed=request.param)


@pytest.fixture
def one(db: None, empty: Running) -> Account:
    """An account with a single customer and nothing left to chance."""
    account = Account(empty, seed=0)
    CustomerFactory(domain="company0.com")
    created = account.now - 400 * DAY
    empty.put("customers", "cus_0000", {"email": "billing@company0.com", "created": created}, event="none")
    items = [{"price": "price_growth"}]
    value = {"customer": "cus_0000", "currency": "usd", "created": created, "status": "active", "items": items}
    empty.put("subscriptions", "sub_0000", value, event="none")
    return account


@contextmanager
def as_after_a_start(bench: Running, settings: Settings) -> Iterator[Running]:
    """The sandbox as new, and settings that lead to it; whatever the test did, nothing but reads may have arrived."""
    bench.reset()
    settings.DEBUG = True  # plain http to this machine's own token endpoint
    settings.STRIPE_API_BASE = settings.STRIPE_CONNECT_BASE = bench.url
    settings.STRIPE_TIMEOUT_SECONDS = 5.0
    for mode in ("LIVE", "TEST"):
        setattr(settings, f"STRIPE_CLIENT_ID_{mode}", f"ca_sandbox_{mode.lower()}")
        setattr(settings, f"STRIPE_SECRET_KEY_{mode}", f"sk_{mode.lower()}_sandbox")
        setattr(settings, f"STRIPE_AUTHORIZE_URL_{mode}", f"{bench.url}/oauth/v2/authorize")
    yield bench
    assert bench.requests()["non_get_outside_token_endpoints"] == 0


@pytest.fixture(scope="session")
def demo_crm() -> list[dict[str, str]]:
    """The CRM customers of the demo account."""
    return crm_rows("demo")


@pytest.fixture
def crm(db: None, demo_crm: list[dict[str, str]]) -> None:
    """Those customers as ours."""
    import_crm(demo_crm)

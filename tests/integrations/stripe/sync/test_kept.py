"""Figures a page would take too long to add up are kept, and never hide what a person just did."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import KeptFigures, StripeConnection
from integrations.stripe.sync import counts, derive, housekeeping, kept, mrr, scope
from sandbox.testing import Running
from tests.factories import AdminFactory
from tests.integrations.stripe.pages.factories import (
    ConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)
from tests.integrations.stripe.sync.syncing import connect, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> StripeConnection:
    """A connection whose figures are worth keeping however quickly they are added up."""
    monkeypatch.setattr(kept, "WORTH_KEEPING_SECONDS", 0.0)
    return ConnectionFactory()


def shown(connection: StripeConnection, now: int) -> int:
    """What a page shows that would add up ``now``."""
    fresh = StripeConnection.objects.get(pk=connection.pk)
    return kept.kept(fresh, "figure", lambda _connection: now, int)


def test_figures_are_kept_from_the_second_look_on(connection: StripeConnection) -> None:
    assert [shown(connection, number) for number in (1, 2, 3, 4)] == [1, 2, 2, 2]


def test_figures_that_take_no_time_are_added_up_every_time() -> None:
    connection = ConnectionFactory()
    assert [shown(connection, number) for number in (1, 2, 3)] == [1, 2, 3]
    assert not KeptFigures.objects.exists()


def test_what_is_written_all_the_time_is_shown_a_little_later(
    connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(connection, 1), shown(connection, 2)
    with derive.lock(connection):
        pass
    within = shown(connection, 3)
    monkeypatch.setattr(kept, "GRACE", timedelta(0))

    assert (within, shown(connection, 4), shown(connection, 5)) == (2, 4, 4)


def test_what_a_person_did_is_shown_at_once(connection: StripeConnection) -> None:
    shown(connection, 1), shown(connection, 2)
    derive.rematch_all(connection, decided=True)

    assert shown(connection, 3) == 3


def test_figures_taken_while_something_was_written_count_as_old(
    connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "GRACE", timedelta(0))
    shown(connection, 1)

    def slow(connection: StripeConnection) -> int:
        kept.age(connection)  # somebody commits meanwhile
        return 2

    assert kept.kept(StripeConnection.objects.get(pk=connection.pk), "figure", slow, int) == 2
    assert shown(connection, 3) == 3


# --- the worker takes them ----------------------------------------------------------------------------------------


def unasked(_connection: StripeConnection) -> int:
    raise AssertionError("a page added up what the worker had taken")


def test_a_page_finds_what_the_worker_has_taken(connection: StripeConnection) -> None:
    kept.renew(connection, "figure", lambda _connection: 6)
    kept.renew(connection, "figure", lambda _connection: 7)

    assert kept.kept(StripeConnection.objects.get(pk=connection.pk), "figure", unasked, int) == 7


def test_the_worker_takes_nothing_again_that_nobody_moved(connection: StripeConnection) -> None:
    kept.renew(connection, "figure", lambda _connection: 6)
    kept.renew(connection, "figure", lambda _connection: 7)
    kept.renew(connection, "figure", unasked)
    with derive.lock(connection):
        pass
    kept.renew(connection, "figure", lambda _connection: 8)

    assert kept.kept(StripeConnection.objects.get(pk=connection.pk), "figure", unasked, int) == 8


@pytest.mark.parametrize("name", ["integration", "mrr"])
def test_after_two_minutes_no_page_adds_up(
    client: Client, connection: StripeConnection, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    client.force_login(AdminFactory())
    StripeSubscriptionFactory(connection=connection, customer_id=StripeCustomerFactory(connection=connection).stripe_id)
    address = reverse(f"stripe:{name}", args=["live"])
    before = client.get(address).context
    housekeeping.clock()
    housekeeping.clock()
    for module, function in ((counts, "counted"), (mrr, "mirrored"), (scope, "figures")):
        monkeypatch.setattr(module, function, unasked)

    after = client.get(address).context
    assert after["page" if name == "mrr" else "counts"] == before["page" if name == "mrr" else "counts"]


@pytest.mark.parametrize("name", ["integration", "mrr"])
def test_behind_a_run_no_page_adds_up(
    client: Client, stripe: Running, crm: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(kept, "WORTH_KEEPING_SECONDS", 0.0)
    sync(connect(stripe))
    for module, function in ((counts, "counted"), (mrr, "mirrored"), (scope, "figures")):
        monkeypatch.setattr(module, function, unasked)
    client.force_login(AdminFactory())

    assert client.get(reverse(f"stripe:{name}", args=["live"])).status_code == 200


def test_of_a_small_mirror_the_worker_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "WORTH_KEEPING_SECONDS", 3600.0)
    ConnectionFactory()
    housekeeping.clock()
    assert not KeptFigures.objects.exists()


def test_the_figures_of_an_account_that_was_never_read_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "WORTH_KEEPING_SECONDS", 0.0)
    ConnectionFactory(fresh=True)
    housekeeping.clock()
    assert not KeptFigures.objects.exists()

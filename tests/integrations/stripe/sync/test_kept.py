"""Figures a page would take too long to add up are kept, and never hide what a person just did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integrations.models import KeptFigures, StripeConnection
from integrations.stripe.sync import derive, kept
from tests.integrations.stripe.pages.factories import ConnectionFactory

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

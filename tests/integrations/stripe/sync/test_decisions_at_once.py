"""Two people decide on one group at once: one decides, the other sees what changed, nothing is half-applied."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database

from customers.models import Activity, Customer
from integrations.models import MatchDecision, StripeConnection
from integrations.stripe.sync import decisions
from integrations.stripe.sync.scene import ChangedError, Scene, look
from tests.factories import StaffFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import group, header, mrr
from tests.integrations.stripe.sync.derived import derive_all, outcome

pytestmark = pytest.mark.django_db(transaction=True)

Act = Callable[[Scene], object]


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Run the acts in threads with connections of their own, let go at one moment; returns what each came to."""
    barrier = threading.Barrier(len(acts))
    outcomes: list[object] = [None] * len(acts)

    def run(place: int, act: Callable[[], object]) -> None:
        try:
            barrier.wait(10)
            outcomes[place] = act()
        except Exception as error:  # noqa: BLE001 - the test's own thread looks at it
            outcomes[place] = error
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def live_with_group(size: int) -> tuple[StripeConnection, Customer, list[Any]]:
    live = StripeConnectionFactory()
    acme, rows = group(live, size)
    derive_all(live)
    return live, acme, rows


def test_the_second_sees_what_the_first_decided() -> None:
    live, acme, rows = live_with_group(3)
    seen = look(live, customer_ids=[acme.pk])
    people = [StaffFactory(), StaffFactory()]

    outcomes = at_once(
        *(
            lambda row=row, person=person: decisions.winner(
                connection=live,
                customer_id=acme.pk,
                stripe_id=row.stripe_id,
                reason=f"{row.stripe_id} it is",
                actor=person,
                seen=seen,
            )
            for row, person in zip(rows[:2], people, strict=True)
        )
    )

    [refused] = [each for each in outcomes if isinstance(each, ChangedError)]
    decision = MatchDecision.objects.get()
    assert refused.difference.decisions == (decision.pk,)
    assert decision.members.count() == 3
    won = next(row for row in rows if decision.reason.startswith(row.stripe_id))
    assert header(acme)["stripe_customer_id"] == won.stripe_id
    assert [outcome(row)[0] for row in rows].count("matched") == 1
    assert Activity.objects.filter(event_type="match.winner").count() == 1


def test_two_splits_at_once_make_one_customer() -> None:
    live, acme, rows = live_with_group(2)
    seen = look(live, customer_ids=[acme.pk])

    outcomes = at_once(
        *(
            lambda row=row: decisions.split(
                connection=live,
                customer_id=acme.pk,
                stripe_ids=[row.stripe_id],
                name=f"Of {row.stripe_id}",
                domain="",
                reason="Two contracts",
                actor=None,
                seen=seen,
            )
            for row in rows
        )
    )

    assert sum(isinstance(each, ChangedError) for each in outcomes) == 1
    assert Customer.objects.count() == 2
    [new] = Customer.objects.exclude(pk=acme.pk)
    assert mrr(acme) + mrr(new) == 300
    assert MatchDecision.objects.count() == 1


def test_one_decision_is_undone_once_by_two_people() -> None:
    live, acme, _rows = live_with_group(2)
    [kept] = decisions.keep_merged(connection=live, customer_ids=[acme.pk], reason="One", actor=None, seen=None)
    seen = look(live, stripe_ids=kept.decision.stripe_customer_ids)

    outcomes = at_once(
        *(
            lambda: decisions.undo(
                connection=live, decision_id=kept.decision.pk, reason="A mistake", actor=None, seen=seen
            )
            for _person in range(2)
        )
    )

    assert sum(isinstance(each, ChangedError) for each in outcomes) == 1
    assert MatchDecision.objects.filter(kind="undo").count() == 1

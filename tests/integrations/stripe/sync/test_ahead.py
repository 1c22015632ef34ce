"""A first run computes contributions while it walks, and nobody can tell from its figures (docs/architecture.md)."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.models import RunKind, StripeConnection, StripeCustomer, StripeSubscription
from integrations.stripe.sync import ahead, contributions, disconnecting, phases, walking, work
from integrations.stripe.sync.lease import LeaseLostError
from sandbox.testing import Running
from tests.integrations.stripe.sync.conftest import PAGED
from tests.integrations.stripe.sync.syncing import billing, connect, crm_rows, import_crm, mirror, start, sync
from tests.integrations.stripe.sync.test_lease import claimed, end_lease

pytestmark = pytest.mark.django_db

PIECE = 60


@pytest.fixture(autouse=True)
def small_pieces(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account of a few hundred is walked in pieces as one of many thousands is, and has customers of ours."""
    import_crm(crm_rows("bulk", PAGED))
    monkeypatch.setattr(ahead, "AT_ONCE", PIECE)
    monkeypatch.setattr(walking, "PAGES_A_BATCH", 1)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Which subscriptions were computed, and whether anybody was matched by then."""
    seen: list[tuple[str, bool]] = []
    original = contributions.contribution

    def noted(subscription: Any, **rest: Any) -> Any:
        seen.append((subscription.id, StripeCustomer.objects.exclude(match_state="").exists()))
        return original(subscription, **rest)

    monkeypatch.setattr(contributions, "contribution", noted)
    return seen


def again(connection: StripeConnection, paged: Running) -> StripeConnection:
    """The same account connected anew, with an empty mirror."""
    disconnecting.disconnect(connection, actor=None)
    disconnecting.delete_mirror(connection, actor=None)
    return connect(paged)


@pytest.mark.parametrize("slice_seconds", [20, 0])
def test_a_first_run_computes_each_subscription_once_and_most_before_it_matches(
    paged: Running, computed: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch, slice_seconds: int
) -> None:
    monkeypatch.setattr(work, "SLICE_SECONDS", slice_seconds)

    sync(connect(paged))

    assert len(computed) == len({stripe_id for stripe_id, _matched in computed}) == PAGED
    early = [stripe_id for stripe_id, matched in computed if not matched]
    assert len(early) >= PAGED // 2 if slice_seconds else not early


def test_the_figures_are_those_of_a_run_that_computes_at_its_end(
    paged: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(paged)
    sync(connection)
    found, rows = billing(), mirror(connection)

    connection = again(connection, paged)
    monkeypatch.setattr(phases, "is_worth_it", lambda _work: False)
    sync(connection)

    assert (billing(), mirror(connection)) == (found, rows)
    assert any(mrr for _plan, mrr, *_rest in found.values())


def test_what_a_slice_that_lost_the_lease_computes_is_undone(paged: Running) -> None:
    connection = connect(paged)
    sync(connection)
    StripeSubscription.objects.update(computed_from="", plan="as it was")
    run = start(connection)
    slice_of_it = work.Work(claimed(run))
    end_lease(run)
    claimed(run)

    with pytest.raises(LeaseLostError):
        ahead.Ahead(slice_of_it, None).compute()
    slice_of_it.close()
    assert not StripeSubscription.objects.exclude(plan="as it was").exists()


def test_a_preview_computes_while_it_walks_and_a_run_with_history_at_its_end(
    paged: Running, computed: list[tuple[str, bool]]
) -> None:
    connection = connect(paged)
    sync(connection, RunKind.PREVIEW)
    assert not all(matched for _stripe_id, matched in computed)
    sync(connection)
    computed.clear()

    sync(again(connection, paged))

    assert len(computed) == PAGED
    assert all(matched for _stripe_id, matched in computed)

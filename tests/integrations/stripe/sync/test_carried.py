"""A first run stores contributions along with its subscriptions, and nobody can tell from its figures."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.models import RunKind, StripeConnection, StripeCustomer, StripeSubscription
from integrations.stripe.sync import contributions, disconnecting, phases, work
from sandbox.testing import Running
from tests.integrations.stripe.sync.conftest import PAGED
from tests.integrations.stripe.sync.syncing import billing, connect, crm_rows, import_crm, mirror, sync

pytestmark = pytest.mark.django_db

FIGURES = ("stripe_id", "mrr", "receipt", "problems", "plan", "plan_label", "next_change_at", "computed_from")


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


def again(connection: StripeConnection, bench: Running) -> StripeConnection:
    """The same account connected anew, with an empty mirror."""
    disconnecting.disconnect(connection, actor=None)
    disconnecting.delete_mirror(connection, actor=None)
    return connect(bench)


def connected(bench: Running, *, can_expand: bool) -> StripeConnection:
    """A connection to an account whose lists come expanded, or with ids only."""
    connection = connect(bench)
    connection.can_expand = can_expand
    connection.save()
    return connection


def figures(connection: StripeConnection) -> list[tuple[Any, ...]]:
    """What was computed of each subscription, and from what.

    A deleted customer is in no list, so that nothing is asked of its subscriptions.
    """
    customers = StripeCustomer.objects.filter(connection=connection).values("stripe_id")
    rows = StripeSubscription.objects.filter(connection=connection, customer_id__in=customers)
    return list(rows.order_by("stripe_id").values_list(*FIGURES))


@pytest.mark.parametrize("slice_seconds", [20, 0])
def test_a_first_run_computes_each_subscription_once_and_before_it_matches(
    paged: Running, computed: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch, slice_seconds: int
) -> None:
    monkeypatch.setattr(work, "SLICE_SECONDS", slice_seconds)

    sync(connect(paged))

    assert len(computed) == len({stripe_id for stripe_id, _matched in computed}) == PAGED
    assert not any(matched for _stripe_id, matched in computed)


@pytest.mark.parametrize("can_expand", [True, False], ids=["expanded", "ids only"])
@pytest.mark.parametrize("account", ["paged", "stripe", "rules"])
def test_the_figures_are_those_of_a_run_that_computes_at_its_end(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, account: str, can_expand: bool
) -> None:
    """Without expansion customers, and discounts of their own, come behind the subscriptions."""
    bench = request.getfixturevalue(account)
    import_crm(crm_rows("bulk", PAGED) if account == "paged" else crm_rows("demo" if account == "stripe" else account))
    connection = connected(bench, can_expand=can_expand)
    sync(connection)
    found, rows, computed = billing(), mirror(connection), figures(connection)

    again(connection, bench)
    connection = connected(bench, can_expand=can_expand)
    monkeypatch.setattr(phases, "is_worth_it", lambda _work: False)
    sync(connection)

    assert (billing(), mirror(connection), figures(connection)) == (found, rows, computed)
    assert any(mrr for _plan, mrr, *_rest in found.values())


def test_what_the_mirror_has_already_is_computed_by_the_roll_up(paged: Running) -> None:
    import_crm(crm_rows("bulk", PAGED))
    connection = connect(paged)
    sync(connection, RunKind.PREVIEW)
    expected = figures(connection)
    StripeSubscription.objects.update(
        mrr=7, receipt=None, plan="as it was", computed_from="", status="paused", next_change_at=None
    )

    sync(connection)

    assert figures(connection) == expected


def test_a_preview_computes_while_it_walks_and_a_run_with_history_at_its_end(
    paged: Running, computed: list[tuple[str, bool]]
) -> None:
    import_crm(crm_rows("bulk", PAGED))
    connection = connect(paged)
    sync(connection, RunKind.PREVIEW)
    assert not any(matched for _stripe_id, matched in computed)
    sync(connection)
    computed.clear()

    sync(again(connection, paged))

    assert len(computed) == PAGED
    assert all(matched for _stripe_id, matched in computed)

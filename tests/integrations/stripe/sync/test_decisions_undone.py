"""Any sequence of decisions, undone in any order, leaves the headers as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.models import Customer, Status
from integrations.errors import IntegrationError
from integrations.models import DecisionKind, MatchDecision, StripeConnection, StripeCustomer
from integrations.stripe.sync import decisions
from tests.factories import CustomerFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import group, header, subscriber
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db

MATCHED = ("standing", "match_state", "match_reason", "customer_id", "winner", "ambiguous_kind")


def mirror() -> StripeConnection:
    """Two groups, a domain of two customers, one archived customer, and Stripe customers nobody knows."""
    live = StripeConnectionFactory()
    group(live, 2)
    group(live, 3, domain="brightwater.io")
    group(live, 1, domain="twinpeaks.coop")
    CustomerFactory(name="Twin Peaks South", domain="twinpeaks.coop")
    CustomerFactory(name="Old", domain="unknown.com", status=Status.ARCHIVED)
    subscriber("pay@unknown.com", live, quantity=4)
    subscriber("pay@elsewhere.com", live, quantity=5)
    derive_all(live)
    return live


def picture() -> tuple[dict[int, Any], list[Any]]:
    """The headers of the customers that are not archived, and where matching put everybody."""
    customers = Customer.objects.exclude(status=Status.ARCHIVED)
    return (
        {customer.pk: header(customer) for customer in customers},
        list(StripeCustomer.objects.order_by("stripe_id").values_list("stripe_id", *MATCHED)),
    )


Step = tuple[str, int, int]
STEPS = st.tuples(
    st.sampled_from(["keep", "win", "attach", "pin", "restore", "split", "ignore", "create", "undo"]),
    st.integers(0, 20),
    st.integers(0, 20),
)


def take(live: StripeConnection, step: Step) -> None:
    """Decide something about what is there; what is refused is not decided."""
    kind, first, second = step
    customers = list(Customer.objects.order_by("pk"))
    rows = list(StripeCustomer.objects.order_by("stripe_id"))
    customer, row = customers[first % len(customers)], rows[second % len(rows)]
    on_it = [each for each in rows if each.customer_id == customer.pk]
    chosen = on_it[second % len(on_it)] if on_it else row
    somebody: dict[str, Any] = {"connection": live, "reason": "Because.", "actor": None, "seen": None}
    acts: dict[str, Callable[[], object]] = {
        "keep": lambda: decisions.keep_merged(customer_ids=[customer.pk], **somebody),
        "win": lambda: decisions.winner(customer_id=customer.pk, stripe_id=chosen.stripe_id, **somebody),
        "attach": lambda: decisions.attach(
            customer_id=customer.pk, to_id=customers[second % len(customers)].pk, **somebody
        ),
        "pin": lambda: decisions.pin(stripe_ids=[row.stripe_id], customer_id=customer.pk, **somebody),
        "restore": lambda: decisions.pin(stripe_ids=[row.stripe_id], customer_id=customer.pk, restore=True, **somebody),
        "split": lambda: decisions.split(
            customer_id=customer.pk, stripe_ids=[chosen.stripe_id], name="New", domain=row.email_domain, **somebody
        ),
        "ignore": lambda: decisions.ignore(stripe_ids=[row.stripe_id], **somebody),
        "create": lambda: decisions.create_customers(stripe_ids=[row.stripe_id], **somebody),
        "undo": lambda: undo_one(live, second),
    }
    try:
        acts[kind]()
    except (IntegrationError, ValidationError):
        return


def undo_one(live: StripeConnection, which: int) -> None:
    """Undo one of those that are not undone, undos among them."""
    open_ones = list(MatchDecision.objects.filter(undone_by=None).order_by("pk"))
    if open_ones:
        decision = open_ones[which % len(open_ones)]
        decisions.undo(connection=live, decision_id=decision.pk, reason="A mistake.", actor=None, seen=None)


def in_force() -> list[MatchDecision]:
    """The ends of the chains whose first decision is in force: what has to be undone."""
    ends = []
    for decision in MatchDecision.objects.filter(undone_by=None).order_by("pk"):
        undos, root = 0, decision
        while root.undoes is not None:
            undos, root = undos + 1, root.undoes
        if undos % 2 == 0:
            ends.append(decision)
    return ends


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=6), order=st.randoms(use_true_random=False))
def test_undoing_every_decision_restores_the_headers(steps: list[Step], order: Any) -> None:
    with transaction.atomic():
        live = mirror()
        before = picture()
        for step in steps:
            take(live, step)
        left = in_force()
        order.shuffle(left)
        for decision in left:
            decisions.undo(connection=live, decision_id=decision.pk, reason="All back.", actor=None, seen=None)
        assert not in_force()
        assert picture() == before
        transaction.set_rollback(True)


def test_the_steps_of_the_property_really_decide() -> None:
    live = mirror()
    for number, kind in enumerate(["keep", "win", "attach", "pin", "split", "ignore", "create"]):
        take(live, (kind, number, number))
    kinds = set(MatchDecision.objects.values_list("kind", flat=True))
    assert kinds >= {DecisionKind.KEEP_MERGED, DecisionKind.WINNER, DecisionKind.PIN, DecisionKind.IGNORE}

"""What people decide reaches the headers at once, and can be undone (docs/rules.md section 2 "Decisions")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from customers import services
from customers.models import Activity, Customer, Environment, Status
from integrations.errors import IntegrationError
from integrations.models import (
    ConnectionState,
    MatchDecision,
    MatchDecisionMember,
    Mode,
    StripeConnection,
    StripeCustomer,
)
from integrations.stripe.sync import decisions, derive
from integrations.stripe.sync.decision_rows import Decided
from integrations.stripe.sync.effects import effects
from integrations.stripe.sync.scene import ChangedError, Scene, look
from tests.factories import CustomerDomainFactory, CustomerFactory, StaffFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import group, header, mrr, subscriber
from tests.integrations.stripe.sync.derived import derive_all, flags, outcome

pytestmark = pytest.mark.django_db

WHY = "One company."


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def by_somebody(**changes: Any) -> dict[str, Any]:
    """What every decision needs beside what it is about."""
    return {"reason": WHY, "actor": None, "seen": None, **changes}


def take_back(live: StripeConnection, decided: Decided, **changes: Any) -> Decided:
    return decisions.undo(connection=live, decision_id=decided.decision.pk, **by_somebody(**changes))


# --- each action and its undo ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3, 20])
def test_keep_merged_takes_the_flag_away_and_undo_brings_it_back(live: StripeConnection, size: int) -> None:
    acme, rows = group(live, size)
    derive_all(live)
    before = header(acme)

    [decided] = decisions.keep_merged(connection=live, customer_ids=[acme.pk], **by_somebody())

    assert flags(*rows) == [""] * size
    assert header(acme) == {**before, "billing_flags": []}
    take_back(live, decided)
    assert flags(*rows) == ["shared_domain"] * size
    assert header(acme) == before


@pytest.mark.parametrize("size", [2, 3, 20])
def test_the_winner_alone_counts_and_undo_adds_the_others_up_again(live: StripeConnection, size: int) -> None:
    acme, rows = group(live, size)
    derive_all(live)
    before = header(acme)

    decided = decisions.winner(connection=live, customer_id=acme.pk, stripe_id=rows[0].stripe_id, **by_somebody())

    after = header(acme)
    assert (after["mrr"], after["stripe_customer_id"], after["billing_flags"]) == (100, rows[0].stripe_id, [])
    assert {outcome(row)[:2] for row in rows[1:]} == {("skipped", "ignored")}
    take_back(live, decided)
    assert header(acme) == before


@pytest.mark.parametrize("size", [2, 3, 20])
def test_a_split_pins_every_member_and_undo_archives_the_new_customer(live: StripeConnection, size: int) -> None:
    acme, rows = group(live, size)
    derive_all(live)
    before = header(acme)

    decided = decisions.split(
        connection=live,
        customer_id=acme.pk,
        stripe_ids=[rows[0].stripe_id],
        name="Acme Labs",
        domain="acme.com",
        **by_somebody(),
    )

    labs = Customer.objects.get(name="Acme Labs")
    assert (labs.environment, labs.mrr, labs.stripe_customer_id) == (Environment.PRODUCTION, 100, rows[0].stripe_id)
    assert mrr(acme) == before["mrr"] - 100
    assert [outcome(row)[1:] for row in rows] == [("pinned", "Acme Labs")] + [("pinned", "Acme")] * (size - 1)
    assert flags(*rows) == [""] * size
    created = MatchDecisionMember.objects.filter(created_customer=True)
    assert list(created.values_list("stripe_customer_id", "customer")) == [(rows[0].stripe_id, labs.pk)]
    take_back(live, decided)
    labs.refresh_from_db()
    assert (labs.status, labs.mrr, header(acme)) == (Status.ARCHIVED, 0, before)


def test_undoing_the_undo_of_a_split_brings_its_customer_back(live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    decided = decisions.split(
        connection=live, customer_id=acme.pk, stripe_ids=[rows[0].stripe_id], name="Labs", domain="", **by_somebody()
    )
    apart = header(acme)
    undone = take_back(live, decided)

    take_back(live, undone)

    labs = Customer.objects.get(name="Labs")
    assert (labs.status, labs.mrr, header(acme)) == (Status.ACTIVE, 100, apart)


def test_of_several_customers_with_a_domain_one_is_attached_and_undo_asks_again(live: StripeConnection) -> None:
    first, [row] = group(live, 1)
    second = CustomerFactory(name="Second", domain="acme.com")
    derive_all(live)
    before = header(first)

    decided = decisions.attach(connection=live, customer_id=first.pk, to_id=second.pk, **by_somebody())

    assert (outcome(row), flags(row)) == (("matched", "pinned", "Second"), [""])
    assert (mrr(first), mrr(second)) == (0, 100)
    take_back(live, decided)
    assert (header(first), mrr(second)) == (before, 0)


def test_the_one_that_has_it_already_can_keep_it(live: StripeConnection) -> None:
    first, [row] = group(live, 1)
    CustomerFactory(domain="acme.com")
    derive_all(live)

    decisions.attach(connection=live, customer_id=first.pk, to_id=first.pk, **by_somebody())

    assert (outcome(row)[1], flags(row), mrr(first)) == ("pinned", [""], 100)


def test_a_link_and_its_undo(live: StripeConnection) -> None:
    acme = CustomerFactory(name="Acme", domain="acme.com")
    row = subscriber("pay@unknown.com", live)
    derive_all(live)

    decided = decisions.pin(connection=live, stripe_ids=[row.stripe_id], customer_id=acme.pk, **by_somebody())

    assert (outcome(row), mrr(acme)) == (("matched", "pinned", "Acme"), 100)
    take_back(live, decided)
    assert (outcome(row)[:2], mrr(acme)) == (("unmatched", "no_customer"), 0)


def test_an_archived_customer_is_linked_to_by_restore_and_link_alone(live: StripeConnection) -> None:
    acme = CustomerFactory(name="Acme", domain="acme.com", status=Status.ARCHIVED)
    row = subscriber("pay@acme.com", live)
    derive_all(live)
    link = {"connection": live, "stripe_ids": [row.stripe_id], "customer_id": acme.pk}
    with pytest.raises(IntegrationError, match="archived"):
        decisions.pin(**link, **by_somebody())

    decided = decisions.pin(**link, restore=True, **by_somebody())

    acme.refresh_from_db()
    assert (acme.status, acme.mrr) == (Status.ACTIVE, 100)
    take_back(live, decided)
    acme.refresh_from_db()
    assert (acme.status, acme.mrr) == (Status.ARCHIVED, 0)


def test_an_ignored_one_leaves_the_figures_and_undo_brings_it_back(live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    before = header(acme)

    decided = decisions.ignore(connection=live, stripe_ids=[rows[1].stripe_id], **by_somebody())

    assert (mrr(acme), flags(rows[0])) == (100, [""])
    take_back(live, decided)
    assert header(acme) == before


def test_customers_are_created_from_stripe_one_per_company_domain(live: StripeConnection) -> None:
    old = subscriber("a@new.com", live, name="New Ltd")
    young = subscriber("b@new.com", live, name="New Branch", created=None)
    jane = subscriber("jane@gmail.com", live, name="Jane")
    nobody = subscriber("", live, name="", stripe_id="cus_nobody")
    derive_all(live)
    ids = [row.stripe_id for row in (old, young, jane, nobody)]

    decided = decisions.create_customers(connection=live, stripe_ids=ids, **by_somebody())

    made = Customer.objects.values_list("name", "domain", "mrr", "environment")
    assert sorted(made) == [
        ("Jane", "jane@gmail.com", 100, "production"),
        ("New Ltd", "new.com", 200, "production"),
        ("cus_nobody", "", 100, "production"),
    ]
    take_back(live, decided)
    assert set(Customer.objects.values_list("status", "mrr")) == {(Status.ARCHIVED, 0)}
    assert {outcome(row)[2] for row in (old, young, jane, nobody)} == {""}


# --- what an undo leaves -----------------------------------------------------------------------------------------


def touch_nothing(labs: Customer, live: StripeConnection) -> None:
    """Nobody adds anything."""


def give_an_owner(labs: Customer, live: StripeConnection) -> None:
    services.update_customer(labs, actor=StaffFactory(), owner=StaffFactory())


def give_an_extra_domain(labs: Customer, live: StripeConnection) -> None:
    services.add_domain(labs, "labs.io", actor=StaffFactory())


def link_somebody_else(labs: Customer, live: StripeConnection) -> None:
    other = subscriber("pay@other.com", live)
    decisions.pin(connection=live, stripe_ids=[other.stripe_id], customer_id=labs.pk, **by_somebody())


def match_somebody_by_domain(labs: Customer, live: StripeConnection) -> None:
    subscriber("pay@labs.com", live)
    derive.rematch(live, domains=frozenset({"labs.com"}))


@pytest.mark.parametrize(
    ("adding", "expected"),
    [
        (touch_nothing, Status.ARCHIVED),
        (match_somebody_by_domain, Status.ARCHIVED),
        (give_an_owner, Status.ACTIVE),
        (give_an_extra_domain, Status.ACTIVE),
        (link_somebody_else, Status.ACTIVE),
    ],
)
def test_undoing_a_split_archives_the_new_customer_unless_somebody_added_to_it(
    live: StripeConnection, adding: Callable[[Customer, StripeConnection], None], expected: Status
) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    decided = decisions.split(
        connection=live,
        customer_id=acme.pk,
        stripe_ids=[rows[0].stripe_id],
        name="Labs",
        domain="labs.com",
        **by_somebody(),
    )
    labs = Customer.objects.get(name="Labs")
    adding(labs, live)

    take_back(live, decided)

    labs.refresh_from_db()
    assert (labs.status, mrr(acme)) == (expected, 300)


def test_the_last_undo_archives_what_an_earlier_one_had_to_leave(live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    other = subscriber("pay@other.com", live)
    derive_all(live)
    parted = decisions.split(
        connection=live, customer_id=acme.pk, stripe_ids=[rows[0].stripe_id], name="Labs", domain="", **by_somebody()
    )
    labs = Customer.objects.get(name="Labs")
    linked = decisions.pin(connection=live, stripe_ids=[other.stripe_id], customer_id=labs.pk, **by_somebody())
    take_back(live, parted)

    take_back(live, linked)

    labs.refresh_from_db()
    assert labs.status == Status.ARCHIVED


def test_a_decision_is_undone_once(live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)
    [decided] = decisions.keep_merged(connection=live, customer_ids=[acme.pk], **by_somebody())
    take_back(live, decided)

    with pytest.raises(IntegrationError, match="undone already"):
        take_back(live, decided)


# --- what is written ---------------------------------------------------------------------------------------------


def test_every_customer_touched_says_who_decided_and_why(live: StripeConnection) -> None:
    sam = StaffFactory()
    acme, rows = group(live, 2)
    derive_all(live)

    decisions.split(
        connection=live,
        customer_id=acme.pk,
        stripe_ids=[rows[0].stripe_id],
        name="Labs",
        domain="",
        **by_somebody(actor=sam, reason="  Two\n contracts.  "),
    )

    entries = Activity.objects.filter(event_type="match.split").values_list("customer__name", "actor", "new")
    assert sorted(entries) == [("Acme", sam.pk, "Two contracts."), ("Labs", sam.pk, "Two contracts.")]
    decision = MatchDecision.objects.get()
    assert (decision.actor, decision.reason) == (sam, "Two contracts.")
    assert decision.stripe_customer_ids == sorted(row.stripe_id for row in rows)


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 501])
def test_a_reason_is_needed_and_has_an_end(live: StripeConnection, reason: str) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)

    with pytest.raises(IntegrationError, match="reason"):
        decisions.keep_merged(connection=live, customer_ids=[acme.pk], **by_somebody(reason=reason))

    assert not MatchDecision.objects.exists()


def test_many_groups_are_kept_merged_at_once_each_with_its_own_decision(live: StripeConnection) -> None:
    groups = [group(live, 2, domain=f"many{n}.com") for n in range(3)]
    derive_all(live)

    decided = decisions.keep_merged(connection=live, customer_ids=[each.pk for each, _rows in groups], **by_somebody())

    assert [each.decision.customer_ids for each in decided] == [[each.pk] for each, _rows in groups]
    assert flags(*(row for _each, rows in groups for row in rows)) == [""] * 6


def test_a_newcomer_to_a_decided_set_raises_the_flag_again(live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    decisions.keep_merged(connection=live, customer_ids=[acme.pk], **by_somebody())

    newcomer = subscriber("new@acme.com", live)
    derive.refreshed(live, {newcomer.stripe_id}, as_of=None)

    assert flags(*rows, newcomer) == ["shared_domain"] * 3
    assert header(acme)["billing_flags"] == ["undecided"]


# --- what is refused ---------------------------------------------------------------------------------------------


def test_ids_of_the_other_mode_and_environment_are_refused(live: StripeConnection) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    acme, rows = group(live, 2)
    staging = CustomerFactory(domain="acme.com", environment=Environment.STAGING)
    strangers = [subscriber("x@acme.com", test), subscriber("y@acme.com", test)]
    for connection in (live, test):
        derive_all(connection)
    [decided] = decisions.keep_merged(connection=live, customer_ids=[acme.pk], **by_somebody())
    here, there = rows[0].stripe_id, strangers[0].stripe_id
    refused: list[Callable[[], object]] = [
        lambda: decisions.keep_merged(connection=live, customer_ids=[acme.pk, staging.pk], **by_somebody()),
        lambda: decisions.winner(connection=live, customer_id=acme.pk, stripe_id=there, **by_somebody()),
        lambda: decisions.winner(connection=test, customer_id=acme.pk, stripe_id=there, **by_somebody()),
        lambda: decisions.attach(connection=live, customer_id=acme.pk, to_id=staging.pk, **by_somebody()),
        lambda: decisions.pin(connection=live, stripe_ids=[here], customer_id=staging.pk, **by_somebody()),
        lambda: decisions.pin(connection=live, stripe_ids=[here, there], customer_id=acme.pk, **by_somebody()),
        lambda: decisions.split(
            connection=live, customer_id=acme.pk, stripe_ids=[there], name="X", domain="", **by_somebody()
        ),
        lambda: decisions.ignore(connection=live, stripe_ids=[there], **by_somebody()),
        lambda: decisions.create_customers(connection=live, stripe_ids=[there], **by_somebody()),
        lambda: decisions.undo(connection=test, decision_id=decided.decision.pk, **by_somebody()),
    ]

    for act in refused:
        with pytest.raises(IntegrationError) as caught:
            act()
        assert caught.value.code == "decision_refused"

    assert MatchDecision.objects.count() == 1
    assert Customer.objects.count() == 2


@pytest.mark.parametrize("chosen", [[], [0, 1]])
def test_a_split_takes_some_and_not_all(live: StripeConnection, chosen: list[int]) -> None:
    acme, rows = group(live, 2)
    derive_all(live)

    with pytest.raises(IntegrationError, match="not none and not all"):
        decisions.split(
            connection=live,
            customer_id=acme.pk,
            stripe_ids=[rows[n].stripe_id for n in chosen],
            name="X",
            domain="",
            **by_somebody(),
        )


def test_a_split_needs_a_name_and_a_possible_domain(live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)

    for name, domain in [("", "labs.com"), ("Labs", "no domain")]:
        with pytest.raises(ValidationError):
            decisions.split(
                connection=live,
                customer_id=acme.pk,
                stripe_ids=[rows[0].stripe_id],
                name=name,
                domain=domain,
                **by_somebody(),
            )

    assert (MatchDecision.objects.count(), Customer.objects.count()) == (0, 1)


def test_while_disconnected_nothing_is_decided(live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)

    with pytest.raises(IntegrationError, match="disconnected"):
        decisions.keep_merged(connection=live, customer_ids=[acme.pk], **by_somebody())


# --- what changed meanwhile --------------------------------------------------------------------------------------


def refused_after(live: StripeConnection, acme: Customer, seen: Scene) -> ChangedError:
    with pytest.raises(ChangedError) as caught:
        decisions.keep_merged(connection=live, customer_ids=[acme.pk], **by_somebody(seen=seen))
    return caught.value


def test_a_scene_survives_its_way_through_a_form(live: StripeConnection) -> None:
    acme, _rows = group(live, 20)
    derive_all(live)
    seen = look(live, customer_ids=[acme.pk])

    assert Scene.parse(seen.token) == seen
    [decided] = decisions.keep_merged(
        connection=live, customer_ids=[acme.pk], **by_somebody(seen=Scene.parse(seen.token))
    )
    assert decided.decision.pk


@pytest.mark.parametrize("token", ["", "nonsense", "a:b:c"])
def test_what_is_no_token_of_ours_counts_as_changed(token: str) -> None:
    with pytest.raises(ChangedError):
        Scene.parse(token)


def test_a_newcomer_meanwhile_is_named(live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    seen = look(live, customer_ids=[acme.pk])
    newcomer = subscriber("new@acme.com", live)
    derive.refreshed(live, {newcomer.stripe_id}, as_of=None)

    difference = refused_after(live, acme, seen).difference

    assert (difference.joined, difference.left, difference.changed) == ((newcomer.stripe_id,), (), ())
    assert flags(*rows) == ["shared_domain"] * 2


def test_somebody_elses_decision_meanwhile_is_named(live: StripeConnection) -> None:
    acme, rows = group(live, 3)
    derive_all(live)
    seen = look(live, customer_ids=[acme.pk])
    decided = decisions.winner(
        connection=live, customer_id=acme.pk, stripe_id=rows[0].stripe_id, **by_somebody(seen=seen)
    )

    difference = refused_after(live, acme, seen).difference

    assert difference.decisions == (decided.decision.pk,)
    assert difference.left == tuple(sorted(row.stripe_id for row in rows[1:]))


def test_one_more_customer_with_the_domain_meanwhile_is_named(live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)
    seen = look(live, customer_ids=[acme.pk])
    rival = CustomerDomainFactory(domain="acme.com").customer

    assert refused_after(live, acme, seen).difference.customers == (rival.pk,)


def test_what_a_decision_does_not_depend_on_may_change(live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    seen = look(live, customer_ids=[acme.pk])
    services.update_customer(acme, actor=None, name="Acme Holding")
    StripeCustomer.objects.filter(pk=rows[0].pk).update(name="Renamed")

    assert decisions.keep_merged(connection=live, customer_ids=[acme.pk], **by_somebody(seen=seen))


# --- preview -----------------------------------------------------------------------------------------------------


def test_a_preview_says_what_the_decision_then_does_and_leaves_no_trace(
    live: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    acme, rows = group(live, 3)
    derive_all(live)
    before = header(acme)

    def act() -> list[Decided]:
        chosen = [rows[0].stripe_id]
        return [
            decisions.split(
                connection=live, customer_id=acme.pk, stripe_ids=chosen, name="Labs", domain="labs.com", **by_somebody()
            )
        ]

    with django_capture_on_commit_callbacks() as announced:
        preview = effects(live, act)

    assert announced == []
    assert (header(acme), MatchDecision.objects.count(), Activity.objects.filter(origin="Decision").count()) == (
        before,
        0,
        0,
    )
    assert not Customer.objects.filter(name="Labs").exists()
    [old, new] = preview.headers
    assert (old.before.customer.mrr if old.before else None, old.after.customer.mrr) == (600, 500)
    assert (new.before, new.after.customer.mrr, new.after.stripe_customers) == (None, 100, 1)
    assert (preview.before.ambiguous, preview.after.ambiguous) == (3, 0)

    act()

    assert (
        {**header(acme), "mrr": 500}
        == header(acme)
        == {name: getattr(old.after.customer, name) for name in header(acme)}
    )


def test_a_preview_that_is_refused_leaves_no_trace_either(live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)

    with pytest.raises(IntegrationError):
        effects(live, lambda: decisions.keep_merged(connection=live, customer_ids=[acme.pk], **by_somebody(reason="")))

    assert not MatchDecision.objects.exists()


def test_the_queries_of_a_decision_do_not_grow_with_the_group(live: StripeConnection) -> None:
    def queries(size: int) -> int:
        acme, rows = group(live, size, domain=f"size{size}.com")
        derive_all(live)
        with CaptureQueriesContext(database) as captured:
            decisions.winner(connection=live, customer_id=acme.pk, stripe_id=rows[0].stripe_id, **by_somebody())
        return len(captured)

    assert queries(2) == queries(20)

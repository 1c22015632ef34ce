"""Which Pivotal customer a Stripe customer belongs to, and why (docs/rules.md section 2)."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer, Environment, PersonalDomain, Status
from integrations.models import (
    DecisionKind,
    MemberEffect,
    Mode,
    ScopeFilter,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
)
from integrations.stripe.sync import derive, match
from tests.factories import (
    CustomerDomainFactory,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
    decide,
    undo,
)
from tests.integrations.stripe.sync.derived import derive_all, flags, outcome

pytestmark = pytest.mark.django_db

PINNED, IGNORED, WINS, LOSES, ACKNOWLEDGED = (
    MemberEffect.PINNED,
    MemberEffect.IGNORED,
    MemberEffect.WINS,
    MemberEffect.LOSES,
    MemberEffect.ACKNOWLEDGED,
)


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def subscriber(email: str, connection: StripeConnection, *, status: str = "active", **fields: Any) -> StripeCustomer:
    """A Stripe customer with one subscription."""
    row = StripeCustomerFactory(connection=connection, email=email, **fields)
    StripeSubscriptionFactory(owner=row, status=status)
    return row


def let_personal_in(connection: StripeConnection) -> None:
    connection.match_personal_emails = True
    connection.save()


def end(row: StripeCustomer) -> None:
    """End every subscription of a Stripe customer."""
    StripeSubscription.objects.filter(connection=row.connection, customer_id=row.stripe_id).update(
        status="canceled", live=False
    )


# --- where each one goes -----------------------------------------------------------------------------------------

# Customers: Acme has acme.com and the alias acme.io, Jane jane@gmail.com, Post gmx.de, Old the archived old.com.
TABLE = [
    # e-mail in Stripe          toggle  state        reason                  customer
    ("billing@acme.com", "off", "matched", "domain", "Acme"),
    ("Billing <x>@ACME.com.", "off", "skipped", "no_email", ""),
    ("billing@ACME.COM.", "off", "matched", "domain", "Acme"),
    ("billing@acme.io", "off", "matched", "domain", "Acme"),
    ("billing@eu.acme.com", "off", "unmatched", "no_customer", ""),
    ("billing@nobody.com", "off", "unmatched", "no_customer", ""),
    ("billing@old.com", "off", "unmatched", "no_customer", ""),
    ("billing@staging.com", "off", "unmatched", "no_customer", ""),
    ("", "off", "skipped", "no_email", ""),
    ("billing@localhost", "off", "skipped", "no_email", ""),
    ("billing@127.0.0.1", "off", "skipped", "no_email", ""),
    ("jane@gmail.com", "off", "skipped", "personal_email", ""),
    ("jane@gmail.com", "on", "matched", "domain", "Jane"),
    ("JANE@gmail.com", "on", "matched", "domain", "Jane"),
    ("jane+1@gmail.com", "on", "unmatched", "personal_no_customer", ""),
    ("anybody@gmx.de", "off", "skipped", "personal_email", ""),
    ("anybody@gmx.de", "on", "matched", "domain", "Post"),
    ("billing@acme.com", "on", "matched", "domain", "Acme"),
]


@pytest.mark.parametrize(("email", "toggle", "state", "reason", "customer"), TABLE)
def test_an_email_leads_to_a_customer_or_to_a_reason(
    live: StripeConnection, email: str, toggle: str, state: str, reason: str, customer: str
) -> None:
    CustomerDomainFactory(customer=CustomerFactory(name="Acme", domain="acme.com"), domain="acme.io")
    CustomerFactory(name="Jane", domain="jane@gmail.com")
    CustomerFactory(name="Post", domain="gmx.de")
    CustomerFactory(name="Old", domain="old.com", status=Status.ARCHIVED)
    CustomerFactory(name="Staging", domain="staging.com", environment=Environment.STAGING)
    if toggle == "on":
        let_personal_in(live)
    row = subscriber(email, live)

    match.rematch_all(live)

    assert outcome(row) == (state, reason, customer)


def test_a_whole_address_goes_before_the_domain(live: StripeConnection) -> None:
    let_personal_in(live)
    CustomerFactory(name="Post", domain="gmail.com")
    CustomerFactory(name="Jane", domain="jane@gmail.com")
    jane, john = subscriber("jane@gmail.com", live), subscriber("john@gmail.com", live)

    match.rematch_all(live)

    assert [outcome(jane)[2], outcome(john)[2]] == ["Jane", "Post"]
    assert flags(jane, john) == ["", ""]


def test_a_deleted_stripe_customer_is_skipped_unless_pinned(live: StripeConnection) -> None:
    acme = CustomerFactory(name="Acme", domain="acme.com")
    gone = subscriber("a@acme.com", live, deleted=True)
    pinned = subscriber("b@acme.com", live, deleted=True)
    decide(DecisionKind.PIN, {pinned: PINNED}, to=acme)

    match.rematch_all(live)

    assert outcome(gone) == ("skipped", "deleted", "")
    assert outcome(pinned) == ("matched", "pinned", "Acme")


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("churned", "active"), "Second"),
        (("active", "active"), "First"),
        (("at_risk", "active"), "First"),
        (("churned", "churned"), "First"),
        (("archived", "churned"), "Second"),
    ],
)
def test_of_several_customers_with_a_domain_the_first_that_is_not_churned_gets_it(
    live: StripeConnection, statuses: tuple[str, str], expected: str
) -> None:
    for name, status in zip(("First", "Second"), statuses, strict=True):
        CustomerFactory(name=name, domain="acme.com", status=status)
    row = subscriber("a@acme.com", live)

    match.rematch_all(live)

    assert outcome(row)[2] == expected


def test_a_customer_without_a_subscription_in_scope_is_not_considered(live: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    ScopeFilter.objects.create(connection=live, kind="lookup_key", value="enterprise")
    row = subscriber("a@acme.com", live)

    match.rematch_all(live)

    assert outcome(row) == ("", "", "")


def test_one_with_ended_subscriptions_alone_is_attached_and_never_ambiguous(live: StripeConnection) -> None:
    CustomerFactory(name="Acme", domain="acme.com")
    running, ended = subscriber("a@acme.com", live), subscriber("b@acme.com", live, status="canceled")

    match.rematch_all(live)

    assert outcome(ended) == ("matched", "domain", "Acme")
    assert (ended.standing, flags(running, ended)) == ("ended", ["", ""])


def test_equal_stripe_ids_of_live_and_test_mode_stay_apart(live: StripeConnection) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    CustomerFactory(name="Real", domain="acme.com")
    CustomerFactory(name="Staging", domain="acme.com", environment=Environment.STAGING)
    in_live = subscriber("a@acme.com", live, stripe_id="cus_same")
    in_test = subscriber("a@acme.com", test, stripe_id="cus_same")
    decide(DecisionKind.IGNORE, {in_test: IGNORED})

    match.rematch_all(live)
    match.rematch_all(test)

    assert outcome(in_live) == ("matched", "domain", "Real")
    assert outcome(in_test) == ("skipped", "ignored", "")


# --- ambiguous ---------------------------------------------------------------------------------------------------


def test_two_stripe_customers_on_one_customer_are_ambiguous(live: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    rows = [subscriber("a@acme.com", live), subscriber("b@acme.com", live)]

    match.rematch_all(live)

    assert flags(*rows) == ["shared_domain", "shared_domain"]


def test_a_domain_on_two_customers_is_ambiguous_whoever_got_it(live: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    CustomerDomainFactory(customer=CustomerFactory(domain="umbrella.com"), domain="acme.com")
    row = subscriber("a@acme.com", live)

    match.rematch_all(live)

    assert flags(row) == ["several_customers"]


def test_an_address_on_two_customers_is_ambiguous(live: StripeConnection) -> None:
    let_personal_in(live)
    CustomerFactory(domain="jane@gmail.com")
    CustomerFactory(domain="jane@gmail.com")
    row = subscriber("jane@gmail.com", live)

    match.rematch_all(live)

    assert flags(row) == ["several_customers"]


def test_a_domain_on_two_customers_does_not_flag_who_joined_by_the_whole_address(live: StripeConnection) -> None:
    let_personal_in(live)
    for domain in ("gmail.com", "gmail.com", "jane@gmail.com"):
        CustomerFactory(domain=domain)
    row = subscriber("jane@gmail.com", live)

    match.rematch_all(live)

    assert flags(row) == [""]


def test_an_archived_customer_makes_nothing_ambiguous(live: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    CustomerFactory(domain="acme.com", status=Status.ARCHIVED)
    row = subscriber("a@acme.com", live)

    match.rematch_all(live)

    assert flags(row) == [""]


def test_the_moment_a_flag_was_raised_survives_another_match(live: StripeConnection) -> None:
    CustomerFactory(domain="acme.com")
    row = subscriber("a@acme.com", live)
    subscriber("b@acme.com", live)
    match.rematch_all(live)
    row.refresh_from_db()
    raised = row.ambiguous_since

    match.rematch_all(live)

    row.refresh_from_db()
    assert row.ambiguous_since == raised is not None


# --- decisions ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(live: StripeConnection) -> tuple[Customer, StripeCustomer, StripeCustomer]:
    """Acme, and two Stripe customers that meet on it."""
    acme = CustomerFactory(name="Acme", domain="acme.com")
    return acme, subscriber("a@acme.com", live), subscriber("b@acme.com", live)


Pair = tuple[Customer, StripeCustomer, StripeCustomer]


def test_keep_merged_clears_the_flag_until_a_newcomer_joins(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    decide(DecisionKind.KEEP_MERGED, {first: ACKNOWLEDGED, second: ACKNOWLEDGED}, on=[acme])
    match.rematch_all(live)
    assert flags(first, second) == ["", ""]

    newcomer = subscriber("c@acme.com", live)
    match.rematch(live, match.Subset(stripe_ids=frozenset({newcomer.stripe_id})))

    assert flags(first, second, newcomer) == ["shared_domain"] * 3


def test_keep_merged_clears_the_flag_of_every_smaller_set(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    third = subscriber("c@acme.com", live)
    decide(DecisionKind.KEEP_MERGED, dict.fromkeys((first, second, third), ACKNOWLEDGED), on=[acme])
    end(third)

    match.rematch_all(live)

    assert flags(first, second) == ["", ""]


def test_undoing_keep_merged_raises_the_flag_again(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    decision = decide(DecisionKind.KEEP_MERGED, {first: ACKNOWLEDGED, second: ACKNOWLEDGED}, on=[acme])
    match.rematch_all(live)

    undo(decision)
    match.rematch(live, match.Subset(stripe_ids=frozenset({first.stripe_id})))

    assert flags(first, second) == ["shared_domain", "shared_domain"]


def test_a_group_that_moves_to_another_customer_stays_acknowledged(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    decide(DecisionKind.KEEP_MERGED, {first: ACKNOWLEDGED, second: ACKNOWLEDGED}, on=[acme])
    acme.delete()
    CustomerFactory(name="New Acme", domain="acme.com")

    match.rematch_all(live)

    assert (outcome(first)[2], flags(first, second)) == ("New Acme", ["", ""])


def test_of_a_winner_and_its_losers_the_losers_are_skipped(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    decide(DecisionKind.WINNER, {first: WINS, second: LOSES}, on=[acme])

    match.rematch_all(live)

    assert outcome(first) == ("matched", "domain", "Acme")
    assert outcome(second) == ("skipped", "ignored", "")
    assert (first.winner, flags(first, second)) == (True, ["", ""])


def test_a_newcomer_beside_a_winner_raises_the_flag(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    decide(DecisionKind.WINNER, {first: WINS, second: LOSES}, on=[acme])
    newcomer = subscriber("c@acme.com", live)

    match.rematch_all(live)

    assert flags(first, second, newcomer) == ["shared_domain", "", "shared_domain"]


def test_when_the_winners_billing_ends_the_flag_returns_on_the_loser(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    decide(DecisionKind.WINNER, {first: WINS, second: LOSES}, on=[acme])
    match.rematch_all(live)
    end(first)

    touched = match.rematch(live, match.Subset(stripe_ids=frozenset({first.stripe_id})))

    assert outcome(second) == ("matched", "winner_ended", "Acme")
    assert (flags(first, second), touched) == (["", "winner_ended"], {acme.pk})


def test_a_loser_goes_by_its_newest_decision_alone(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    third = subscriber("c@acme.com", live)
    decide(DecisionKind.WINNER, {first: WINS, second: LOSES}, on=[acme])
    decide(DecisionKind.WINNER, {third: WINS, second: LOSES}, on=[acme])
    end(first)

    match.rematch_all(live)

    assert (outcome(second), flags(second)) == (("skipped", "ignored", ""), [""])


def test_a_later_decision_about_the_winner_alone_leaves_its_losers_where_they_are(
    live: StripeConnection, pair: Pair
) -> None:
    acme, first, second = pair
    newcomer = subscriber("c@acme.com", live)
    decide(DecisionKind.WINNER, {first: WINS, second: LOSES}, on=[acme])
    decide(DecisionKind.KEEP_MERGED, {first: ACKNOWLEDGED, newcomer: ACKNOWLEDGED}, on=[acme])

    match.rematch_all(live)
    assert (outcome(second), flags(first, second, newcomer)) == (("skipped", "ignored", ""), ["", "", ""])

    end(first)
    match.rematch(live, match.Subset(stripe_ids=frozenset({first.stripe_id})))
    assert flags(first, second) == ["", "winner_ended"]


def test_keep_merged_after_a_winner_lets_the_loser_back_in(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    decide(DecisionKind.WINNER, {first: WINS, second: LOSES}, on=[acme])
    decide(DecisionKind.KEEP_MERGED, {first: ACKNOWLEDGED, second: ACKNOWLEDGED}, on=[acme])

    match.rematch_all(live)

    assert (outcome(second), flags(first, second)) == (("matched", "domain", "Acme"), ["", ""])


@pytest.mark.parametrize("effect", [WINS, ACKNOWLEDGED])
def test_a_pin_survives_a_later_decision_that_says_nothing_about_the_place(
    live: StripeConnection, pair: Pair, effect: MemberEffect
) -> None:
    acme, first, _second = pair
    elsewhere = subscriber("x@other.com", live)
    CustomerFactory(name="Other", domain="other.com")
    decide(DecisionKind.PIN, {elsewhere: PINNED}, to=acme)
    kind = DecisionKind.WINNER if effect == WINS else DecisionKind.KEEP_MERGED
    decide(kind, {elsewhere: effect, first: LOSES if effect == WINS else ACKNOWLEDGED}, on=[acme])

    match.rematch_all(live)

    assert outcome(elsewhere) == ("matched", "pinned", "Acme")


def test_the_newest_decision_that_is_not_undone_is_in_force(live: StripeConnection) -> None:
    row = subscriber("a@acme.com", live)
    names = {}
    for name in ("X", "Y"):
        names[name] = decide(DecisionKind.PIN, {row: PINNED}, to=CustomerFactory(name=name))
    match.rematch_all(live)
    assert outcome(row)[2] == "Y"

    undone = undo(names["Y"])
    match.rematch_all(live)
    assert outcome(row)[2] == "X"

    undo(undone)
    match.rematch_all(live)
    assert outcome(row)[2] == "Y"


def test_a_group_whose_members_are_all_pinned_is_not_flagged(live: StripeConnection, pair: Pair) -> None:
    acme, first, second = pair
    decide(DecisionKind.ATTACH, {first: PINNED, second: PINNED}, on=[acme], to=acme)

    match.rematch_all(live)

    assert flags(first, second) == ["", ""]


def test_attaching_to_one_of_several_customers_clears_the_flag(live: StripeConnection) -> None:
    first, second = CustomerFactory(name="First", domain="acme.com"), CustomerFactory(name="Second", domain="acme.com")
    row = subscriber("a@acme.com", live)
    decide(DecisionKind.ATTACH, {row: PINNED}, on=[first, second], to=second)

    match.rematch_all(live)

    assert (outcome(row)[2], flags(row)) == ("Second", [""])


def test_several_customers_are_acknowledged_until_one_more_claims_the_domain(live: StripeConnection) -> None:
    claiming = [CustomerFactory(domain="acme.com") for _each in range(2)]
    row = subscriber("a@acme.com", live)
    decide(DecisionKind.KEEP_MERGED, {row: ACKNOWLEDGED}, on=claiming)
    match.rematch_all(live)
    assert flags(row) == [""]

    CustomerFactory(domain="acme.com")
    match.rematch(live, match.Subset(domains=frozenset({"acme.com"})))

    assert flags(row) == ["several_customers"]


def test_an_ignored_one_is_skipped_and_leaves_nothing_ambiguous(live: StripeConnection, pair: Pair) -> None:
    _acme, first, second = pair
    decide(DecisionKind.IGNORE, {second: IGNORED})

    match.rematch_all(live)

    assert (outcome(second), flags(first, second)) == (("skipped", "ignored", ""), ["", ""])


@pytest.mark.parametrize("change", [{"status": Status.ARCHIVED}, {"environment": Environment.STAGING}])
def test_a_pin_to_a_customer_out_of_reach_is_suspended_and_comes_back(
    live: StripeConnection, change: dict[str, str]
) -> None:
    CustomerFactory(name="By domain", domain="acme.com")
    target = CustomerFactory(name="Target")
    row = subscriber("a@acme.com", live)
    decide(DecisionKind.PIN, {row: PINNED}, to=target)
    subset = match.Subset(customer_ids=frozenset({target.pk}))
    match.rematch_all(live)
    Customer.objects.filter(pk=target.pk).update(**change)

    match.rematch(live, subset)
    assert outcome(row) == ("unmatched", "pin_suspended", "")

    Customer.objects.filter(pk=target.pk).update(status=Status.ACTIVE, environment=Environment.PRODUCTION)
    match.rematch(live, subset)
    assert outcome(row) == ("matched", "pinned", "Target")


def test_a_pin_to_a_deleted_customer_is_suspended(live: StripeConnection) -> None:
    target = CustomerFactory()
    row = subscriber("a@acme.com", live)
    decide(DecisionKind.PIN, {row: PINNED}, to=target)
    match.rematch_all(live)
    number = target.pk
    target.delete()

    match.rematch(live, match.Subset(customer_ids=frozenset({number})))

    assert outcome(row) == ("unmatched", "pin_suspended", "")


# --- again -------------------------------------------------------------------------------------------------------


def test_a_move_touches_the_customer_left_and_the_customer_joined(live: StripeConnection) -> None:
    old, new = CustomerFactory(domain="acme.com"), CustomerFactory(domain="new.com")
    row = subscriber("a@acme.com", live)
    match.rematch_all(live)
    StripeCustomer.objects.filter(pk=row.pk).update(email_domain="new.com")

    assert match.rematch(live, match.Subset(stripe_ids=frozenset({row.stripe_id}))) == {old.pk, new.pk}


def test_a_match_that_changes_nothing_writes_nothing(live: StripeConnection, pair: Pair) -> None:
    subscriber("jane@gmail.com", live)
    match.rematch_all(live)
    before = row_versions("integrations_stripecustomer")

    match.rematch_all(live)

    assert row_versions("integrations_stripecustomer") == before


def test_a_subset_is_matched_as_the_whole_would_be(live: StripeConnection, pair: Pair) -> None:
    stranger = subscriber("x@stranger.com", live)
    domains = frozenset({"acme.com"})

    match.rematch(live, match.Subset(domains=domains))

    partly = [outcome(row) for row in pair[1:]]
    assert outcome(stranger) == ("", "", "")
    match.rematch_all(live)
    assert [outcome(row) for row in pair[1:]] == partly


def test_the_queries_do_not_grow_with_the_stripe_customers(live: StripeConnection) -> None:
    def queries(number: int) -> int:
        for _each in range(number):
            subscriber("a@acme.com", live)
        with CaptureQueriesContext(database) as captured:
            match.rematch(live, match.Subset(domains=frozenset({"acme.com"})))
        return len(captured)

    CustomerFactory(domain="acme.com")
    assert queries(3) == queries(6)


def test_a_change_of_the_personal_list_is_noticed(live: StripeConnection) -> None:
    CustomerFactory(name="Acme", domain="acme.com")
    CustomerFactory(name="Mail", domain="gmx.de")
    company, mail = subscriber("a@acme.com", live), subscriber("a@gmx.de", live)
    PersonalDomain.objects.create(domain="acme.com", personal=True)
    PersonalDomain.objects.create(domain="gmx.de", personal=False)

    match.rematch(live, match.Subset(domains=frozenset({"acme.com", "gmx.de"})))

    assert outcome(company) == ("skipped", "personal_email", "")
    assert outcome(mail) == ("matched", "domain", "Mail")


def test_the_personal_toggle_is_read_afresh(live: StripeConnection) -> None:
    CustomerFactory(name="Jane", domain="jane@gmail.com")
    row = subscriber("jane@gmail.com", live)
    StripeConnection.objects.update(match_personal_emails=True)

    match.rematch_all(live)

    assert outcome(row) == ("matched", "domain", "Jane")


def test_nothing_is_rolled_up_before_the_first_run_has_written(live: StripeConnection, pair: Pair) -> None:
    StripeConnection.objects.update(last_full_sync_at=None)

    derive.rematch_all(live)

    acme = Customer.objects.get(pk=pair[0].pk)
    assert (outcome(pair[1])[2], acme.billing_source) == ("Acme", "")


def row_versions(table: str) -> list[tuple[Any, ...]]:
    """Which transaction wrote each row last."""
    with database.cursor() as cursor:
        cursor.execute(f"SELECT ctid::text, xmin::text FROM {table} ORDER BY 1")  # noqa: S608
        return list(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_two_newcomers_at_once_are_both_flagged() -> None:
    live = StripeConnectionFactory()
    acme = CustomerFactory(domain="acme.com")
    derive_all(live)
    failed: list[BaseException] = []
    barrier = threading.Barrier(2)

    def arrive(row: StripeCustomer) -> None:
        try:
            barrier.wait(10)
            derive.refreshed(live, {row.stripe_id}, as_of=timezone.now())
        except BaseException as error:  # noqa: BLE001 - reported by the test's own thread
            failed.append(error)
        finally:
            database.close()

    for _round in range(5):
        StripeSubscription.objects.all().delete()
        StripeCustomer.objects.all().delete()
        rows = [subscriber("a@acme.com", live), subscriber("b@acme.com", live)]
        threads = [threading.Thread(target=arrive, args=(row,)) for row in rows]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not failed
        assert flags(*rows) == ["shared_domain", "shared_domain"]
        acme.refresh_from_db()
        assert (acme.mrr, acme.billing_flags) == (Decimal(200), ["undecided"])


def test_a_match_of_everybody_does_not_depend_on_statistics(live: StripeConnection) -> None:
    """Quadratic plans come from statistics taken before the first match, so nested loops are off for everybody."""
    subscriber("a@acme.com", live)
    with CaptureQueriesContext(database) as captured:
        match.rematch_all(live)

    assert "set_config('enable_nestloop', 'off'" in " ".join(query["sql"] for query in captured.captured_queries)
    with database.cursor() as cursor:
        cursor.execute("SHOW enable_nestloop")
        assert cursor.fetchone() == ("on",)

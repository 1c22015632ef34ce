"""The five billing fields of a customer, their history, and what must not be written (docs/rules.md section 3)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Activity, BillingFlag, Customer, Environment, MrrPoint
from customers.services import update_customer
from integrations.models import (
    BillingSummary,
    DecisionKind,
    MemberEffect,
    Mode,
    ScopeFilter,
    StripeConnection,
    StripeCustomer,
    StripeSubscription,
    SyncIssue,
)
from integrations.stripe.sync import chunked, derive, match
from integrations.stripe.sync.explain import explain
from tests.factories import (
    LONG_AGO,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
    decide,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db

FIVE = ("plan", "mrr", "payment_status", "billing_started_at", "stripe_customer_id")
LATER = LONG_AGO + timedelta(days=30)


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def acme() -> Customer:
    return CustomerFactory(name="Acme", domain="acme.com")


def stripe_customer(live: StripeConnection, stripe_id: str, **fields: Any) -> StripeCustomer:
    return StripeCustomerFactory(connection=live, stripe_id=stripe_id, email=f"{stripe_id}@acme.com", **fields)


def five(customer: Customer) -> tuple[Any, ...]:
    customer.refresh_from_db()
    return tuple(getattr(customer, name) for name in FIVE)


def change(subscription: StripeSubscription, **data: Any) -> None:
    """What Stripe says now about a subscription; ``quantity`` and ``amount`` reach its only item."""
    item = subscription.data["items"]["data"][0]
    if "quantity" in data:
        item["quantity"] = data.pop("quantity")
    if "amount" in data:
        item["price"]["unit_amount"] = data.pop("amount")
    subscription.data |= data
    status = subscription.data["status"]
    StripeSubscription.objects.filter(pk=subscription.pk).update(
        data=subscription.data, status=status, live=status not in ("canceled", "incomplete_expired")
    )


def entries(customer: Customer) -> list[tuple[str, str, str, str]]:
    return [
        (entry.event_type, entry.field, entry.old, entry.new)
        for entry in Activity.objects.filter(customer=customer).order_by("id")
    ]


def causes(customer: Customer) -> list[tuple[str, Decimal]]:
    return list(MrrPoint.objects.filter(customer=customer).order_by("id").values_list("cause", "mrr"))


# --- the fields --------------------------------------------------------------------------------------------------


def test_everything_attached_is_added_up(live: StripeConnection, acme: Customer) -> None:
    small, big = stripe_customer(live, "cus_1"), stripe_customer(live, "cus_2")
    StripeSubscriptionFactory(owner=small, amount=10_000, lookup_key="starter_monthly")
    StripeSubscriptionFactory(owner=big, amount=40_000, lookup_key="growth_monthly", created=LATER)
    StripeInvoiceFactory(owner=small, created=LATER)

    derive_all(live)

    assert five(acme) == ("growth_monthly", Decimal("500.00"), "paid", LONG_AGO, "cus_2")
    assert (acme.plan_label, acme.billing_source, acme.billing_flags) == ("Growth", "stripe", [BillingFlag.UNDECIDED])


def test_the_sum_is_rounded_once(live: StripeConnection, acme: Customer) -> None:
    owner = stripe_customer(live, "cus_1")
    for _each in range(3):
        StripeSubscriptionFactory(owner=owner, price={"recurring": {"interval": "year"}})

    derive_all(live)

    assert five(acme)[1] == Decimal("25.00")
    assert BillingSummary.objects.get(customer=acme).live_subscriptions == 3


def test_one_that_has_ended_gives_billed_since_and_nothing_else(live: StripeConnection, acme: Customer) -> None:
    running = stripe_customer(live, "cus_2", created=LATER)
    ended = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory(owner=running, created=LATER)
    StripeSubscriptionFactory(owner=ended, status="canceled", amount=90_000, lookup_key="old")
    StripeInvoiceFactory(owner=running, created=LATER)
    StripeInvoiceFactory(owner=ended, status="uncollectible", created=LATER + timedelta(days=1))

    derive_all(live)

    assert five(acme) == ("growth_monthly", Decimal("100.00"), "paid", LONG_AGO, "cus_2")


def test_with_ended_subscriptions_alone_the_newest_invoice_still_speaks(live: StripeConnection, acme: Customer) -> None:
    owner = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory(owner=owner, status="canceled")
    StripeInvoiceFactory(owner=owner, status="uncollectible")

    derive_all(live)

    assert five(acme) == ("", Decimal("0.00"), "past_due", LONG_AGO, "cus_1")


def test_what_leaves_the_scope_is_as_if_it_were_not_there(live: StripeConnection, acme: Customer) -> None:
    owner = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory(owner=owner, lookup_key="growth_monthly", created=LATER)
    StripeSubscriptionFactory(owner=owner, lookup_key="addon_monthly", amount=70_000)
    ScopeFilter.objects.create(connection=live, kind="lookup_key", value="growth_monthly")

    derive_all(live)

    assert five(acme)[:4] == ("growth_monthly", Decimal("100.00"), "none", LATER)


def test_scope_does_not_filter_invoices_and_says_so(live: StripeConnection, acme: Customer) -> None:
    owner = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory(owner=owner, lookup_key="growth_monthly")
    other = StripeSubscriptionFactory(owner=owner, lookup_key="addon_monthly")
    parent = {"subscription_details": {"subscription": other.stripe_id}}
    StripeInvoiceFactory(owner=owner, extra={"parent": parent})
    ScopeFilter.objects.create(connection=live, kind="lookup_key", value="growth_monthly")

    derive_all(live)

    reason = BillingSummary.objects.get(customer=acme).payment_reason
    assert (five(acme)[2], reason["outside_scope"]) == ("paid", True)


def test_an_older_open_invoice_is_flagged_under_a_paid_status(live: StripeConnection, acme: Customer) -> None:
    owner = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory(owner=owner)
    StripeInvoiceFactory(owner=owner, created=LATER)
    StripeInvoiceFactory(owner=owner, status="open", extra={"attempt_count": 2})

    derive_all(live)

    summary = BillingSummary.objects.get(customer=acme)
    assert five(acme)[2] == "paid"
    assert (acme.billing_flags, summary.also_open["count"]) == ([BillingFlag.OLDER_INVOICE_OPEN], 1)


def test_a_figure_without_a_rate_is_flagged_incomplete(live: StripeConnection, acme: Customer) -> None:
    owner = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory.create_batch(2, owner=owner, currency="ngn")
    StripeSubscriptionFactory(owner=owner)

    derive_all(live)

    summary = BillingSummary.objects.get(customer=acme)
    assert (five(acme)[1], acme.billing_flags) == (Decimal("100.00"), [BillingFlag.INCOMPLETE])
    assert summary.incomplete == [{"code": "no_exchange_rate", "subject": "ngn", "subscriptions": 2}]


# Each pair: what the first and the second Stripe customer have, and which is primary.
PRIMARIES = [
    ("a winner before more MRR", {"amount": 100}, {"amount": 900}, {"wins": "cus_1"}, "cus_1"),
    ("live before ended", {"status": "canceled", "amount": 900}, {"status": "trialing"}, {}, "cus_2"),
    ("more MRR", {"amount": 100}, {"amount": 900}, {}, "cus_2"),
    ("the older one", {"amount": 100}, {"amount": 100}, {"younger": "cus_1"}, "cus_2"),
    ("the smaller id", {"amount": 100}, {"amount": 100}, {}, "cus_1"),
]


@pytest.mark.parametrize(("why", "first", "second", "more", "expected"), PRIMARIES)
def test_the_primary_stripe_customer_is_chosen_in_order(
    live: StripeConnection,
    acme: Customer,
    why: str,
    first: dict[str, Any],
    second: dict[str, Any],
    more: dict[str, str],
    expected: str,
) -> None:
    rows = {}
    for stripe_id, fields in (("cus_1", first), ("cus_2", second)):
        created = LATER if more.get("younger") == stripe_id else LONG_AGO
        rows[stripe_id] = stripe_customer(live, stripe_id, created=created)
        StripeSubscriptionFactory(owner=rows[stripe_id], **fields)
    if winner := more.get("wins"):
        decide(DecisionKind.WINNER, {rows[winner]: MemberEffect.WINS}, on=[acme])

    derive_all(live)

    assert five(acme)[4] == expected, why


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"status": "trialing", "amount": 900}, {"status": "active", "amount": 1}, "second"),
        ({"status": "trialing"}, {"status": "unpaid"}, "first"),
        ({"amount": 100}, {"amount": 900}, "second"),
        ({"created": LATER}, {"created": LONG_AGO}, "second"),
        ({}, {}, "first"),
    ],
)
def test_the_primary_subscription_is_chosen_in_order(
    live: StripeConnection, acme: Customer, first: dict[str, Any], second: dict[str, Any], expected: str
) -> None:
    owner = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory(owner=owner, stripe_id="sub_1", lookup_key="first", **first)
    StripeSubscriptionFactory(owner=owner, stripe_id="sub_2", lookup_key="second", **second)

    derive_all(live)

    assert five(acme)[0] == expected


def test_nothing_attached_leaves_the_fields_empty(live: StripeConnection, acme: Customer) -> None:
    subscription = StripeSubscriptionFactory(owner=stripe_customer(live, "cus_1"))
    derive_all(live)
    StripeSubscription.objects.filter(pk=subscription.pk).delete()

    derive_all(live)

    assert five(acme) == ("", Decimal("0.00"), "none", None, "")
    assert (acme.billing_source, acme.next_change_at, acme.billing_as_of) == ("", None, None)
    assert not BillingSummary.objects.filter(customer=acme).exists()


def test_when_a_winner_ends_the_fields_stay_with_it_until_somebody_decides(
    live: StripeConnection, acme: Customer
) -> None:
    winner, loser = stripe_customer(live, "cus_1"), stripe_customer(live, "cus_2")
    won = StripeSubscriptionFactory(owner=winner)
    StripeSubscriptionFactory(owner=loser, amount=70_000)
    decide(DecisionKind.WINNER, {winner: MemberEffect.WINS, loser: MemberEffect.LOSES}, on=[acme])
    derive_all(live)
    assert five(acme)[1] == Decimal("100.00")
    change(won, status="canceled")

    derive.refreshed(live, {"cus_1"}, as_of=timezone.now())

    assert five(acme) == ("", Decimal("0.00"), "none", LONG_AGO, "cus_1")
    assert acme.billing_flags == [BillingFlag.UNDECIDED]
    assert [row.stripe_id for row in explain(acme).stripe_customers] == ["cus_1"]


# --- history -----------------------------------------------------------------------------------------------------


def test_the_first_sync_is_one_entry_and_one_point(live: StripeConnection, acme: Customer) -> None:
    StripeSubscriptionFactory(owner=stripe_customer(live, "cus_1"))

    derive_all(live)

    assert entries(acme) == [("billing.attached", "", "", "cus_1")]
    assert causes(acme) == [("first_sync", Decimal("100.00"))]


CAUSES = [
    ({"quantity": 3}, "seats", "300.00"),
    ({"amount": 20_000}, "price", "200.00"),
    ({"amount": 20_000, "quantity": 2}, "seats", "400.00"),
    ({"status": "canceled"}, "ended", "0.00"),
    ({"status": "trialing"}, "ended", "0.00"),
    (
        {
            "discounts": [
                {"id": "di_1", "source": {"coupon": {"id": "C", "duration": "forever", "percent_off": "50",
                                                    "applies_to": None}}}
            ]
        },
        "discount",
        "50.00",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("said", "cause", "mrr"), CAUSES)
def test_the_cause_comes_from_the_difference_of_two_receipts(
    live: StripeConnection, acme: Customer, said: dict[str, Any], cause: str, mrr: str
) -> None:
    subscription = StripeSubscriptionFactory(owner=stripe_customer(live, "cus_1"))
    derive_all(live)
    change(subscription, **said)

    derive.refreshed(live, {"cus_1"}, as_of=timezone.now())

    assert causes(acme)[1:] == [(cause, Decimal(mrr))]


def test_a_stripe_customer_that_joins_or_leaves_is_the_cause(live: StripeConnection, acme: Customer) -> None:
    StripeSubscriptionFactory(owner=stripe_customer(live, "cus_1"))
    mover = StripeCustomerFactory(connection=live, stripe_id="cus_2", email="x@elsewhere.com")
    StripeSubscriptionFactory(owner=mover)
    derive_all(live)
    for domain in ("acme.com", "elsewhere.com"):
        StripeCustomer.objects.filter(pk=mover.pk).update(email_domain=domain)
        derive.refreshed(live, {"cus_2"}, as_of=timezone.now())

    assert causes(acme)[1:] == [("added", Decimal("200.00")), ("ended", Decimal("100.00"))]


def test_what_people_decide_is_a_decision(live: StripeConnection, acme: Customer) -> None:
    first, second = stripe_customer(live, "cus_1"), stripe_customer(live, "cus_2")
    for owner in (first, second):
        StripeSubscriptionFactory(owner=owner)
    derive_all(live)
    decide(DecisionKind.WINNER, {first: MemberEffect.WINS, second: MemberEffect.LOSES}, on=[acme])

    derive.rematch(live, stripe_ids=frozenset({"cus_1", "cus_2"}), decided=True)

    assert causes(acme)[1:] == [("decision", Decimal("100.00"))]


def test_each_changed_field_is_an_entry_with_old_and_new(live: StripeConnection, acme: Customer) -> None:
    owner = stripe_customer(live, "cus_1")
    subscription = StripeSubscriptionFactory(owner=owner)
    derive_all(live)
    StripeInvoiceFactory(owner=owner)
    change(subscription, quantity=2)

    changed = derive.refreshed(live, {"cus_1"}, as_of=timezone.now(), origin="Resync by Mia")

    assert changed == {acme.pk: ["mrr", "payment_status"]}
    assert entries(acme)[1:] == [
        ("customer.field_changed", "mrr", "100.00", "200.00"),
        ("customer.field_changed", "payment_status", "none", "paid"),
    ]
    assert set(Activity.objects.filter(customer=acme).values_list("origin", flat=True)) == {"Stripe", "Resync by Mia"}


def test_billing_that_goes_is_one_entry(live: StripeConnection, acme: Customer) -> None:
    subscription = StripeSubscriptionFactory(owner=stripe_customer(live, "cus_1"))
    derive_all(live)
    StripeSubscription.objects.filter(pk=subscription.pk).delete()

    derive_all(live)
    derive_all(live)

    assert entries(acme)[1:] == [("billing.detached", "", "cus_1", "")]
    assert causes(acme)[1:] == [("ended", Decimal("0.00"))]


# --- the clock ---------------------------------------------------------------------------------------------------


def test_the_clock_alone_changes_what_was_announced_for_that_moment(live: StripeConnection, acme: Customer) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    coupon = {"id": "C", "duration": "repeating", "percent_off": "50", "applies_to": None}
    discount = {"id": "di_1", "source": {"coupon": coupon}, "end": int(ends.timestamp())}
    owner = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory(owner=owner, extra={"discounts": [discount]})
    derive_all(live, now=ends - timedelta(days=300))
    assert (five(acme)[1], acme.next_change_at) == (Decimal("50.00"), ends)
    passed = {**discount, "end": int((datetime.now(UTC) - timedelta(hours=1)).timestamp())}
    row = StripeSubscription.objects.get()
    change(row, discounts=[passed])
    Customer.objects.filter(pk=acme.pk).update(next_change_at=timezone.now() - timedelta(hours=1))

    assert derive.clock_ticked(live) == 1

    assert (five(acme)[1], acme.next_change_at) == (Decimal("100.00"), None)
    assert causes(acme)[1:] == [("discount", Decimal("100.00"))]
    assert Activity.objects.filter(customer=acme, actor_type="clock").count() == 1
    assert derive.clock_ticked(live) == 0


def test_a_due_date_that_passes_is_announced(live: StripeConnection, acme: Customer) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    owner = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory(owner=owner)
    StripeInvoiceFactory(
        owner=owner, status="open", extra={"collection_method": "send_invoice", "due_date": int(due.timestamp())}
    )

    derive_all(live)

    assert (five(acme)[2], acme.next_change_at) == ("none", due)


def discounted(live: StripeConnection, stripe_id: str, ends: datetime, **fields: Any) -> StripeSubscription:
    """A subscription with half off until then."""
    coupon = {"id": "C", "duration": "repeating", "percent_off": "50", "applies_to": None}
    discount = {"id": "di_1", "source": {"coupon": coupon}, "end": int(ends.timestamp())}
    owner = StripeCustomerFactory(connection=live, stripe_id=stripe_id, email=f"a@{stripe_id.removeprefix('cus_')}.com")
    return StripeSubscriptionFactory(owner=owner, extra={"discounts": [discount]}, **fields)


def test_what_no_customer_shows_moves_with_the_clock_too(live: StripeConnection, acme: Customer) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    unmatched = discounted(live, "cus_unmatched", ends)
    CustomerFactory(domain="outside.com")
    outside = discounted(live, "cus_outside", ends, lookup_key="addon")
    ScopeFilter.objects.create(connection=live, kind="lookup_key", value="growth_monthly")
    derive_all(live)

    assert derive.clock_ticked(live, now=ends) == 0

    for subscription in (unmatched, outside):
        subscription.refresh_from_db()
        assert (subscription.mrr, subscription.next_change_at) == (Decimal(100), None)


def test_however_many_are_due_all_are_moved(live: StripeConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "CHUNK", 2)
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    for number in range(5):
        CustomerFactory(domain=f"company{number}.com")
        discounted(live, f"cus_company{number}", ends)
    derive_all(live)

    assert derive.clock_ticked(live, now=ends) == 5


def test_an_issue_that_the_clock_settles_is_closed(live: StripeConnection, acme: Customer) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    coupon = {"id": "C", "duration": "repeating", "amount_off": 500, "currency": "eur", "currency_options": {}}
    discount = {"id": "di_1", "source": {"coupon": {**coupon, "applies_to": None}}, "end": int(ends.timestamp())}
    StripeSubscriptionFactory(owner=stripe_customer(live, "cus_1"), extra={"discounts": [discount]})
    derive_all(live)
    opened = SyncIssue.objects.get()
    assert (opened.state, opened.object_id) == ("open", "C")

    derive.clock_ticked(live, now=ends)

    opened.refresh_from_db()
    assert opened.state == "resolved"


def test_a_minute_in_which_nothing_is_due_costs_three_queries(
    live: StripeConnection, acme: Customer, django_assert_num_queries: Any
) -> None:
    discounted(live, "cus_1", datetime.now(UTC) + timedelta(days=1))
    derive_all(live)

    with django_assert_num_queries(3):
        assert derive.clock_ticked(live) == 0


# --- what is not written -----------------------------------------------------------------------------------------

DERIVED = (
    "customers_customer",
    "customers_activity",
    "customers_mrrpoint",
    "integrations_billingsummary",
    "integrations_stripecustomer",
    "integrations_stripesubscription",
    "integrations_syncissue",
)


def row_versions() -> dict[str, list[tuple[Any, ...]]]:
    """Where each derived row lies and which transaction wrote it."""
    versions = {}
    with database.cursor() as cursor:
        for table in DERIVED:
            cursor.execute(f"SELECT ctid::text, xmin::text FROM {table} ORDER BY 1")  # noqa: S608
            versions[table] = list(cursor.fetchall())
    return versions


def test_unchanged_data_writes_nothing(live: StripeConnection, acme: Customer) -> None:
    owner = stripe_customer(live, "cus_1")
    StripeSubscriptionFactory(owner=owner)
    StripeSubscriptionFactory(owner=owner, currency="ngn")
    StripeSubscriptionFactory(owner=stripe_customer(live, "cus_2"), status="canceled")
    StripeSubscriptionFactory()
    StripeInvoiceFactory(owner=owner, status="open", extra={"attempt_count": 1})
    derive_all(live)
    before = row_versions()

    derive_all(live)
    derive.rematch_all(live)

    assert row_versions() == before


def test_a_refresh_moves_as_of_and_a_run_leaves_it(live: StripeConnection, acme: Customer) -> None:
    StripeSubscriptionFactory(owner=stripe_customer(live, "cus_1"))
    first, second, third = (timezone.now() + timedelta(minutes=number) for number in range(3))
    derive_all(live, now=first)
    derive_all(live, now=second)
    acme.refresh_from_db()
    assert acme.billing_as_of == first

    derive.refreshed(live, {"cus_1"}, as_of=third)

    acme.refresh_from_db()
    assert acme.billing_as_of == third


def test_a_look_at_one_of_two_merged_customers_covers_only_that_one(live: StripeConnection, acme: Customer) -> None:
    for stripe_id in ("cus_1", "cus_2"):
        StripeSubscriptionFactory(owner=stripe_customer(live, stripe_id))
    run, look = timezone.now(), timezone.now() + timedelta(minutes=5)
    derive_all(live, now=run)

    derive.refreshed(live, {"cus_1"}, as_of=look)

    acme.refresh_from_db()
    assert acme.billing_as_of == run
    StripeCustomer.objects.filter(stripe_id="cus_1").update(observed_at=look)
    derive.refreshed(live, {"cus_2"}, as_of=look + timedelta(minutes=1))
    acme.refresh_from_db()
    assert acme.billing_as_of == look


def test_the_queries_of_a_roll_up_do_not_grow_with_the_customers(live: StripeConnection) -> None:
    def queries(number: int) -> int:
        for each in range(number):
            customer = CustomerFactory(domain=f"c{number}-{each}.com")
            owner = StripeCustomerFactory(connection=live, email=f"a@{customer.domain}")
            StripeSubscriptionFactory(owner=owner)
            StripeInvoiceFactory(owner=owner)
        with derive.lock(live):
            match.rematch_all(live)
        with CaptureQueriesContext(database) as captured:
            derive_all(live)
        return len(captured)

    queries(1)  # from here on there are customers that an earlier run remembers
    assert queries(5) == queries(10)


# --- environments ------------------------------------------------------------------------------------------------


def test_a_customer_that_changes_environment_shows_what_its_new_one_knows(
    live: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    for connection, amount in ((live, 10_000), (test, 500)):
        StripeSubscriptionFactory(
            owner=StripeCustomerFactory(connection=connection, stripe_id="cus_same", email="a@acme.com"), amount=amount
        )
    acme = CustomerFactory(domain="acme.com")
    for connection in (live, test):
        derive_all(connection)
    shown = [five(acme)[1]]
    for environment in (Environment.STAGING, Environment.PRODUCTION):
        with django_capture_on_commit_callbacks(execute=True):
            update_customer(acme, actor=None, environment=environment)
        shown.append(five(acme)[1])

    assert shown == [Decimal("100.00"), Decimal("5.00"), Decimal("100.00")]


def test_another_environments_connection_never_writes_a_customer(live: StripeConnection, acme: Customer) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    StripeSubscriptionFactory(owner=stripe_customer(live, "cus_1"))
    derive_all(live)

    assert derive.rematch(test, customer_ids=frozenset({acme.pk})) == {}

    assert five(acme)[1] == Decimal("100.00")


# --- two at once -------------------------------------------------------------------------------------------------


def test_the_customers_are_locked_in_the_order_of_their_ids(live: StripeConnection, acme: Customer) -> None:
    StripeSubscriptionFactory(owner=stripe_customer(live, "cus_1"))
    with CaptureQueriesContext(database) as captured:
        derive_all(live)

    locking = [query["sql"] for query in captured.captured_queries if "FOR UPDATE" in query["sql"]]
    assert locking
    assert all('ORDER BY "customers_customer"."id" ASC FOR UPDATE' in sql for sql in locking)


@pytest.mark.django_db(transaction=True)
def test_two_refreshes_of_one_merged_customer_lose_nothing() -> None:
    live, acme = StripeConnectionFactory(), CustomerFactory(domain="acme.com")
    subscriptions = {
        stripe_id: StripeSubscriptionFactory(owner=stripe_customer(live, stripe_id)) for stripe_id in ("cus_1", "cus_2")
    }
    derive_all(live)
    barrier = threading.Barrier(2)
    failed: list[BaseException] = []

    def refresh(stripe_id: str, quantity: int) -> None:
        try:
            barrier.wait(10)
            change(subscriptions[stripe_id], quantity=quantity)
            derive.refreshed(live, {stripe_id}, as_of=timezone.now())
        except BaseException as error:  # noqa: BLE001 - reported by the test's own thread
            failed.append(error)
        finally:
            database.close()

    for number in range(2, 12):
        threads = [threading.Thread(target=refresh, args=(stripe_id, number)) for stripe_id in subscriptions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not failed
        assert five(acme)[1] == Decimal(200 * number)

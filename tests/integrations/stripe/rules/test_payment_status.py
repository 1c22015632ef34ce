"""The table of docs/rules.md section 5, row by row, and what surrounds it."""

from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest

from integrations.stripe.api.objects import (
    Customer,
    InvoiceParent,
    InvoiceSubscriptionDetails,
    PaymentIntent,
)
from integrations.stripe.rules.payment_status import (
    AlsoOpen,
    LiveSubscription,
    OpenAmount,
    PaymentStatus,
    Reason,
    payment_status,
    sentence,
    verdict,
)
from integrations.stripe.rules.verdict import intent_status
from tests.integrations.stripe.rules.builders import NOW, a_payment, an_invoice, at, intents, payments

DUE = {"due_date": at(seconds=0)}
NOT_DUE = {"due_date": at(seconds=1)}
SENT = {"collection_method": "send_invoice"}

UNKNOWN = None
METHOD, CONFIRM, ACTION = "requires_payment_method", "requires_confirmation", "requires_action"
PROCESSING, CAPTURE, CANCELED, SUCCEEDED = "processing", "requires_capture", "canceled", "succeeded"
ALL_INTENTS = [UNKNOWN, METHOD, CONFIRM, ACTION, PROCESSING, CAPTURE, CANCELED, SUCCEEDED]


def kind(status: str | None, pi: str | None, attempts: int = 0, **fields: Any) -> str:
    invoice = an_invoice(status, pi=pi or "", attempt_count=attempts, **fields)
    return verdict(invoice, intents=intents(pi), now=NOW).kind


def rows(status: str, expected: str, pis: list[str | None], attempts: list[int], **fields: Any) -> list[Any]:
    return [
        pytest.param(status, pi, count, fields, expected, id=f"{status} {pi} {count} {' '.join(fields)}")
        for pi in pis
        for count in attempts
    ]


@pytest.mark.parametrize(
    ("status", "pi", "attempts", "fields", "expected"),
    [
        *rows("draft", "next", [UNKNOWN, METHOD], [0, 3]),
        *rows("void", "next", [UNKNOWN, METHOD], [0, 3]),
        *rows("paid", "paid", [UNKNOWN, SUCCEEDED, METHOD], [0, 3]),
        *rows("paid", "paid", [UNKNOWN], [0], amount_due=0),
        *rows("open", "failing", [METHOD], [1], amount_remaining=1),
        *rows("open", "paid", ALL_INTENTS, [0, 3], amount_remaining=0),
        *rows("open", "paid", [METHOD], [3], amount_remaining=0, **SENT, **DUE),
        # charged automatically
        *rows("open", "next", [UNKNOWN, METHOD, CONFIRM, CANCELED], [0, -1]),
        *rows("open", "next", [PROCESSING, CAPTURE], [0, 1]),
        *rows("open", "failing", [PROCESSING, CAPTURE], [2, 3]),
        *rows("open", "past_due", [ACTION], [0, 1, 4]),
        *rows("open", "failing", [METHOD, CANCELED, UNKNOWN], [1, 4]),
        *rows("open", "past_due", [CONFIRM], [1, 4]),
        *rows("open", "next", [SUCCEEDED], [0, 1]),
        *rows("open", "next", [SUCCEEDED], [1], **NOT_DUE),
        *rows("open", "past_due", [SUCCEEDED], [0, 1], **DUE),
        # sent as an invoice
        *rows("open", "next", ALL_INTENTS, [0, 3], **SENT),
        *rows("open", "next", ALL_INTENTS, [0, 3], **SENT, **NOT_DUE),
        *rows("open", "failing", [METHOD, CANCELED], [1, 4], **SENT, **DUE),
        *rows("open", "past_due", [METHOD, CANCELED], [0], **SENT, **DUE),
        *rows("open", "past_due", [UNKNOWN, CONFIRM, ACTION, PROCESSING, CAPTURE, SUCCEEDED], [0, 1, 4], **SENT, **DUE),
        # an unknown collection method goes by the due date
        *rows("open", "failing", [METHOD], [1], collection_method="carrier_pigeon"),
        *rows("open", "failing", [METHOD], [1], collection_method=None),
        *rows("open", "next", [METHOD], [1], collection_method="carrier_pigeon", **NOT_DUE),
        *rows("open", "past_due", [UNKNOWN], [1], collection_method=None, **DUE),
        # given up
        *rows("uncollectible", "next", [UNKNOWN, METHOD], [0, 3], reason="subscription_paused"),
        *rows("uncollectible", "failing", [UNKNOWN], [0, 3], reason="max_payment_attempts"),
        *rows("uncollectible", "failing", [UNKNOWN], [1, 3], reason="marked_by_hand"),
        *rows("uncollectible", "failing", [UNKNOWN], [1]),
        *rows("uncollectible", "past_due", [UNKNOWN, METHOD], [0]),
        *rows("uncollectible", "past_due", [UNKNOWN], [0], reason="marked_by_hand"),
        *rows("misplaced", "next", [UNKNOWN, METHOD], [0, 3]),
    ],
)
def test_each_row_of_the_table_gives_its_verdict(
    status: str, pi: str | None, attempts: int, fields: dict[str, Any], expected: str
) -> None:
    assert kind(status, pi, attempts, **fields) == expected


def test_an_invoice_that_was_never_finalised_says_nothing() -> None:
    assert kind(None, UNKNOWN) == "next"


def test_an_intent_status_we_do_not_know_is_unknown() -> None:
    assert kind("open", "daydreaming", 1) == "failing"
    assert kind("open", "daydreaming", 0) == "next"


def test_an_invoice_status_we_do_not_know_is_a_problem_of_that_invoice() -> None:
    invoices = [an_invoice("misplaced"), an_invoice("paid", id="in_0", created=at(days=-9))]
    found = payment_status(invoices, intents={}, subscriptions=[], now=NOW)
    assert (found.status, [(each.code, each.subject) for each in found.problems]) == (
        "paid",
        [("unknown_value", "in_1")],
    )


# The payment intent that stands for an invoice


def of(*data: Any, known: dict[str, str] | None = None) -> str:
    statuses = {"pi_a": METHOD, "pi_b": ACTION, "pi_c": PROCESSING} if known is None else known
    return intent_status(an_invoice(payments=payments(*data)), statuses)


@pytest.mark.parametrize("sent", [None, payments()])
def test_without_payments_the_intent_is_unknown(sent: Any) -> None:
    assert intent_status(an_invoice(payments=sent), {}) == "unknown"
    assert intent_status(an_invoice(), {}) == "unknown"


@pytest.mark.parametrize(
    "data",
    [
        (
            a_payment("a", intent="pi_a", is_default=True),
            a_payment("b", intent="pi_b", created=9),
            a_payment("z", intent="pi_c"),
        ),
        (
            a_payment("a", intent="pi_b"),
            a_payment("b", intent="pi_a", created=9),
            a_payment("z", intent="pi_c", created=8),
        ),
        (a_payment("b", intent="pi_a"), a_payment("a", intent="pi_b"), a_payment("B", intent="pi_c")),
        (a_payment("a", intent="pi_a"), a_payment("z", intent="pi_b", status="paid", created=9, is_default=True)),
    ],
    ids=["the default one", "then the newest", "then the larger id", "open ones only"],
)
def test_of_several_open_payments_one_stands_for_the_invoice(data: tuple[Any, ...]) -> None:
    for order in permutations(data):
        assert of(*order) == METHOD


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ((a_payment("a", intent="pi_a", status="paid"),), SUCCEEDED),
        (
            (a_payment("a", intent="pi_a", status="paid"), a_payment("b", intent="pi_b", status="canceled", created=9)),
            ACTION,
        ),
        ((a_payment("a", intent="pi_a", status="canceled"), a_payment("b", intent="pi_b", status="paid")), SUCCEEDED),
        ((a_payment("a", intent="pi_gone", status="canceled"),), "unknown"),
    ],
)
def test_without_an_open_payment_the_newest_one_stands(data: tuple[Any, ...], expected: str) -> None:
    for order in permutations(data):
        assert of(*order) == expected


def test_an_expanded_intent_brings_its_own_status() -> None:
    assert of(a_payment(intent=PaymentIntent(id="pi_a", status=ACTION))) == ACTION


@pytest.mark.parametrize("payment", [a_payment(intent=None), a_payment(payment_id="x", intent="pi_gone")])
def test_a_payment_without_a_readable_intent_is_unknown(payment: Any) -> None:
    assert of(payment) == "unknown"


def test_a_payment_without_a_source_is_unknown() -> None:
    payment = a_payment()
    assert of(type(payment)(id="inpay_1", status="open")) == "unknown"


# Which invoice decides


def statuses(*invoices: Any, subscriptions: Any = (), known: dict[str, str] | None = None) -> PaymentStatus:
    results = [
        payment_status(order, intents=known or {}, subscriptions=subscriptions, now=NOW)
        for order in permutations(invoices)
    ]
    assert all(result == results[0] for result in results)
    return results[0]


PAID_NEW = an_invoice("paid", id="in_new", created=at(days=-1), amount_remaining=0)
DRAFT = an_invoice("draft", id="in_draft", created=at(days=0))
FAILING_OLD = an_invoice("open", id="in_old", created=at(days=-30), attempt_count=4)
PAST_DUE_OLDER = an_invoice("uncollectible", id="in_older", created=at(days=-60), amount_remaining=500)
EURO_OLDER = an_invoice("uncollectible", id="in_euro", created=at(days=-50), amount_remaining=700, currency="eur")


def test_the_newest_invoice_with_something_to_say_decides() -> None:
    found = statuses(DRAFT, PAID_NEW, FAILING_OLD)
    assert (found.status, found.reason.invoice) == ("paid", "in_new")


def test_of_two_invoices_of_one_second_the_larger_id_decides() -> None:
    paid, failing = an_invoice("paid", id="in_a"), an_invoice("open", id="in_b", attempt_count=1)
    assert statuses(paid, failing).reason.invoice == "in_b"


def test_other_unpaid_invoices_are_counted_with_sums_by_currency() -> None:
    assert statuses(PAID_NEW, FAILING_OLD, PAST_DUE_OLDER, EURO_OLDER).also_open == AlsoOpen(
        3, NOW - timedelta(days=60), (OpenAmount("eur", Decimal(7)), OpenAmount("usd", Decimal(25)))
    )


def test_the_deciding_invoice_is_not_also_open() -> None:
    assert statuses(FAILING_OLD, DRAFT).also_open is None


def test_zero_decimal_amounts_are_not_divided() -> None:
    yen = an_invoice("uncollectible", id="in_yen", created=at(days=-50), amount_remaining=700, currency="jpy")
    also_open = statuses(PAID_NEW, yen).also_open
    assert also_open is not None
    assert also_open.totals == (OpenAmount("jpy", Decimal(700)),)


# The fallback


@pytest.mark.parametrize(
    ("subscriptions", "expected", "why"),
    [
        ([], "none", "no_invoice"),
        ([("active", None)], "none", "no_invoice"),
        ([("trialing", None), ("paused", None), ("hibernating", None)], "none", "no_invoice"),
        ([("unpaid", None)], "failing", "subscription_unpaid"),
        ([("unpaid", "send_invoice")], "failing", "subscription_unpaid"),
        ([("past_due", "charge_automatically")], "failing", "subscription_failing"),
        ([("past_due", None)], "failing", "subscription_failing"),
        ([("past_due", "send_invoice")], "past_due", "subscription_past_due"),
        ([("incomplete", None)], "past_due", "subscription_incomplete"),
        ([("active", None), ("incomplete", None), ("past_due", None)], "failing", "subscription_failing"),
        ([("incomplete", None), ("past_due", "send_invoice")], "past_due", "subscription_past_due"),
    ],
)
def test_without_a_deciding_invoice_the_worst_subscription_speaks(
    subscriptions: list[tuple[str, str | None]], expected: str, why: str
) -> None:
    live = [LiveSubscription(*subscription) for subscription in subscriptions]
    for order in permutations(live):
        found = statuses(DRAFT, subscriptions=order)
        assert (found.status, found.reason.why, found.reason.invoice, found.also_open) == (expected, why, "", None)


def test_subscriptions_are_silent_when_an_invoice_decides() -> None:
    assert statuses(PAID_NEW, subscriptions=[LiveSubscription("unpaid")]).status == "paid"


# The clock


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        (SENT | NOT_DUE, True),
        (SENT | DUE, False),
        (SENT, False),
        (NOT_DUE, False),
        ({"pi": SUCCEEDED} | NOT_DUE, True),
        ({"status": "paid"} | SENT | NOT_DUE, False),
        (SENT | {"due_date": 10**30}, False),
    ],
)
def test_a_due_date_that_would_change_the_verdict_is_the_next_change(fields: dict[str, Any], changes: bool) -> None:
    found = verdict(an_invoice(**fields), intents=intents(SUCCEEDED), now=NOW)
    assert found.next_change_at == (NOW + timedelta(seconds=1) if changes else None)


def test_the_earliest_due_date_of_all_invoices_is_the_next_change() -> None:
    later = an_invoice(id="in_later", due_date=at(days=8), **SENT)
    sooner = an_invoice(id="in_sooner", due_date=at(days=5), created=at(days=-9), **SENT)
    assert statuses(later, sooner).next_change_at == NOW + timedelta(days=5)
    assert statuses(PAID_NEW, later, sooner).next_change_at == NOW + timedelta(days=5)


# The reason


def test_the_reason_carries_the_deciding_invoice() -> None:
    invoice = an_invoice(
        attempt_count=2,
        next_payment_attempt=at(days=2),
        due_date=at(days=-1),
        amount_due=140000,
        amount_remaining=130000,
        parent=InvoiceParent(subscription_details=InvoiceSubscriptionDetails(subscription="sub_1")),
    )
    assert statuses(invoice).reason == Reason(
        why="declined",
        message="{attempts} declined, {next_attempt}, {amount_remaining} open",
        invoice="in_1",
        number="ACME-1",
        status="open",
        created=NOW - timedelta(days=3),
        due_date=NOW - timedelta(days=1),
        currency="usd",
        amount_due=140000,
        amount_remaining=130000,
        attempts=2,
        next_attempt=NOW + timedelta(days=2),
        customer="cus_1",
        subscription="sub_1",
    )


@pytest.mark.parametrize("fields", [{"parent": None}, {"parent": InvoiceParent()}])
def test_an_invoice_of_no_subscription_has_none_in_its_reason(fields: dict[str, Any]) -> None:
    reason = statuses(an_invoice("paid", customer=Customer(id="cus_9"), number=None, **fields)).reason
    assert (reason.subscription, reason.customer, reason.number) == ("", "cus_9", "")


def test_an_invoice_without_a_customer_has_none_in_its_reason() -> None:
    assert statuses(an_invoice("paid", customer=None)).reason.customer == ""


@pytest.mark.parametrize(
    ("fields", "pi", "text"),
    [
        ({"attempt_count": 2, "next_payment_attempt": at(days=2), "amount_remaining": 140000}, METHOD,
         "2 attempts declined, next on 24 Nov 2026, $1,400 open"),
        ({"attempt_count": 1}, METHOD, "1 attempt declined, no further attempt planned, $20 open"),
        ({"attempt_count": 2}, PROCESSING, "2 attempts at invoice ACME-1, the latest under way, $20 open"),
        ({}, ACTION, "The customer must confirm paying invoice ACME-1, $20 open"),
        ({"attempt_count": 1}, CONFIRM, "Paying invoice ACME-1 waits for confirmation, $20 open"),
        ({"amount_remaining": 0}, METHOD, "Nothing is left to pay on invoice ACME-1"),
        ({"status": "paid"}, METHOD, "Invoice ACME-1 is paid"),
        ({"status": "paid", "amount_due": 1}, METHOD, "Invoice ACME-1 is paid"),
        ({"status": "paid", "amount_due": 0}, METHOD, "Invoice ACME-1 is paid; nothing was charged"),
        ({"status": "paid", "number": None}, METHOD, "Invoice in_1 is paid"),
        ({"due_date": at(days=-2)}, SUCCEEDED, "Invoice ACME-1 is partly paid, due since 20 Nov 2026, $20 open"),
        (SENT | {"due_date": at(days=-2)}, ACTION, "Invoice ACME-1 was due on 20 Nov 2026, $20 open"),
        (SENT | {"due_date": at(days=-2), "attempt_count": 3}, METHOD,
         "3 attempts declined, due since 20 Nov 2026, $20 open"),
        ({"status": "uncollectible"}, METHOD, "Invoice ACME-1 was marked uncollectible, $20 open"),
        ({"status": "uncollectible", "attempt_count": 4}, METHOD,
         "Invoice ACME-1 was given up after 4 attempts, $20 open"),
        ({"amount_remaining": 2050, "currency": "eur"}, ACTION,
         "The customer must confirm paying invoice ACME-1, €20.50 open"),
        ({"amount_remaining": 2050, "currency": "jpy"}, ACTION,
         "The customer must confirm paying invoice ACME-1, JPY 2,050 open"),
    ],
)  # fmt: skip
def test_the_reason_reads_as_a_sentence(fields: dict[str, Any], pi: str, text: str) -> None:
    reason = statuses(an_invoice(pi=pi, **fields), known=intents(pi)).reason
    assert sentence(reason) == text


def test_a_reason_without_an_invoice_is_otherwise_empty() -> None:
    reason = statuses().reason
    assert msgspec.structs.asdict(reason) == {
        **dict.fromkeys(("invoice", "number", "status", "currency", "customer", "subscription"), ""),
        **dict.fromkeys(("created", "due_date", "next_attempt")),
        **dict.fromkeys(("amount_due", "amount_remaining", "attempts"), 0),
        "why": "no_invoice",
        "message": "No invoice says anything about paying yet",
        "outside_scope": False,
    }


def test_a_fallback_reads_as_a_sentence_too() -> None:
    reason = statuses(subscriptions=[LiveSubscription("unpaid")]).reason
    assert sentence(reason) == "No invoice decides, and a subscription is unpaid"


def test_dates_in_a_sentence_are_written_the_readers_way() -> None:
    reason = statuses(an_invoice(attempt_count=1, next_payment_attempt=at(days=2))).reason
    assert "next on 24/11," in sentence(reason, day=lambda when: f"{when:%d/%m}")


def test_braces_in_an_invoice_number_are_left_alone() -> None:
    assert sentence(statuses(an_invoice("paid", number="{due}")).reason) == "Invoice {due} is paid"


@pytest.mark.parametrize(
    ("status", "fields", "why"),
    [
        ("draft", {}, "draft"),
        ("void", {}, "void"),
        ("open", {}, "not_tried"),
        ("open", {"pi": PROCESSING}, "first_debit"),
        ("open", SENT, "not_due"),
        ("uncollectible", {"reason": "subscription_paused"}, "subscription_paused"),
    ],
)
def test_an_invoice_that_says_nothing_says_why(status: str, fields: dict[str, Any], why: str) -> None:
    assert verdict(an_invoice(status, **fields), intents=intents(PROCESSING), now=NOW).why == why

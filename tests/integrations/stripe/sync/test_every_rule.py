"""Every rule about money and paying, from Stripe's bytes to `stripe explain` and the receipt page.

The sandbox's rules profile has one Stripe customer for each. What they must show stands in the tables below, worked out
by hand from the cases (`sandbox/rules_money.py`, `sandbox/rules_paying.py`) and docs/rules.md, not by our code.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client, override_settings
from django.urls import reverse
from django.utils.module_loading import import_string
from pytest_django import DjangoDbBlocker

from customers.models import Activity, Customer
from integrations.management.commands.stripe import Command
from integrations.models import (
    ExchangeRate,
    IssueState,
    RateSource,
    RunState,
    Severity,
    StripeConnection,
    StripeInvoice,
    StripeSubscription,
    SyncIssue,
)
from integrations.stripe.sync import derive
from pivotal.schedules import SCHEDULES
from sandbox.testing import Running, running
from tests.factories import UserFactory
from tests.integrations.stripe.sync.syncing import connect, crm_rows, import_crm, sync

pytestmark = pytest.mark.django_db  # makes pytest-django set the database up, which `account` fills before any test

USD_PER_EURO, PER_EURO = Decimal("1.25"), {"jpy": 160, "isk": 125}
USD_PER_DINAR = Decimal("3.25")

# customer | MRR | plan as shown | payment status | why a subscription counts 0 | issues
MONEY = """
active                          | 100.00 | Growth       | paid |                |
past-due-still-counts           | 100.00 | Growth       | paid |                |
trialing                        |   0.00 | Growth       | paid | trialing       |
unpaid                          |   0.00 | Growth       | paid | unpaid         |
incomplete                      |   0.00 | Growth       | paid | incomplete     |
paused                          |   0.00 | Growth       | paid | paused         |
canceled                        |   0.00 |              | paid | ended          |
incomplete-expired              |   0.00 |              | paid | ended          |
unknown-status                  |   0.00 | Growth       | paid | unknown_status | unknown_value sub_unknown_status_0
set-to-end                      | 100.00 | Growth       | paid |                |
collection-paused               | 100.00 | Growth       | paid |                |
lookup-key                      | 100.00 | Growth plus  | paid |                |
product-name                    | 100.00 | Growth       | paid |                |
gone-product                    | 100.00 | Growth, old  | paid |                | record_gone prod_gone
bare-price                      | 100.00 | Unnamed plan | paid |                | record_gone prod_vanished
primary-by-mrr                  | 120.00 | Scale        | paid | trialing       |
started-before                  | 100.00 | Growth       | paid | ended          |
merged                          | 125.00 | Growth       | paid |                |
one-off-and-metered             | 100.00 | Growth       | paid |                |
only-metered                    |   0.00 | Growth       | paid | not_recurring  |
quantity-absent                 | 100.00 | Growth       | paid |                |
quantity-zero                   |   0.00 | Growth       | paid | free           |
packages-up                     | 594.00 | Growth       | paid |                |
packages-down                   | 495.00 | Growth       | paid |                |
currency-option                 |  92.50 | Growth       | paid |                |
tiers-in-a-currency-option      |  70.00 | Growth       | paid |                |
decimal-amount                  |   4.20 | Growth       | paid |                |
thirty-three-and-a-third        | 100.00 | Growth       | paid |                |
volume-first-tier               |  70.00 | Growth       | paid |                |
volume-second-tier              |  54.00 | Growth       | paid |                |
volume-without-end              | 100.20 | Growth       | paid |                |
graduated                       | 125.01 | Growth       | paid |                |
graduated-on-the-edge           |  70.00 | Growth       | paid |                |
graduated-zero                  |   0.00 | Growth       | paid | free           |
negative-price                  |  70.00 | Growth       | paid |                |
credited                        |   0.00 | Growth       | paid | credited       |
free                            |   0.00 | Growth       | paid | free           |
twelve-items                    |  78.00 | Growth       | paid |                |
item-percent-then-amount        |  65.00 | Growth       | paid |                |
item-amount-then-percent        |  67.50 | Growth       | paid |                |
item-coupon-of-another-product  |  90.00 | Growth       | paid |                |
inclusive-tax                   | 100.00 | Growth       | paid |                |
exclusive-tax                   | 125.00 | Growth       | paid |                |
two-inclusive-taxes             | 100.00 | Growth       | paid |                |
default-tax                     | 100.00 | Growth       | paid |                |
own-tax-beats-default           | 125.00 | Growth       | paid |                |
discount-before-tax             |  64.00 | Growth       | paid |                |
quarterly                       | 200.00 | Growth       | paid |                |
annual                          | 100.00 | Growth       | paid |                |
biennial                        | 100.00 | Growth       | paid |                |
weekly                          |  52.00 | Growth       | paid |                |
fortnightly                     |  26.00 | Growth       | paid |                |
daily                           | 365.00 | Growth       | paid |                |
every-73-days                   | 500.00 | Growth       | paid |                |
mixed-intervals                 |  20.00 | Growth       | paid |                |
percent                         | 360.00 | Growth       | paid |                |
amount                          | 350.00 | Growth       | paid |                |
stacked                         | 100.00 | Growth       | paid |                |
applies-to                      | 370.00 | Growth       | paid |                |
amount-spread-then-percent      | 175.00 | Growth       | paid |                |
amount-by-shortest-interval     | 300.00 | Growth       | paid |                |
amount-a-year                   |  90.00 | Growth       | paid |                |
amount-a-week                   |  26.00 | Growth       | paid |                |
amount-beyond-all               |   0.00 | Growth       | paid | discounted     |
amount-in-euros                 | 100.00 | Growth       | paid |                |
amount-not-in-euros             | 125.00 | Growth       | paid |                | invalid_response COUPON_AMOUNT_NOT_IN_EUROS_0_0
inherited                       |  75.00 | Growth       | paid |                |
own-beats-inherited             | 100.00 | Growth       | paid |                |
item-discount-and-inherited     |  45.00 | Growth       | paid |                |
forever-with-an-end             |  90.00 | Growth       | paid |                |
repeating                       |  90.00 | Growth       | paid |                |
repeating-without-end           |  90.00 | Growth       | paid |                |
repeating-over                  | 100.00 | Growth       | paid |                |
once                            | 100.00 | Growth       | paid |                |
euros                           | 100.00 | Growth       | paid |                |
yen                             |  93.75 | Growth       | paid |                |
dinars                          |  79.63 | Growth       | paid |                |
kronur                          |   1.00 | Growth       | paid |                |
no-rate                         |   0.00 | Growth       | paid | no_exchange_rate | no_exchange_rate ngn
thirds                          |  25.00 | Growth       | paid |                |
no-items                        |   0.00 |              | paid | no_items       | invalid_response sub_no_items_0
negative-quantity               |  25.00 | Growth       | paid |                | invalid_response price_negative_quantity_0_0
no-amount                       |  25.00 | Growth       | paid |                | invalid_response price_no_amount_0_0
no-option                       |  25.00 | Growth       | paid |                | invalid_response price_no_option_0_0
too-few-tiers                   |  25.00 | Growth       | paid |                | invalid_response price_too_few_tiers_0_0
deleted-coupon                  |  25.00 | Growth       | paid |                | permission_missing COUPON_DELETED_COUPON_0_0_0
coupon-without-size             | 100.00 | Growth       | paid |                | invalid_response COUPON_COUPON_WITHOUT_SIZE_0_0
unknown-interval                |  25.00 | Growth       | paid |                | unknown_value price_unknown_interval_0_0
unknown-scheme                  |  25.00 | Growth       | paid |                | unknown_value price_unknown_scheme_0_0
unknown-tiers-mode              |  25.00 | Growth       | paid |                | unknown_value price_unknown_tiers_mode_0_0
unknown-usage                   |  25.00 | Growth       | paid |                | unknown_value price_unknown_usage_0_0
unknown-rounding                |  25.00 | Growth       | paid |                | unknown_value price_unknown_rounding_0_0
unknown-duration                | 100.00 | Growth       | paid |                | unknown_value COUPON_UNKNOWN_DURATION_0_0
impossible-tax                  |  25.00 | Growth       | paid |                | invalid_response txr_impossible_tax_0_0_0
"""  # noqa: E501

# customer | MRR | payment status | the sentence that says why
PAYING = """
invoice-draft                    | 100.00 | none     | No invoice says anything about paying yet
invoice-void                     | 100.00 | none     | No invoice says anything about paying yet
invoice-paid                     | 100.00 | paid     | Invoice RULES-INVOICE_PAID_0 is paid
invoice-paid-nothing-charged     | 100.00 | paid     | Invoice RULES-INVOICE_PAID_NOTHING_CHARGED_0 is paid; nothing was charged
invoice-nothing-remaining        | 100.00 | paid     | Nothing is left to pay on invoice RULES-INVOICE_NOTHING_REMAINING_0
invoice-not-tried                | 100.00 | none     | No invoice says anything about paying yet
invoice-first-debit              | 100.00 | none     | No invoice says anything about paying yet
invoice-capture-pending          | 100.00 | none     | No invoice says anything about paying yet
invoice-retry-under-way          | 100.00 | failing  | 2 attempts at invoice RULES-INVOICE_RETRY_UNDER_WAY_0, the latest under way, $100 open
invoice-action-required          | 100.00 | past_due | The customer must confirm paying invoice RULES-INVOICE_ACTION_REQUIRED_0, $100 open
invoice-declined                 | 100.00 | failing  | 2 attempts declined, next on 17 Mar 2030, $100 open
invoice-declined-unknown-intent  | 100.00 | failing  | 1 attempt declined, no further attempt planned, $100 open
invoice-declined-canceled        | 100.00 | failing  | 1 attempt declined, no further attempt planned, $100 open
invoice-unknown-intent-status    | 100.00 | failing  | 1 attempt declined, no further attempt planned, $100 open
invoice-confirmation-required    | 100.00 | past_due | Paying invoice RULES-INVOICE_CONFIRMATION_REQUIRED_0 waits for confirmation, $100 open
invoice-partly-paid              | 100.00 | none     | No invoice says anything about paying yet
invoice-partly-paid-due          | 100.00 | past_due | Invoice RULES-INVOICE_PARTLY_PAID_DUE_0 is partly paid, due since <2 days ago>, $100 open
invoice-sent                     | 100.00 | none     | No invoice says anything about paying yet
invoice-sent-without-due-date    | 100.00 | none     | No invoice says anything about paying yet
invoice-sent-due                 | 100.00 | past_due | Invoice RULES-INVOICE_SENT_DUE_0 was due on <2 days ago>, $100 open
invoice-sent-due-declined        | 100.00 | failing  | 1 attempt declined, due since <2 days ago>, $100 open
invoice-unknown-collection-due   | 100.00 | past_due | Invoice RULES-INVOICE_UNKNOWN_COLLECTION_DUE_0 was due on <2 days ago>, $100 open
invoice-unknown-collection-auto  | 100.00 | failing  | 1 attempt declined, no further attempt planned, $100 open
invoice-set-aside                | 100.00 | none     | No invoice says anything about paying yet
invoice-given-up                 | 100.00 | failing  | Invoice RULES-INVOICE_GIVEN_UP_0 was given up after 0 attempts, $100 open
invoice-given-up-after-attempts  | 100.00 | failing  | Invoice RULES-INVOICE_GIVEN_UP_AFTER_ATTEMPTS_0 was given up after 3 attempts, $100 open
invoice-written-off              | 100.00 | past_due | Invoice RULES-INVOICE_WRITTEN_OFF_0 was marked uncollectible, $100 open
invoice-unknown-status           | 100.00 | paid     | Invoice RULES-INVOICE_UNKNOWN_STATUS_1 is paid
newest-that-speaks               | 100.00 | paid     | Invoice RULES-NEWEST_THAT_SPEAKS_1 is paid
newest-fails                     | 100.00 | failing  | 1 attempt declined, no further attempt planned, $100 open
silent-active                    | 100.00 | none     | No invoice says anything about paying yet
silent-unpaid                    |   0.00 | failing  | No invoice decides, and a subscription is unpaid
silent-past-due                  | 100.00 | failing  | No invoice decides, and a subscription is past due
silent-past-due-by-invoice       | 100.00 | past_due | No invoice decides, and a subscription paid by invoice is past due
silent-incomplete                |   0.00 | past_due | No invoice decides, and a subscription lacks its first payment
silent-worst-wins                |   0.00 | failing  | No invoice decides, and a subscription is unpaid
"""  # noqa: E501

ISSUE_OF_AN_INVOICE = ("unknown_value", "in_invoice_unknown_status_0")


def table(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


@pytest.fixture(scope="module")
def account(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Running]:
    """The account, synced once for all tests of this module and undone after the last."""
    with running("rules") as stripe, django_db_blocker.unblock(), transaction.atomic():
        with override_settings(STRIPE_RATE_LIVE=0, STRIPE_API_BASE=stripe.url):
            add_rates(datetime.now(UTC).date())
            import_crm(crm_rows("rules"))
            run = sync(connect(stripe))
        assert run.state == RunState.SUCCEEDED
        yield stripe
        assert stripe.requests()["non_get_outside_token_endpoints"] == 0
        transaction.set_rollback(True)


def add_rates(day: date) -> None:
    """The rates the cases were made for, newer than those we ship."""
    units = {"usd": USD_PER_EURO, **PER_EURO}
    ecb = [ExchangeRate(date=day, currency=each, source=RateSource.ECB, units_per_euro=units[each]) for each in units]
    dinar = ExchangeRate(date=day, currency="kwd", source=RateSource.ADMIN, usd_per_unit=USD_PER_DINAR)
    ExchangeRate.objects.bulk_create([*ecb, dinar])


def customer(slug: str) -> Customer:
    return Customer.objects.get(domain=f"{slug}.rules.example")


@cache
def said(slug: str, *options: str) -> str:
    """What `manage.py stripe explain` prints; asked once, since the tests of this module read the same data."""
    out, command = io.StringIO(), Command()
    command.requires_migrations_checks = False  # it reads every migration, and this is called for every customer
    call_command(command, "explain", str(customer(slug).pk), *options, stdout=out)
    return out.getvalue()


def explained(slug: str) -> dict[str, Any]:
    """The same as JSON."""
    found: dict[str, Any] = json.loads(said(slug, "--json"))
    return found


@pytest.fixture
def reader(client: Client) -> Client:
    """Somebody who may read receipts."""
    client.force_login(UserFactory())
    return client


SLUGS = [row[0] for row in (*table(MONEY), *table(PAYING))]


@pytest.mark.parametrize("row", table(MONEY), ids=lambda row: row[0])
def test_each_rule_about_money_gives_the_figure_worked_out_by_hand(account: Running, row: list[str]) -> None:
    found = explained(row[0])
    why = {one["receipt"]["why_zero"] for one in found["subscriptions"]} - {""}
    issues = {problem for one in found["subscriptions"] for problem in one["problems"]}
    assert [
        row[0],
        found["mrr"],
        found["plan_label"],
        found["payment_status"],
        ", ".join(why),
        ", ".join(issues),
    ] == row


@pytest.mark.parametrize("row", table(PAYING), ids=lambda row: row[0])
def test_each_rule_about_paying_gives_its_verdict_and_says_why(account: Running, row: list[str]) -> None:
    found = explained(row[0])
    two_days_ago = datetime.now(UTC) - timedelta(days=2)
    sentence = row[3].replace("<2 days ago>", f"{two_days_ago.day} {two_days_ago:%b %Y}")
    assert [found["mrr"], found["payment_status"], found["payment_reason"]] == [row[1], row[2], sentence]
    assert sentence in said(row[0])


def test_every_customer_of_the_account_stands_in_a_table(account: Running) -> None:
    assert sorted(SLUGS) == sorted(
        domain.partition(".")[0] for domain in Customer.objects.values_list("domain", flat=True)
    )


def test_every_problem_is_one_open_issue_with_the_id_of_its_object(account: Running) -> None:
    expected = [tuple(row[5].split(" ")) for row in table(MONEY) if row[5]] + [ISSUE_OF_AN_INVOICE]
    open_issues = SyncIssue.objects.filter(state=IssueState.OPEN)
    assert sorted(open_issues.values_list("code", "object_id")) == sorted(expected)
    assert set(open_issues.values_list("severity", flat=True)) == {Severity.WARNING}


# --- adding up -------------------------------------------------------------------------------------------------------


def cents(exact: Decimal) -> Decimal:
    return exact.quantize(Decimal("1e-9"), ROUND_HALF_UP).quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_lines_add_up_to_the_shown_figure_in_json_as_printed_and_on_the_page(
    account: Running, reader: Client, slug: str
) -> None:
    check_json(explained(slug))
    check_print(said(slug))
    page = reader.get(reverse("stripe:receipt", args=[customer(slug).pk])).content.decode()
    check_page(page, customer(slug).mrr)


def check_json(found: dict[str, Any]) -> None:
    for one in found["subscriptions"]:
        receipt = one["receipt"]
        assert sum(Decimal(line.get("usd", "0")) for line in receipt["lines"]) == Decimal(receipt["contribution"])
        assert receipt["contribution"] == one["mrr"]
    exact = sum(Decimal(one["mrr"]) for one in found["subscriptions"])
    assert exact == Decimal(found["mrr_exact"])
    assert cents(exact) == Decimal(found["mrr"])
    assert "E-" not in json.dumps([one["mrr"] for one in found["subscriptions"]] + [found["mrr_exact"]])


def amount(text: str) -> Decimal:
    return Decimal(text.strip().replace("−", "-").replace("$", "").replace(",", "") or "0")


def check_print(text: str) -> None:
    head, *blocks = text.split("\n\n")
    contributions = []
    for block in blocks:
        *lines, last = [line for line in block.splitlines() if line.startswith("  ")]
        assert last.strip().startswith("contributes")
        contributions.append(amount(last[50:75]))
        assert sum(amount(line[50:75]) for line in lines) == contributions[-1]
    shown = re.search(r"^MRR +\$(\S+)", head, re.MULTILINE)
    assert shown is not None
    assert cents(sum(contributions, Decimal(0))) == amount(shown[1])


def check_page(page: str, mrr: Decimal) -> None:
    contributions = []
    for table_ in re.findall(r'<table class="receipt__lines">.*?</table>', page, re.DOTALL):
        effects = re.findall(r"<td>([^<]*)</td>\s*</tr>", table_)
        *lines, last = [effect for effect in effects if not effect.startswith("×")]  # rates show themselves
        contributions.append(amount(last))
        assert sum(amount(effect.replace("—", "")) for effect in lines) == contributions[-1]
    assert cents(sum(contributions, Decimal(0))) == mrr
    assert f"${mrr:,.2f}" in page


# --- what else a receipt says ----------------------------------------------------------------------------------------


def test_the_plan_is_stored_raw(account: Running) -> None:
    stored = [explained(slug)["plan"] for slug in ("lookup-key", "product-name", "bare-price", "primary-by-mrr")]
    assert stored == ["growth_plus_annual", "Growth", "price_bare_price_0_0", "scale_monthly"]


def test_an_ended_subscription_says_since_when_there_is_billing(account: Running) -> None:
    days = [
        (datetime.now(UTC) - datetime.fromisoformat(explained(slug)["billing_started_at"])).days
        for slug in ("active", "started-before", "canceled")
    ]
    assert days == [400, 900, 400]


def test_merged_stripe_customers_are_told_apart(account: Running) -> None:
    found = explained("merged")
    assert found["stripe_customer_id"] == "cus_merged"
    assert {one["id"]: one["ambiguous"] for one in found["stripe_customers"]} == {
        "cus_merged": "shared_domain",
        "cus_merged_second": "shared_domain",
    }


def test_a_converted_line_names_its_rate_its_date_and_its_source(account: Running) -> None:
    today = datetime.now(UTC)
    for slug, rate, source in (("euros", "1.25", "ecb"), ("dinars", "3.25", "admin")):
        line = explained(slug)["subscriptions"][0]["receipt"]["lines"][-1]
        assert (line["kind"], line["rate"].rstrip("0"), line["rate_source"]) == ("rate", rate, source)
        assert line["rate_date"] == f"{today:%Y-%m-%d}"
    assert f"1 EUR = 1.25 USD, ECB, {today.day} {today:%b %Y}" in said("euros")


def test_rates_older_than_a_week_say_their_age_wherever_a_receipt_is_read(account: Running, reader: Client) -> None:
    subscription = StripeSubscription.objects.get(customer_id="cus_euros")
    old = datetime.now(UTC).date() - timedelta(days=25)
    subscription.receipt["lines"][-1]["rate_date"] = old.isoformat()
    subscription.save()
    page = reader.get(reverse("stripe:receipt", args=[customer("euros").pk])).content.decode()

    assert ", 25 days old" in page
    assert ", 25 days old" in said.__wrapped__("euros")
    lines = json.loads(said.__wrapped__("euros", "--json"))["subscriptions"][0]["receipt"]["lines"]
    assert lines[-1]["detail"].endswith(", 25 days old")


def test_the_invoice_that_decides_is_told_with_its_facts(account: Running) -> None:
    created = datetime.now(UTC) - timedelta(days=3)
    assert (
        f"invoice         RULES-INVOICE_DECLINED_0 (in_invoice_declined_0) of cus_invoice_declined, open, "
        f"created {created.day} {created:%b %Y}, $100.00 due, $100.00 open, 2 attempts, next attempt 17 Mar 2030"
    ) in said("invoice-declined")


def test_what_a_newer_invoice_hides_is_told(account: Running) -> None:
    found = explained("newest-that-speaks")["also_open"]
    oldest = datetime.now(UTC) - timedelta(days=63)
    assert (found["count"], found["totals"]) == (1, [{"currency": "usd", "amount": "100"}])
    assert found["oldest"].startswith(f"{oldest:%Y-%m-%d}")
    assert f"also open       1 older: $100.00, the oldest of {oldest.day} {oldest:%b %Y}" in said("newest-that-speaks")
    assert explained("newest-fails")["also_open"] is None


def test_what_the_clock_will_change_is_known(account: Running) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    expected = {"repeating": midnight + timedelta(days=20), "invoice-sent": midnight + timedelta(days=5)}
    known = Customer.objects.filter(next_change_at__isnull=False).values_list("domain", "next_change_at")
    assert {domain.partition(".")[0]: moment for domain, moment in known} == expected


# --- the clock -------------------------------------------------------------------------------------------------------


def test_time_that_passes_moves_figures_from_the_mirror_without_stripe(account: Running) -> None:
    live = StripeConnection.objects.get()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    repeating, sent = customer("repeating"), customer("invoice-sent")
    account.reset_requests()

    assert derive.clock_ticked(live, now=midnight + timedelta(days=5, seconds=-1)) == 0
    assert derive.clock_ticked(live, now=midnight + timedelta(days=5)) == 1
    sent.refresh_from_db()
    assert sent.payment_status == "past_due"
    assert derive.clock_ticked(live, now=midnight + timedelta(days=20)) == 1
    repeating.refresh_from_db()
    assert repeating.mrr == Decimal("100.00")
    assert derive.clock_ticked(live, now=midnight + timedelta(days=999)) == 0

    assert (customer("repeating").mrr, customer("invoice-sent").payment_status) == (Decimal("100.00"), "past_due")
    assert not Customer.objects.filter(next_change_at__isnull=False).exists()
    assert account.requests()["by_method"] == {}


def test_the_schedule_each_minute_is_what_moves_them(account: Running) -> None:
    """The moments that were announced are moved into the past, as if so many days had gone by."""
    an_hour_ago = int((datetime.now(UTC) - timedelta(hours=1)).timestamp())
    subscription = StripeSubscription.objects.get(stripe_id="sub_repeating_0")
    subscription.data["discounts"][0]["end"] = an_hour_ago
    subscription.save()
    invoice = StripeInvoice.objects.get(stripe_id="in_invoice_sent_0")
    invoice.data["due_date"] = an_hour_ago
    invoice.save()
    soon = Customer.objects.filter(next_change_at__isnull=False)
    assert soon.update(next_change_at=datetime.now(UTC) - timedelta(hours=1)) == 2
    account.reset_requests()
    (task,) = [each["func"] for name, each in SCHEDULES.items() if name == "clock" and each["minutes"] == 1]

    import_string(str(task))()

    assert (customer("repeating").mrr, customer("invoice-sent").payment_status) == (Decimal("100.00"), "past_due")
    changes = Activity.objects.filter(actor_type="clock").values_list("customer__domain", "field", "new")
    assert {(domain.partition(".")[0], field, new) for domain, field, new in changes} == {
        ("repeating", "mrr", "100.00"),
        ("invoice-sent", "payment_status", "past_due"),
    }
    assert account.requests()["by_method"] == {}

"""Reading few invoices says the same as reading every one of them, whatever they are and however they change."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from customers.models import Customer
from integrations.models import ApiCall, RunState, StripeConnection, StripeInvoice
from integrations.stripe.sync import calls, refresh
from integrations.stripe.sync.beside import Beside
from sandbox.testing import Running
from tests.factories import CustomerFactory
from tests.integrations.stripe.sync.recomputation import Books, payment_status
from tests.integrations.stripe.sync.syncing import connect, sync

pytestmark = pytest.mark.django_db

DAY = 86_400
CUSTOMERS = 24
INTENTS = (
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "canceled",
    "succeeded",
    None,
)
KEYS = ("rk_live_all", "rk_live_four", "rk_live_four_noexpand")


class Account:
    """An account whose customers have one subscription each and whatever invoices chance gives them."""

    def __init__(self, stripe: Running, seed: int) -> None:
        self.stripe = stripe
        self.chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.now = int(time.time())
        self.number = 0
        stripe.put("products", "prod_growth", {"name": "Growth"}, event="none")
        price = {"product": "prod_growth", "unit_amount": 10000, "recurring": {"interval": "month"}}
        stripe.put("prices", "price_growth", {**price, "lookup_key": "growth_monthly", "currency": "usd"}, event="none")

    def add_customer(self, number: int) -> str:
        """A paying customer of ours and of Stripe's, without an invoice; returns its Stripe id."""
        CustomerFactory(domain=f"company{number}.com")
        customer_id = f"cus_{number:04d}"
        created = self.now - 400 * DAY
        self.stripe.put(
            "customers", customer_id, {"email": f"billing@company{number}.com", "created": created}, event="none"
        )
        subscription = {
            "customer": customer_id,
            "currency": "usd",
            "created": created,
            "status": self.chance.choice(["active", "active", "past_due", "trialing", "unpaid", "incomplete"]),
            "collection_method": self.chance.choice(["charge_automatically", "send_invoice"]),
            "items": [{"price": "price_growth", "quantity": 1}],
        }
        self.stripe.put("subscriptions", f"sub_{number:04d}", subscription, event="none")
        return customer_id

    def add_invoice(self, customer_id: str, **fixed: Any) -> str:
        """An invoice like any; every third belongs to the subscription and may become its latest."""
        self.number += 1
        invoice_id = f"in_{self.number:05d}"
        sent = self.chance.random() < 0.4
        value: dict[str, Any] = {
            "customer": customer_id,
            "currency": "usd",
            "total": self.chance.choice([0, 5000, 10000]),
            "status": self.chance.choice(["draft", "open", "open", "open", "paid", "paid", "uncollectible", "void"]),
            # Few moments, so that some are equal and the id decides.
            "created": self.now - self.chance.randrange(1, 12) * 10 * DAY,
            "collection_method": "send_invoice" if sent else "charge_automatically",
            "attempt_count": self.chance.choice([0, 0, 1, 2, 4]),
            **fixed,
        }
        if sent:
            value["due_date"] = self.now + self.chance.choice([-20, -1, 1, 20]) * DAY
        intent = self.chance.choice(INTENTS)
        if value["status"] in {"open", "uncollectible"} and intent:
            value["payment_intent_status"] = intent
        if self.chance.random() < 0.3:
            value["subscription"] = f"sub_{customer_id[-4:]}"
        self.stripe.put("invoices", invoice_id, value, event="none")
        self._finish(invoice_id, value)
        return invoice_id

    def _finish(self, invoice_id: str, value: dict[str, Any]) -> None:
        """What chance adds to an unpaid invoice: why it was given up, what was paid of it, a second try."""
        if value["status"] == "uncollectible":
            reason = self.chance.choice([None, "max_payment_attempts", "subscription_paused"])
            self.stripe.patch(
                "invoices", invoice_id, {"status_details": {"uncollectible": {"reason": reason}}}, event="none"
            )
        if value["status"] == "open" and self.chance.random() < 0.25:
            paid = {"invoice": invoice_id, "status": "paid", "created": value["created"] + 7200}
            source = {"type": "payment_intent", "payment_intent": f"pi_part_{self.number}"}
            self.stripe.put("payment_intents", f"pi_part_{self.number}", {"status": "succeeded"}, event="none")
            self.stripe.put("invoice_payments", f"inpay_part_{self.number}", {**paid, "payment": source}, event="none")

    def let_time_pass(self) -> None:
        """Some open invoices are paid, given up or voided, some drafts are sent, some new ones are made."""
        for invoice in self.stripe.data()["invoices"]:
            draw = self.chance.random()
            if invoice["status"] == "open" and draw < 0.5:
                status = self.chance.choice(["paid", "void", "uncollectible"])
                remaining = 0 if status == "paid" else invoice["amount_remaining"]
                changes = {"status": status, "amount_remaining": remaining}
                self.stripe.patch("invoices", invoice["id"], changes, event="none")
            elif invoice["status"] == "uncollectible" and draw < 0.3:
                self.stripe.patch("invoices", invoice["id"], {"status": "paid", "amount_remaining": 0}, event="none")
            elif invoice["status"] == "draft" and draw < 0.5:
                self.stripe.patch(
                    "invoices", invoice["id"], {"status": self.chance.choice(["open", "paid"])}, event="none"
                )
            elif draw < 0.1:
                self.add_invoice(invoice["customer"], created=self.now - 5)

    def statuses(self) -> dict[str, str]:
        """What somebody who read every invoice says, by domain."""
        data: dict[str, list[Any]] = {
            kind: [] for kind in ("invoices", "invoice_payments", "payment_intents")
        } | self.stripe.data()
        books = Books.of({"coupons": [], "discounts": [], **data})
        return {
            customer["email"].partition("@")[2]: payment_status(
                books, books.invoices[customer["id"]], books.subscriptions[customer["id"]], time.time()
            )
            for customer in data["customers"]
        }


def found() -> dict[str, str]:
    return dict(Customer.objects.values_list("domain", "payment_status"))


@pytest.fixture(params=range(2))
def account(empty: Running, request: pytest.FixtureRequest) -> Account:
    account = Account(empty, seed=request.param)
    for number in range(CUSTOMERS):
        customer_id = account.add_customer(number)
        for _invoice in range(account.chance.randrange(7)):
            account.add_invoice(customer_id)
    return account


@pytest.mark.parametrize("key", KEYS)
def test_the_payment_status_is_that_of_somebody_who_read_every_invoice(account: Account, key: str) -> None:
    connection = connect(account.stripe, key)
    first = sync(connection)
    at_first, expected_at_first = found(), account.statuses()
    account.let_time_pass()
    second = sync(connection)
    later, expected_later = found(), account.statuses()

    assert (first.state, second.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
    assert at_first == expected_at_first
    assert later == expected_later
    assert at_first != later


def test_a_refresh_says_the_same_as_a_run(account: Account) -> None:
    connection = connect(account.stripe)
    sync(connection)
    account.let_time_pass()
    half = account.stripe.data()["customers"][::2]
    for customer in half:
        refresh.refresh(connection, customer["id"])

    expected = account.statuses()
    domains = [customer["email"].partition("@")[2] for customer in half]
    assert {domain: found()[domain] for domain in domains} == {domain: expected[domain] for domain in domains}


def test_the_random_accounts_meet_every_status(empty: Running) -> None:
    statuses: set[str] = set()
    for seed in range(2):
        account = Account(empty, seed)
        for number in range(CUSTOMERS):
            customer_id = account.add_customer(seed * 100 + number)
            for _invoice in range(account.chance.randrange(7)):
                account.add_invoice(customer_id)
        statuses |= set(account.statuses().values())

    assert statuses == {"paid", "past_due", "failing", "none"}


@pytest.mark.parametrize("key", KEYS)
def test_paging_paid_invoices_says_the_same_as_reading_them_one_by_one(
    account: Account, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.stripe.sync.paid_invoices.WORTH_PAGING", 1)
    run = sync(connect(account.stripe, key))

    assert run.state == RunState.SUCCEEDED
    assert found() == account.statuses()


@pytest.fixture
def quick_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read beside a small account's subscriptions is through before the next page of those is written."""
    write_ready = Beside.write_ready

    def write_all(beside: Beside) -> None:
        write_ready(beside)
        while any(track.fetcher for track in beside.tracks):
            beside.finish()
            write_ready(beside)

    monkeypatch.setattr(Beside, "write_ready", write_all)
    monkeypatch.setattr("integrations.stripe.api.pages.LARGEST_PAGE", 2)
    monkeypatch.setattr("integrations.stripe.sync.walking.PAGES_A_BATCH", 1)
    monkeypatch.setattr("integrations.stripe.sync.beside.LONG", 1)
    monkeypatch.setattr("integrations.stripe.sync.beside.WORTH_READING_BESIDE", 1)


@pytest.mark.usefixtures("quick_beside")
def test_paid_invoices_paged_beside_the_subscriptions_are_everybodys(account: Account) -> None:
    """Also of those whose subscription comes later, or brings a failing invoice after one that was paid."""
    connection = connect(account.stripe)
    account.stripe.reset_requests()
    run = sync(connection)
    asked = [(each["path"], dict(each["query"]).get("status")) for each in account.stripe.requests()["recent"]]
    subscriptions = [number for number, (path, _status) in enumerate(asked) if path == "/v1/subscriptions"]

    assert run.state == RunState.SUCCEEDED
    assert found() == account.statuses()
    assert subscriptions[0] < asked.index(("/v1/invoices", "open")) < asked.index(("/v1/invoices", "paid"))
    assert asked.index(("/v1/invoices", "paid")) < subscriptions[-1]


@pytest.mark.usefixtures("quick_beside")
def test_paid_invoices_of_people_without_a_subscription_leave_the_mirror(account: Account) -> None:
    account.stripe.put("customers", "cus_one_off", {"email": "one@off.com"}, event="none")
    account.add_invoice("cus_one_off", status="paid", created=account.now - 5)
    sync(connect(account.stripe))

    assert not StripeInvoice.objects.filter(customer_id="cus_one_off").exists()


def test_the_run_says_how_many_single_reads_it_needed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "KEPT", 1000)
    monkeypatch.setattr("integrations.stripe.sync.paid_invoices.WORTH_PAGING", 1000)
    connection = connect(account.stripe)
    ApiCall.objects.all().delete()
    run = sync(connection)

    single = [call.path for call in ApiCall.objects.all() if "customer=" in call.path or call.path.count("/") > 2]
    assert run.own_reads == len(single) > 0
    assert run.api_requests == ApiCall.objects.count()


# --- one by one ------------------------------------------------------------------------------------------------------


@pytest.fixture
def one(empty: Running) -> Account:
    """An account with a single customer and nothing left to chance."""
    account = Account(empty, seed=0)
    CustomerFactory(domain="company0.com")
    created = account.now - 400 * DAY
    empty.put("customers", "cus_0000", {"email": "billing@company0.com", "created": created}, event="none")
    items = [{"price": "price_growth"}]
    value = {"customer": "cus_0000", "currency": "usd", "created": created, "status": "active", "items": items}
    empty.put("subscriptions", "sub_0000", value, event="none")
    return account


def put(account: Account, invoice_id: str, days_ago: int, status: str, **more: Any) -> None:
    value = {"customer": "cus_0000", "currency": "usd", "total": 5000, "created": account.now - days_ago * DAY}
    account.stripe.put("invoices", invoice_id, {**value, "status": status, **more}, event="none")


def mirrored() -> set[str]:
    return set(StripeInvoice.objects.values_list("stripe_id", flat=True))


def test_a_customer_whose_latest_invoice_is_paid_needs_no_read_of_its_own(one: Account) -> None:
    put(one, "in_old", 40, "paid")
    put(one, "in_latest", 10, "paid", subscription="sub_0000")
    run = sync(connect(one.stripe))

    assert (found(), run.own_reads) == ({"company0.com": "paid"}, 0)
    assert mirrored() == {"in_latest"}


def test_a_newer_paid_one_off_overtakes_a_failing_invoice(one: Account) -> None:
    put(one, "in_failing", 20, "open", attempt_count=3, subscription="sub_0000")
    put(one, "in_one_off", 10, "paid")
    run = sync(connect(one.stripe))

    assert (found(), run.own_reads) == ({"company0.com": "paid"}, 1)
    assert Customer.objects.get().billing_flags == ["older_invoice_open"]


def add_failing(account: Account, number: int, *, days_ago: int = 5) -> None:
    """A further customer, whose newest invoice fails after one that was paid last month."""
    CustomerFactory(domain=f"failing{number}.com")
    customer_id, created = f"cus_failing{number}", account.now - 400 * DAY
    email = f"billing@failing{number}.com"
    account.stripe.put("customers", customer_id, {"email": email, "created": created}, event="none")
    items = [{"price": "price_growth"}]
    value = {"customer": customer_id, "currency": "usd", "created": created, "status": "active", "items": items}
    account.stripe.put("subscriptions", f"sub_failing{number}", value, event="none")
    put(account, f"in_failing{number}_paid", days_ago + 30, "paid", customer=customer_id)
    put(account, f"in_failing{number}_open", days_ago, "open", customer=customer_id, attempt_count=2)


def paid_pages(account: Account) -> int:
    """How many pages of paid invoices were asked for, of nobody in particular."""
    asked = [dict(request["query"]) for request in account.stripe.requests()["recent"]]
    return sum(query.get("status") == "paid" and "customer" not in query for query in asked)


def test_one_page_of_paid_invoices_is_read_instead_of_every_customer_that_waits_for_one(one: Account) -> None:
    for number in range(5):
        add_failing(one, number)
    connection = connect(one.stripe)
    one.stripe.reset_requests()
    run = sync(connection)

    assert (run.own_reads, paid_pages(one)) == (0, 1)
    assert {domain: status for domain, status in found().items() if domain.startswith("failing")} == {
        f"failing{number}.com": "failing" for number in range(5)
    }


def test_paging_stops_where_more_pages_would_cost_more_than_they_save(one: Account) -> None:
    put(one, "in_latest", 1, "paid", subscription="sub_0000")
    for number in range(320):  # eight a day: the failing ones lie sixteen pages back
        put(one, f"in_history{number:03d}", 2, "paid", created=one.now - 2 * DAY - number * DAY // 8)
    for number in range(4):
        add_failing(one, number, days_ago=200)
    connection = connect(one.stripe)
    one.stripe.reset_requests()
    run = sync(connection)

    assert (run.own_reads, paid_pages(one)) == (4, 1)
    assert set(found().values()) == {"paid", "failing"}


def test_a_paid_invoice_that_only_a_due_date_will_ask_for_is_read_today(one: Account) -> None:
    put(one, "in_latest", 30, "paid", subscription="sub_0000")
    put(one, "in_sent", 20, "open", collection_method="send_invoice", due_date=one.now + 5 * DAY)
    put(one, "in_one_off", 10, "paid")
    sync(connect(one.stripe))

    assert found() == {"company0.com": "paid"}
    assert "in_one_off" in mirrored()


@pytest.mark.parametrize("key", KEYS)
def test_a_partly_paid_invoice_is_not_taken_for_a_declined_one(one: Account, key: str) -> None:
    put(one, "in_partly", 5, "open", attempt_count=1)
    one.stripe.put("payment_intents", "pi_1", {"status": "succeeded"}, event="none")
    source = {"type": "payment_intent", "payment_intent": "pi_1"}
    payment = {"invoice": "in_partly", "status": "paid", "payment": source}
    one.stripe.put("invoice_payments", "inpay_1", payment, event="none")
    sync(connect(one.stripe, key))

    assert found() == one.statuses() == {"company0.com": "none"}


@pytest.mark.parametrize("key", KEYS)
def test_a_canceled_payment_of_a_due_invoice_is_a_declined_one(one: Account, key: str) -> None:
    sent = {"collection_method": "send_invoice", "due_date": one.now - DAY, "attempt_count": 1}
    put(one, "in_due", 40, "open", payment_intent_status="canceled", **sent)
    sync(connect(one.stripe, key))

    assert found() == one.statuses() == {"company0.com": "failing"}


def test_an_open_invoice_that_was_paid_since_is_read_by_id(one: Account) -> None:
    put(one, "in_one_off", 5, "open", attempt_count=1)
    connection = connect(one.stripe)
    sync(connection)
    before = found()
    one.stripe.patch("invoices", "in_one_off", {"status": "paid", "amount_remaining": 0}, event="none")
    sync(connection)

    assert (before, found()) == ({"company0.com": "failing"}, {"company0.com": "paid"})


def test_an_open_invoice_that_is_gone_leaves_the_mirror(one: Account) -> None:
    put(one, "in_one_off", 5, "open", attempt_count=1)
    connection = connect(one.stripe)
    sync(connection)
    one.stripe.delete("invoices", "in_one_off", event="none")
    sync(connection)

    assert mirrored() == set()
    assert found() == {"company0.com": "none"}


def test_without_invoices_to_read_the_subscription_speaks(one: Account) -> None:
    put(one, "in_one_off", 5, "open", attempt_count=1)
    key = one.stripe.create_key("rk_live_without_invoices", ["customer_read", "subscription_read"])
    run = sync(connect(one.stripe, key))

    assert run.state == RunState.SUCCEEDED
    assert found() == {"company0.com": "none"}
    assert StripeConnection.objects.get().permissions == ["customer_read", "subscription_read"]

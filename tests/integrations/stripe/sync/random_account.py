"""An account whose customers have one subscription each and whatever invoices chance gives them."""

from __future__ import annotations

import random
import time
from typing import Any

from customers.models import Customer
from sandbox.testing import Running
from tests.factories import CustomerFactory
from tests.integrations.stripe.sync.recomputation import Books, payment_status

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

    @classmethod
    def filled(cls, stripe: Running, seed: int) -> Account:
        """One with customers, of whom some have no invoice and some have several."""
        account = cls(stripe, seed)
        account.fill()
        return account

    def fill(self, *, after: int = 0) -> None:
        """Add customers, numbered from ``after``, and their invoices."""
        for number in range(CUSTOMERS):
            customer_id = self.add_customer(after + number)
            for _invoice in range(self.chance.randrange(7)):
                self.add_invoice(customer_id)

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
    """What our customers' headers say, by domain."""
    return dict(Customer.objects.values_list("domain", "payment_status"))


def put(account: Account, invoice_id: str, days_ago: int, status: str, **more: Any) -> None:
    """An invoice of the only customer, or of another's."""
    value = {"customer": "cus_0000", "currency": "usd", "total": 5000, "created": account.now - days_ago * DAY}
    account.stripe.put("invoices", invoice_id, {**value, "status": status, **more}, event="none")


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

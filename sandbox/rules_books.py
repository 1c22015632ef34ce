"""The rules profile: an account with one Stripe customer for every rule about money and paying.

What each customer is about stands in `sandbox.rules_money` and `sandbox.rules_paying`; here it is written into the
books. Ids are telling: the case `gone-product` has `cus_gone_product`, `sub_gone_product_0`, `price_gone_product_0_0`.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from sandbox.accounts import CREATED
from sandbox.billing import Billed, make_invoice, make_payment
from sandbox.clock import SECONDS_PER_DAY
from sandbox.demo_crm import CrmCustomer
from sandbox.rules_case import STARTED_DAYS, Case, Coupon, Invoice, Item, Subscription, Tax
from sandbox.shapes import Json, build, list_of, plan_of
from sandbox.store import Dataset

PRODUCTS = {"prod_growth": "Growth", "prod_seats": "Seats"}


def rules_dataset(cases: Iterable[Case], account: str, mode: str, base: int) -> Dataset:
    """The data of the profile, as of the midnight `base`."""
    books = _Books(Dataset(account, mode), base)
    for product, name in PRODUCTS.items():
        books.dataset.write("products", build("product", id=product, name=name, created=CREATED, livemode=books.live))
    for case in cases:
        books.enter(case)
    return books.dataset


def rules_customers(cases: Iterable[Case]) -> list[CrmCustomer]:
    """A CRM customer for each case that does not share another's."""
    return [(case.name, case.domain, "csm", "active", "production") for case in cases if not case.joins]


class _Books:
    """Writes cases into a data set."""

    def __init__(self, dataset: Dataset, base: int) -> None:
        self.dataset = dataset
        self.live = dataset.livemode
        self._base = base

    def enter(self, case: Case) -> None:
        """Write one customer with everything that belongs to it."""
        name = case.slug.replace("-", "_")
        customer_id, created = f"cus_{name}", self._ago(STARTED_DAYS)
        discount = None
        if case.coupon:
            self._discount(case.coupon, f"{name}_customer", customer=customer_id)
            discount = msgspec.json.decode(self.dataset.discounts[f"di_{name}_customer"])
        email = f"billing@{case.domain}"
        self.dataset.write(
            "customers",
            build(
                "customer", id=customer_id, name=case.name, email=email, created=created, discount=discount,
                livemode=self.live,
            ),
        )  # fmt: skip
        subscriptions = [
            self._subscription(customer_id, f"{name}_{number}", one) for number, one in enumerate(case.subscriptions)
        ]
        latest = [
            self._invoice(Billed(customer_id, email, case.name), f"{name}_{number}", one, f"sub_{name}_0")
            for number, one in enumerate(case.invoices)
        ]
        for subscription in subscriptions:
            self.dataset.write("subscriptions", {**subscription, "latest_invoice": latest[0] if latest else None})

    def _ago(self, days: int) -> int:
        return self._base - days * SECONDS_PER_DAY

    def _subscription(self, customer_id: str, name: str, given: Subscription) -> Json:
        start, subscription_id = self._ago(given.started), f"sub_{name}"
        items = [self._item(f"{name}_{number}", one, given, subscription_id) for number, one in enumerate(given.items)]
        ended = self._ago(30) if given.status in {"canceled", "incomplete_expired"} else None
        subscription = build(
            "subscription",
            id=subscription_id,
            customer=customer_id,
            status=given.status,
            currency=given.currency,
            created=start,
            start_date=start,
            billing_cycle_anchor=start,
            ended_at=ended,
            canceled_at=ended,
            items=list_of(items, f"/v1/subscription_items?subscription={subscription_id}", page_size=len(items)),
            discounts=[
                self._discount(coupon, f"{name}_{number}", subscription=subscription_id)
                for number, coupon in enumerate(given.coupons)
            ],
            default_tax_rates=[self._tax(f"{name}_{number}", one) for number, one in enumerate(given.taxes)],
            livemode=self.live,
        )
        return subscription | given.fields

    def _item(self, name: str, given: Item, owner: Subscription, subscription_id: str) -> Json:
        price = self._price(name, given, owner.currency)
        return build(
            "subscription_item",
            id=f"si_{name}",
            created=self._ago(owner.started),
            current_period_start=self._ago(3),
            current_period_end=self._ago(-27),
            price=price,
            plan=plan_of(price),
            quantity=given.quantity,
            subscription=subscription_id,
            discounts=[
                self._discount(coupon, f"{name}_{number}", subscription_item=f"si_{name}")
                for number, coupon in enumerate(given.coupons)
            ],
            tax_rates=[self._tax(f"{name}_{number}", one) for number, one in enumerate(given.taxes)],
        )

    def _price(self, name: str, given: Item, currency: str) -> Json:
        recurring = None
        if given.interval is not None:
            recurring = {
                "interval": given.interval, "interval_count": given.count, "meter": None, "trial_period_days": None,
                "usage_type": given.usage_type,
            }  # fmt: skip
        price = build(
            "price",
            id=f"price_{name}",
            created=CREATED,
            currency=currency,
            product=given.product,
            recurring=recurring,
            type="recurring" if recurring else "one_time",
            billing_scheme="tiered" if given.tiers else "per_unit",
            livemode=self.live,
            **_amount(given.unit),
        )
        price |= given.fields
        included: Json = {"currency_options": {price["currency"]: _amount(given.unit), **_options(given.options)}}
        if given.tiers:
            included["tiers"] = list(given.tiers)
        self.dataset.write("prices", {**price, **included})
        return price

    def _discount(self, given: Coupon, name: str, **owner: str) -> str:
        coupon = build(
            "coupon",
            id=f"COUPON_{name.upper()}",
            created=CREATED,
            percent_off=given.percent,
            amount_off=given.amount,
            currency=given.currency,
            duration=given.duration,
            duration_in_months=3 if given.duration == "repeating" else None,
            livemode=self.live,
        )
        if given.products:
            coupon["applies_to"] = {"products": list(given.products)}
        if given.options:
            coupon["currency_options"] = {currency: {"amount_off": one} for currency, one in given.options.items()}
        self.dataset.write("coupons", coupon)
        if not given.listed:
            self.dataset.remove("coupons", coupon["id"])
        end = None if given.ends is None else self._ago(-given.ends)
        source = {"coupon": coupon["id"], "type": "coupon"}
        discount = build("discount", id=f"di_{name}", start=CREATED, end=end, source=source, **owner)
        self.dataset.discounts[discount["id"]] = msgspec.json.encode(discount)
        return str(discount["id"])

    def _tax(self, name: str, given: Tax) -> Json:
        return build(
            "tax_rate", id=f"txr_{name}", percentage=given.percentage, inclusive=given.inclusive, created=CREATED,
            livemode=self.live,
        )  # fmt: skip

    def _invoice(self, billed: Billed, name: str, given: Invoice, subscription_id: str) -> str:
        invoice = make_invoice(
            f"in_{name}",
            billed,
            created=self._ago(given.days),
            livemode=self.live,
            amount=10_000,
            status=given.status,
            subscription=subscription_id,
            number=f"RULES-{name.upper()}",
            attempt_count=given.attempts,
            due_date=None if given.due is None else self._ago(-given.due),
            **{"collection_method": "charge_automatically" if given.due is None else "send_invoice"} | given.fields,
        )
        self.dataset.write("invoices", invoice)
        if given.intent:
            payment, intent = make_payment(invoice, f"inpay_{name}", f"pi_{name}", given.intent)
            self.dataset.write("invoice_payments", payment)
            self.dataset.write("payment_intents", intent)
        return str(invoice["id"])


def _amount(unit: str | None) -> Json:
    amount = None if unit is None else Decimal(unit)
    whole = int(amount) if amount is not None and amount == amount.to_integral_value() else None
    return {"unit_amount": whole, "unit_amount_decimal": unit}


def _options(options: dict[str, Any]) -> Json:
    """Amounts in other currencies: of a unit, or tiers."""
    return {
        currency: _amount(one) if isinstance(one, str) else {**_amount(None), "tiers": list(one)}
        for currency, one in options.items()
    }

"""Writes the books of the demo: customers with subscriptions, invoices and payments that agree with one another."""

import calendar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zlib import crc32

from sandbox.billing import Billed, make_invoice, make_line, make_payment
from sandbox.catalog import COUPONS, PRICES, Catalog, amount_of
from sandbox.clock import SECONDS_PER_DAY
from sandbox.identifiers import make_id
from sandbox.shapes import Json, address, build, list_of, plan_of
from sandbox.store import Dataset

PAID_INVOICES_SHOWN = 3
TRIAL_DAYS = 14


@dataclass(frozen=True)
class Item:
    """A subscription item: a price of the catalogue, a quantity, and coupons on the item itself."""

    price: str
    quantity: int | None = 1
    coupons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A subscription of a story. `started` is in days before today; `payment` names a scene of `SCENES`."""

    items: tuple[Item, ...]
    started: int
    status: str = "active"
    payment: str = "paid"
    coupons: tuple[str, ...] = ()
    older_open: bool = False
    send_invoice: bool = False
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """A Stripe customer and its subscriptions. `created` is in days before today."""

    name: str | None
    email: str | None
    plans: tuple[Plan, ...] = ()
    created: int | None = None
    country: str = "US"
    coupon: str | None = None
    deleted: bool = False
    key: str = ""

    @property
    def identity(self) -> str:
        """What the ids are made from."""
        return self.key or f"{self.name}|{self.email}"


@dataclass(frozen=True)
class Scene:
    """How the newest invoice of a subscription stands."""

    status: str = "open"
    intent: str | None = None
    attempts: int = 0
    next_attempt_days: int | None = None
    due_days: int | None = None
    reason: str | None = None


SCENES = {
    "paid": Scene("paid", "succeeded", 1),
    "failing": Scene("open", "requires_payment_method", 2, next_attempt_days=3),
    "exhausted": Scene("open", "requires_payment_method", 4),
    "retrying_debit": Scene("open", "processing", 2, next_attempt_days=None),
    "processing": Scene("open", "processing", 1),
    "needs_action": Scene("open", "requires_action", 1),
    "untried": Scene("open", "requires_payment_method", 0, next_attempt_days=0),
    "overdue": Scene("open", None, due_days=-9),
    "sent": Scene("open", None, due_days=18),
    "draft": Scene("draft"),
    "void": Scene("void", "canceled"),
    "uncollectible": Scene("uncollectible", "requires_payment_method", 4, reason="max_payment_attempts"),
    "forgiven": Scene("uncollectible", None, 0, due_days=-60, reason="user_forgiven"),
}


def months_later(moment: int, months: int) -> int:
    """The same day of the month `months` later, or the last one there is."""
    date = datetime.fromtimestamp(moment, UTC)
    year, month = divmod(date.year * 12 + date.month - 1 + months, 12)
    day = min(date.day, calendar.monthrange(year, month + 1)[1])
    return int(date.replace(year=year, month=month + 1, day=day).timestamp())


def period_start(start: int, interval: str, count: int, number: int) -> int:
    """When billing period `number` (0 = the first) of a subscription started at `start` begins."""
    if interval in {"day", "week"}:
        return start + number * count * SECONDS_PER_DAY * (7 if interval == "week" else 1)
    return months_later(start, number * count * (12 if interval == "year" else 1))


class Ledger:
    """Turns stories into objects of a data set. `base` is the midnight that days are counted back from."""

    def __init__(self, dataset: Dataset, seed: int, base: int) -> None:
        self.dataset = dataset
        self.catalog = Catalog(dataset, seed)
        self._name = (seed, dataset.account, dataset.mode)
        self._base = base
        self._invoice_number = 0

    def id(self, resource: str, *parts: object) -> str:
        """The id of a `resource` in this data set."""
        return make_id(resource, *self._name, *parts)

    def enter(self, story: Story) -> None:
        """Write one customer with everything that belongs to it."""
        customer_id = self.id("customer", story.identity)
        oldest = max((plan.started for plan in story.plans), default=30)
        created = self._moment(story.created if story.created is not None else oldest, story.identity) - 900
        discount = None
        if story.coupon:
            discount = self.catalog.discount(
                story.coupon, self.id("discount", story.identity), created, customer=customer_id
            )
        customer = build(
            "customer",
            id=customer_id,
            address=address(story.country),
            created=created,
            currency=PRICES[story.plans[0].items[0].price].currency if story.plans else None,
            discount=discount,
            email=story.email,
            invoice_prefix=customer_id[-8:].upper(),
            livemode=self.dataset.livemode,
            name=story.name,
        )
        self.dataset.write("customers", customer)
        for number, plan in enumerate(story.plans):
            self._subscribe(Billed(customer_id, story.email, story.name), f"{story.identity}/{number}", plan)
        if story.deleted:
            self.dataset.remove("customers", customer_id)

    def _moment(self, days: int, salt: str) -> int:
        """A time of day that depends on `salt` only, `days` before today."""
        seconds = crc32(salt.encode()) % 36_000
        return self._base - days * SECONDS_PER_DAY - (seconds if days else seconds // 40)

    def _subscribe(self, billed: Billed, name: str, plan: Plan) -> None:
        subscription_id = self.id("subscription", name)
        start = self._moment(plan.started, name)
        spec = PRICES[plan.items[0].price]
        now = plan.fields.get("ended_at") or self._base
        number = 0
        while period_start(start, spec.interval, spec.count, number + 1) <= now:
            number += 1
        periods = [period_start(start, spec.interval, spec.count, one) for one in range(number + 2)]
        if plan.status == "trialing":
            periods = [start, self._base + TRIAL_DAYS * SECONDS_PER_DAY]
        items = [self._item(subscription_id, name, one, item, periods) for one, item in enumerate(plan.items)]
        discounts = [
            self._discount(coupon, f"{name}/{coupon}", start, subscription=subscription_id) for coupon in plan.coupons
        ]
        trial = plan.status == "trialing"
        subscription = build(
            "subscription",
            id=subscription_id,
            billing_cycle_anchor=start,
            created=start,
            collection_method="send_invoice" if plan.send_invoice else "charge_automatically",
            currency=spec.currency,
            customer=billed.customer,
            days_until_due=30 if plan.send_invoice else None,
            discounts=discounts,
            items=list_of(items, f"/v1/subscription_items?subscription={subscription_id}", page_size=len(items)),
            livemode=self.dataset.livemode,
            start_date=start,
            status=plan.status,
            trial_start=start if trial else None,
            trial_end=periods[-1] if trial else None,
        )
        subscription |= plan.fields
        total = 0 if trial else self._total(plan)
        subscription["latest_invoice"] = self._bill(billed, name, plan, subscription, periods[:-1], total)
        self.dataset.write("subscriptions", subscription)

    def _item(self, subscription_id: str, name: str, number: int, item: Item, periods: list[int]) -> Json:
        price = self.catalog.prices[item.price]
        item_id = self.id("subscription_item", name, number)
        coupons = [
            self._discount(coupon, f"{name}/{number}/{coupon}", periods[0], subscription_item=item_id)
            for coupon in item.coupons
        ]
        return build(
            "subscription_item",
            id=item_id,
            created=periods[0],
            current_period_start=periods[-2],
            current_period_end=periods[-1],
            discounts=coupons,
            plan=plan_of(price),
            price=price,
            quantity=None if PRICES[item.price].metered else item.quantity,
            subscription=subscription_id,
        )

    def _discount(self, coupon: str, name: str, start: int, **owner: str) -> str:
        spec = COUPONS[coupon]
        end = months_later(start, spec.months) if spec.months else None
        discount_id = self.id("discount", name)
        self.catalog.discount(coupon, discount_id, start, end, **owner)
        return discount_id

    def _total(self, plan: Plan) -> int:
        total = Decimal(sum(amount_of(PRICES[item.price], item.quantity) for item in plan.items))
        for coupon in plan.coupons:
            spec = COUPONS[coupon]
            if spec.duration == "once":
                continue
            total = total * (100 - Decimal(str(spec.percent))) / 100 if spec.percent else total - (spec.amount or 0)
        return int(max(total, Decimal(0)).to_integral_value(ROUND_HALF_UP))

    def _bill(
        self, billed: Billed, name: str, plan: Plan, subscription: Json, periods: list[int], total: int
    ) -> str | None:
        """The last few invoices of a subscription; returns the newest one's id."""
        if plan.payment == "none":
            return None
        for number, created in list(enumerate(periods))[-PAID_INVOICES_SHOWN:-1]:
            old_and_open = plan.older_open and number == len(periods) - 2
            scene = SCENES["exhausted" if old_and_open else "paid"]
            self._invoice(billed, f"{name}/{number}", scene, subscription, created, total)
        return self._invoice(
            billed, f"{name}/{len(periods) - 1}", SCENES[plan.payment], subscription, periods[-1], total
        )

    def _invoice(self, billed: Billed, name: str, scene: Scene, subscription: Json, created: int, total: int) -> str:
        invoice_id = self.id("invoice", name)
        status, livemode = ("paid" if total == 0 and scene.status == "open" else scene.status), self.dataset.livemode
        self._invoice_number += 1
        items = subscription["items"]["data"]
        invoice = make_invoice(
            invoice_id,
            billed,
            created=created,
            livemode=livemode,
            amount=total,
            currency=subscription["currency"],
            status=status,
            subscription=subscription["id"],
            lines=[
                make_line(self.id("line_item", name, number), invoice_id, item,
                          total if number == 0 else 0, livemode)
                for number, item in enumerate(items)
            ],
            attempt_count=scene.attempts if total else 0,
            billing_reason="subscription_create" if created == subscription["created"] else "subscription_cycle",
            collection_method=subscription["collection_method"],
            due_date=None if scene.due_days is None else self._base + scene.due_days * SECONDS_PER_DAY,
            next_payment_attempt=self._next_attempt(scene),
            number=None if status == "draft" else f"{billed.customer[-8:].upper()}-{self._invoice_number:04d}",
            status_details={"uncollectible": {"reason": scene.reason}} if scene.reason else None,
        )  # fmt: skip
        self.dataset.write("invoices", invoice)
        if scene.intent and total:
            payment, intent = make_payment(
                invoice, self.id("invoice_payment", name), self.id("payment_intent", name), scene.intent
            )
            self.dataset.write("invoice_payments", payment)
            self.dataset.write("payment_intents", intent)
        return invoice_id

    def _next_attempt(self, scene: Scene) -> int | None:
        return (
            None if scene.next_attempt_days is None else self._base + scene.next_attempt_days * SECONDS_PER_DAY + 54_000
        )

"""The state of one subscription's calculation, shared by its steps (docs/rules.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field

from integrations.stripe.api.objects import Coupon, Discount, Price, Recurring, Subscription, SubscriptionItem
from integrations.stripe.rules.discounts import Ruling, judge
from integrations.stripe.rules.intervals import Factor
from integrations.stripe.rules.money import ZERO, Rate, Rates
from integrations.stripe.rules.plan import price_plan
from integrations.stripe.rules.problems import Problem
from integrations.stripe.rules.receipt import Ledger, Line


class Catalog(Struct, frozen=True):
    """What subscriptions do not carry themselves, by id.

    ``prices`` with tiers and currency options, ``coupons`` with their products and currency options, as far as they
    could be read; ``product_names`` only name the lines of receipts, and ``has_all_products`` says that whoever is
    not among them is gone, not unread.
    """

    prices: Mapping[str, Price] = field(default_factory=dict)
    coupons: Mapping[str, Coupon] = field(default_factory=dict)
    product_names: Mapping[str, str] = field(default_factory=dict)
    has_all_products: bool = False


@dataclass
class Charge:
    """One counting item while it is being worked out.

    ``listed`` and ``amount`` are per period of the item, before and after its discounts and tax, ``monthly`` is per
    month; all in major units of the subscription's currency.
    """

    item: SubscriptionItem
    recurring: Recurring
    factor: Factor
    listed: Decimal
    amount: Decimal
    monthly: Decimal

    @classmethod
    def start(cls, item: SubscriptionItem, recurring: Recurring, factor: Factor, amount: Decimal) -> Charge:
        """Begin with what the item costs per period before anything is taken off."""
        return cls(item, recurring, factor, listed=amount, amount=amount, monthly=factor.monthly(amount))

    def set_amount(self, amount: Decimal) -> None:
        """Take over a new amount per period."""
        self.amount = amount
        self.monthly = self.factor.monthly(amount)


class Reckoning:
    """One subscription at one moment: what it is worked out from and what came out so far."""

    def __init__(self, subscription: Subscription, *, catalog: Catalog, rates: Rates, now: datetime) -> None:
        self.subscription = subscription
        self.currency = subscription.currency
        self.catalog = catalog
        self.now = now
        self.rate: Rate | None = rates.get(subscription.currency)
        self.ledger = Ledger(self.rate)
        self.charges: list[Charge] = []
        self.correction = ZERO
        self.problems: list[Problem] = []
        self.ends: list[datetime | None] = []

    @property
    def total(self) -> Decimal:
        """The monthly sum so far, in major units of the subscription's currency."""
        return sum((charge.monthly for charge in self.charges), self.correction)

    def book(self, line: Line, problem: Problem | None = None) -> None:
        """Put a line on the receipt with whatever changed since the one before, and note its problem."""
        self.ledger.book(line, total=self.total)
        if problem is not None:
            self.problems.append(problem)

    def judge(self, discount: str | Discount, *, of_item: bool) -> Ruling:
        """Return what a discount does to this subscription's currency at this moment."""
        return judge(discount, currency=self.currency, coupons=self.catalog.coupons, now=self.now, of_item=of_item)

    def book_ruling(self, ruling: Ruling, line: Line) -> None:
        """Put a discount's line on the receipt, with its problem and the end it will come to."""
        self.ends.append(ruling.ends)
        self.book(line, ruling.problem)

    def name(self, price: Price) -> str:
        """Return how a price is called on the receipt."""
        return price_plan(price, prices=self.catalog.prices, product_names=self.catalog.product_names).label

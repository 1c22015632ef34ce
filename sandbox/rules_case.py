"""What a case of the rules profile is made of: one Stripe customer that shows one rule."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.shapes import Json

DOMAIN = "rules.example"
STARTED_DAYS = 400


@dataclass(frozen=True)
class Coupon:
    """A coupon and the discount that puts it in force; `ends` is in days from today, None for no end.

    A coupon that is `listed` False was deleted since: its discounts stay in force.
    """

    percent: float | None = None
    amount: int | None = None
    currency: str | None = None
    duration: str = "forever"
    ends: int | None = None
    products: tuple[str, ...] = ()
    options: dict[str, int] = field(default_factory=dict)
    listed: bool = True


@dataclass(frozen=True)
class Tax:
    """A tax rate."""

    percentage: float
    inclusive: bool


@dataclass(frozen=True)
class Item:
    """A subscription item with a price of its own.

    `unit` is in minor units, per month when nothing is said. `fields` are the price's, `options` its amounts in other
    currencies: a unit amount, or tiers as `tiers` are.
    """

    unit: str | None = "10000"
    quantity: int | None = 1
    interval: str | None = "month"
    count: int = 1
    product: str = "prod_growth"
    usage_type: str = "licensed"
    tiers: tuple[Json, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    coupons: tuple[Coupon, ...] = ()
    taxes: tuple[Tax, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Invoice:
    """An invoice over $100, `days` old; `intent` is the status of the payment intent behind it, `fields` its own."""

    status: str = "paid"
    intent: str | None = None
    days: int = 3
    attempts: int = 0
    due: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subscription:
    """A subscription; `started` is in days before today."""

    items: tuple[Item, ...] = (Item(),)
    status: str = "active"
    currency: str = "usd"
    coupons: tuple[Coupon, ...] = ()
    taxes: tuple[Tax, ...] = ()
    started: int = STARTED_DAYS
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One rule: a Stripe customer, what it pays for and its invoices, the newest of which is the latest.

    `slug` gives ids and domain. `joins` names the case whose customer's domain this one shares.
    """

    slug: str
    subscriptions: tuple[Subscription, ...] = (Subscription(),)
    invoices: tuple[Invoice, ...] = (Invoice(),)
    coupon: Coupon | None = None
    joins: str = ""

    @property
    def name(self) -> str:
        """What people call the customer."""
        return self.slug.replace("-", " ").capitalize()

    @property
    def domain(self) -> str:
        """Its e-mail domain."""
        return f"{self.joins or self.slug}.{DOMAIN}"


def tier(up_to: int | None, unit: str | None = None, flat: int | None = None) -> Json:
    """One tier of a price, as Stripe writes it."""
    return {
        "up_to": up_to,
        "unit_amount": int(unit) if unit is not None and Decimal(unit) == int(Decimal(unit)) else None,
        "unit_amount_decimal": unit,
        "flat_amount": flat,
        "flat_amount_decimal": None if flat is None else str(flat),
    }

"""Products, prices and coupons of the generated accounts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from sandbox.accounts import CREATED
from sandbox.identifiers import make_id
from sandbox.shapes import Json, build
from sandbox.store import Dataset

PRODUCTS = {
    "starter": "Starter",
    "growth": "Growth",
    "scale": "Scale",
    "legacy": "Legacy workspace",
    "insights": "Insights",
    "support": "Priority support",
    "seats": "Seat packs",
    "usage": "API calls",
    "events": "Fieldnote Events",
    "hostile": '<img src=x onerror=alert(1)> & "Özel" plan',
}


@dataclass(frozen=True)
class Tier:
    """One tier: its last unit (None = no end), the price of a unit and a flat amount, in minor units."""

    up_to: int | None
    unit: str = "0"
    flat: int = 0

    def document(self) -> Json:
        """The tier as it stands in a price."""
        unit = Decimal(self.unit)
        return {
            "flat_amount": self.flat or None,
            "flat_amount_decimal": str(self.flat) if self.flat else None,
            "unit_amount": int(unit) if unit == unit.to_integral_value() else None,
            "unit_amount_decimal": self.unit,
            "up_to": self.up_to,
        }


@dataclass(frozen=True)
class PriceSpec:
    """A price of the catalogue. `unit` is in minor units and may have decimals; `lookup` None = no lookup key."""

    key: str
    product: str
    unit: str | None
    interval: str = "month"
    count: int = 1
    currency: str = "usd"
    lookup: str | None = ""
    nickname: str | None = None
    metered: bool = False
    tiers: tuple[Tier, ...] = ()
    tiers_mode: str | None = None
    package: tuple[int, str] | None = None
    options: dict[str, str] = field(default_factory=dict)
    active: bool = True

    @property
    def lookup_key(self) -> str | None:
        """The lookup key; an empty `lookup` means the same as `key`."""
        return self.key if self.lookup == "" else self.lookup


_GRADUATED = (Tier(5, "4000"), Tier(20, "3200", 1000), Tier(None, "2500"))
_VOLUME = (Tier(10, "1500"), Tier(50, "1200"), Tier(None, "900", 5000))

PRICES = {
    price.key: price
    for price in (
        PriceSpec("starter_monthly", "starter", "2000"),
        PriceSpec("starter_annual", "starter", "21600", "year"),
        PriceSpec("starter_weekly", "starter", "500", "week"),
        PriceSpec("starter_daily", "starter", "100", "day", nickname="Day pass"),
        PriceSpec("starter_fortnightly", "starter", "950", "week", 2),
        PriceSpec("growth_monthly", "growth", "8000", options={"eur": "7400", "gbp": "6400"}),
        PriceSpec("growth_quarterly", "growth", "22800", "month", 3),
        PriceSpec("growth_annual", "growth", "86400", "year"),
        PriceSpec("growth_biennial", "growth", "163200", "year", 2),
        PriceSpec("growth_monthly_eur", "growth", "7400", currency="eur"),
        PriceSpec("growth_monthly_gbp", "growth", "6400", currency="gbp"),
        PriceSpec("growth_monthly_jpy", "growth", "11800", currency="jpy"),
        PriceSpec("growth_monthly_kwd", "growth", "24500", currency="kwd"),
        PriceSpec("growth_monthly_2023", "growth", "7500", lookup=None, nickname="Growth, price of 2023", active=False),
        PriceSpec("scale_monthly", "scale", "13000"),
        PriceSpec("scale_annual", "scale", "140400", "year"),
        PriceSpec("scale_annual_eur", "scale", "129600", "year", currency="eur"),
        PriceSpec("scale_quarterly", "scale", "37200", "month", 3),
        PriceSpec("legacy", "legacy", "2800", lookup=None),
        PriceSpec("insights_monthly", "insights", "15000"),
        PriceSpec("support_monthly", "support", "25000"),
        PriceSpec(
            "seats_graduated", "seats", None, tiers=_GRADUATED, tiers_mode="graduated", lookup="seats_graduated_monthly"
        ),
        PriceSpec("seats_volume", "seats", None, tiers=_VOLUME, tiers_mode="volume", lookup="seats_volume_monthly"),
        PriceSpec("seats_package", "seats", "9900", package=(10, "up"), lookup="seats_package_monthly"),
        PriceSpec("api_calls", "usage", "0.25", metered=True),
        PriceSpec("events_monthly", "events", "30000"),
        PriceSpec("hostile", "hostile", "4200", lookup=None, nickname="{{ 7*7 }} '; DROP TABLE plan; --"),
    )
}


@dataclass(frozen=True)
class CouponSpec:
    """A coupon of the catalogue: percent or amount (minor units of `currency`) off."""

    key: str
    name: str
    percent: float | None = None
    amount: int | None = None
    currency: str | None = None
    duration: str = "forever"
    months: int | None = None
    products: tuple[str, ...] = ()
    options: dict[str, int] = field(default_factory=dict)


COUPONS = {
    coupon.key: coupon
    for coupon in (
        CouponSpec("PARTNER15", "Partner, 15 % off", percent=15.0),
        CouponSpec("NONPROFIT", "Non-profit, 33.5 % off", percent=33.5),
        CouponSpec("FOUNDER", "Friends of the founders", percent=100.0),
        CouponSpec("LAUNCH20", "Launch, 20 % off for a year", percent=20.0, duration="repeating", months=12),
        CouponSpec("WELCOME", "First invoice half price", percent=50.0, duration="once"),
        CouponSpec("LOYAL50", "$50 off", amount=5000, currency="usd", options={"eur": 4500}),
        CouponSpec("GROWTHONLY", "10 % off Growth", percent=10.0, products=("growth",)),
    )
}


class Catalog:
    """The catalogue in a data set: knows the ids and documents that belong to the keys above."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset = dataset
        self._name = (seed, dataset.account, dataset.mode)
        self.prices: dict[str, Json] = {}

    def product_id(self, key: str) -> str:
        """The id of the product called `key`."""
        return make_id("product", *self._name, key)

    def coupon_id(self, key: str) -> str:
        """The id of a coupon: its key in live mode, marked in test mode."""
        return key if self.dataset.livemode else f"{key}-TEST"

    def load(self, prices: Sequence[str] = tuple(PRICES), coupons: Sequence[str] = tuple(COUPONS)) -> None:
        """Put the named prices with their products, and the named coupons, into the data set."""
        livemode = self.dataset.livemode
        for number, key in enumerate(dict.fromkeys(PRICES[price].product for price in prices)):
            created = CREATED + number * 60
            self.dataset.write(
                "products",
                build("product", id=self.product_id(key), name=PRODUCTS[key], created=created, updated=created,
                      livemode=livemode),
            )  # fmt: skip
        for number, key in enumerate(prices):
            self._load_price(PRICES[key], CREATED + 3600 + number * 60)
        for number, key in enumerate(coupons):
            self._load_coupon(COUPONS[key], CREATED + 7200 + number * 60)

    def _load_price(self, spec: PriceSpec, created: int) -> None:
        unit = None if spec.unit is None else Decimal(spec.unit)
        price = build(
            "price",
            id=make_id("price", *self._name, spec.key),
            active=spec.active,
            billing_scheme="tiered" if spec.tiers else "per_unit",
            created=created,
            currency=spec.currency,
            livemode=self.dataset.livemode,
            lookup_key=spec.lookup_key,
            nickname=spec.nickname,
            product=self.product_id(spec.product),
            recurring={
                "interval": spec.interval,
                "interval_count": spec.count,
                "meter": make_id("product", "meter", spec.key) if spec.metered else None,
                "trial_period_days": None,
                "usage_type": "metered" if spec.metered else "licensed",
            },
            tiers_mode=spec.tiers_mode,
            transform_quantity=_package(spec),
            unit_amount=int(unit) if unit is not None and unit == unit.to_integral_value() else None,
            unit_amount_decimal=spec.unit,
        )
        self.prices[spec.key] = price
        extra: dict[str, Any] = {"currency_options": _options(spec)}
        if spec.tiers:
            extra["tiers"] = [tier.document() for tier in spec.tiers]
        self.dataset.write("prices", {**price, **extra})

    def _load_coupon(self, spec: CouponSpec, created: int) -> None:
        coupon = build(
            "coupon",
            id=self.coupon_id(spec.key),
            amount_off=spec.amount,
            created=created,
            currency=spec.currency,
            duration=spec.duration,
            duration_in_months=spec.months,
            livemode=self.dataset.livemode,
            name=spec.name,
            percent_off=spec.percent,
        )
        extra: dict[str, Any] = {}
        if spec.products:
            extra["applies_to"] = {"products": [self.product_id(key) for key in spec.products]}
        if spec.amount is not None and spec.currency is not None:
            amounts = {spec.currency: spec.amount, **spec.options}
            extra["currency_options"] = {currency: {"amount_off": amount} for currency, amount in amounts.items()}
        self.dataset.write("coupons", {**coupon, **extra})

    def discount(self, coupon: str, object_id: str, start: int, end: int | None = None, **owner: str) -> Json:
        """A discount of the named coupon, kept for expansion; `owner` names whom it is for."""
        source = {"coupon": self.coupon_id(coupon), "type": "coupon"}
        discount = build("discount", id=object_id, start=start, end=end, source=source, **owner)
        self.dataset.discounts[object_id] = msgspec.json.encode(discount)
        return discount


def _package(spec: PriceSpec) -> Json | None:
    return {"divide_by": spec.package[0], "round": spec.package[1]} if spec.package else None


def _options(spec: PriceSpec) -> Json:
    amounts: dict[str, str | None] = {spec.currency: spec.unit, **spec.options}
    options: Json = {}
    for currency, unit in amounts.items():
        amount = None if unit is None else Decimal(unit)
        whole = amount is not None and amount == amount.to_integral_value()
        options[currency] = {
            "custom_unit_amount": None,
            "tax_behavior": "unspecified",
            "unit_amount": int(amount) if amount is not None and whole else None,
            "unit_amount_decimal": unit,
        }
        if spec.tiers:
            options[currency]["tiers"] = [tier.document() for tier in spec.tiers]
    return options


def amount_of(spec: PriceSpec, quantity: int | None) -> int:
    """What one period costs, in minor units: the figure on generated invoices."""
    units = Decimal(1 if quantity is None else quantity)
    if spec.metered:
        return 4200
    if spec.package:
        size, rounding = spec.package
        units = (units / size).to_integral_value(ROUND_CEILING if rounding == "up" else ROUND_FLOOR)
    total = _tiered(spec, units) if spec.tiers else Decimal(spec.unit or 0) * units
    return int(total.to_integral_value(ROUND_HALF_UP))


def _tiered(spec: PriceSpec, units: Decimal) -> Decimal:
    total, start = Decimal(0), Decimal(0)
    for tier in spec.tiers:
        end = units if tier.up_to is None else Decimal(tier.up_to)
        if spec.tiers_mode == "volume":
            if units <= end:
                return Decimal(tier.unit) * units + tier.flat
            continue
        if units > start:
            total += (min(units, end) - start) * Decimal(tier.unit) + tier.flat
        start = end
    return total

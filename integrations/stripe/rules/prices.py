"""What an item costs per billing period, before discounts and tax (docs/rules.md section 4, steps 2 to 4 and 10).

Nothing here raises on what Stripe may send: what cannot be read or understood comes back as a Problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from msgspec import UNSET, Struct

from integrations.stripe.api.objects import Price, PriceCurrencyOption, SubscriptionItem, Tier
from integrations.stripe.rules.money import ZERO, minor_units
from integrations.stripe.rules.problems import Problem
from integrations.stripe.rules.wording import money

LARGEST_INPUT = 10**18
"""Quantities and minor amounts at or beyond this are taken for errors, in either direction."""

LARGEST_AMOUNT = Decimal(10) ** 15
"""Amounts in major units at or beyond this are taken for errors, in either direction."""


class Cost(Struct, frozen=True):
    """What an item costs per period, in major units of the subscription's currency, and how that came about."""

    quantity: int
    amount: Decimal
    detail: str


class _CostError(Exception):
    """Carries a Problem out of the nested steps of this module; it never leaves it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def item_cost(item: SubscriptionItem, *, currency: str, prices: Mapping[str, Price]) -> Cost | Problem:
    """Return what a licensed, recurring item costs per period, or why that cannot be said.

    ``prices`` supplies what lists leave out: tiers and currency options. They are asked for only where they matter.
    """
    try:
        quantity = _quantity(item)
        if quantity == 0:
            return Cost(0, ZERO, "0 units charge nothing")
        return _cost(item.price, quantity, currency=currency, prices=prices)
    except _CostError as found:
        return found.problem


def _quantity(item: SubscriptionItem) -> int:
    """Return the number of units that are charged, after ``transform_quantity``."""
    price = item.price
    quantity = 1 if item.quantity is None else item.quantity
    if not 0 <= quantity < LARGEST_INPUT:
        raise _invalid(price, f"its quantity {quantity} cannot be")
    transform = price.transform_quantity
    if transform is None:
        return quantity
    if transform.divide_by < 1:
        raise _invalid(price, f"its quantity is divided by {transform.divide_by}")
    if transform.round == "up":
        return -(-quantity // transform.divide_by)
    if transform.round == "down":
        return quantity // transform.divide_by
    raise _unknown(price, f"rounds quantities “{transform.round}”")


def _cost(price: Price, quantity: int, *, currency: str, prices: Mapping[str, Price]) -> Cost:
    amounts = _amounts(price, currency=currency, prices=prices)
    minor = minor_units(currency)
    if price.billing_scheme == "per_unit":
        unit = _minor_amount(price, amounts.unit_amount_decimal, amounts.unit_amount)
        if unit is None:
            raise _invalid(price, "it has no amount")
        total = unit * quantity
        detail = f"{quantity:,} × {money(unit / minor, currency)}"
    elif price.billing_scheme == "tiered":
        total, parts = _tiered(price, _tiers(price, amounts, prices=prices), quantity)
        detail = f"{quantity:,} units: " + " + ".join(part.read(currency) for part in parts)
    else:
        raise _unknown(price, f"is billed by the scheme “{price.billing_scheme}”")
    amount = total / minor
    if not -LARGEST_AMOUNT < amount < LARGEST_AMOUNT:
        raise _invalid(price, "its amount is too large to be true")
    return Cost(quantity, amount, detail)


def _amounts(price: Price, *, currency: str, prices: Mapping[str, Price]) -> Price | PriceCurrencyOption:
    """Return where the amounts in the subscription's currency stand: the price or one of its currency options."""
    if price.currency == currency:
        return price
    for known in (price, prices.get(price.id)):
        if known is not None and known.currency_options is not UNSET:
            option = (known.currency_options or {}).get(currency)
            if option is None:
                raise _invalid(price, f"it has no amount in {currency.upper()}")
            return option
    raise _CostError(
        Problem(
            "permission_missing",
            price.id,
            f"Price {price.id} is in {price.currency.upper()} and its amount in {currency.upper()} could not be read: "
            "give the connection permission to read prices.",
        )
    )


def _tiers(price: Price, amounts: Price | PriceCurrencyOption, *, prices: Mapping[str, Price]) -> list[Tier]:
    """Return the tiers in ascending order, from wherever they were sent."""
    known: list[Price | PriceCurrencyOption] = [amounts]
    if isinstance(amounts, Price) and price.id in prices:
        known.append(prices[price.id])
    for source in known:
        if source.tiers is not UNSET and source.tiers is not None:
            return sorted(source.tiers, key=lambda tier: (tier.up_to is None, tier.up_to or 0))
    raise _CostError(
        Problem(
            "permission_missing",
            price.id,
            f"Price {price.id} has tiers that could not be read: give the connection permission to read prices.",
        )
    )


class _Part(Struct, frozen=True):
    """What one tier charges, in minor units; ``units`` None for a flat amount."""

    units: int | None
    unit: Decimal

    def total(self) -> Decimal:
        return self.unit if self.units is None else self.unit * self.units

    def read(self, currency: str) -> str:
        amount = money(self.unit / minor_units(currency), currency)
        return f"{amount} flat" if self.units is None else f"{self.units:,} × {amount}"


def _tiered(price: Price, tiers: list[Tier], quantity: int) -> tuple[Decimal, list[_Part]]:
    """Return the minor amount for all units and the parts it is made of."""
    if price.tiers_mode == "volume":
        parts = _volume(price, tiers, quantity)
    elif price.tiers_mode == "graduated":
        parts = _graduated(price, tiers, quantity)
    else:
        raise _unknown(price, f"has tiers of the mode “{price.tiers_mode}”")
    return sum((part.total() for part in parts), ZERO), parts


def _volume(price: Price, tiers: list[Tier], quantity: int) -> list[_Part]:
    """All units at the amount of the tier that is reached, plus its flat amount."""
    for tier in tiers:
        if tier.up_to is None or quantity <= tier.up_to:
            return _parts(price, tier, quantity)
    raise _invalid(price, f"no tier covers {quantity:,} units")


def _graduated(price: Price, tiers: list[Tier], quantity: int) -> list[_Part]:
    """Each tier's own units at its amount, plus the flat amount of every tier at least one unit falls in."""
    parts: list[_Part] = []
    below = 0
    for tier in tiers:
        end = quantity if tier.up_to is None else min(quantity, tier.up_to)
        if end > below:
            parts += _parts(price, tier, end - below)
            below = end
    if below < quantity:
        raise _invalid(price, f"no tier covers {quantity:,} units")
    return parts


def _parts(price: Price, tier: Tier, units: int) -> list[_Part]:
    """Return what a tier charges for some units; an amount it does not have is nothing."""
    parts = []
    unit = _minor_amount(price, tier.unit_amount_decimal, tier.unit_amount)
    flat = _minor_amount(price, tier.flat_amount_decimal, tier.flat_amount)
    if unit is None and flat is None:
        raise _invalid(price, "one of its tiers has no amount")
    if unit is not None:
        parts.append(_Part(units, unit))
    if flat is not None:
        parts.append(_Part(None, flat))
    return parts


def _minor_amount(price: Price, precise: Decimal | None, whole: int | None) -> Decimal | None:
    """Return an amount in minor units, the decimal one before the integer one; None when Stripe sent neither."""
    if precise is None and whole is None:
        return None
    amount = Decimal(whole or 0) if precise is None else precise
    if not -LARGEST_INPUT < amount < LARGEST_INPUT:
        raise _invalid(price, "its amount is too large to be true")
    return amount


def _unknown(price: Price, what: str) -> _CostError:
    return _CostError(Problem("unknown_value", price.id, f"Price {price.id} {what}, which we do not know."))


def _invalid(price: Price, what: str) -> _CostError:
    return _CostError(Problem("invalid_response", price.id, f"Price {price.id} cannot be used: {what}."))

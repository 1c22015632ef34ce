"""What a discount takes off, and whether it is in force (docs/rules.md section 4, steps 5, 8 and 9)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from integrations.stripe.api.objects import Coupon, Discount
from integrations.stripe.rules.moments import is_later, moment
from integrations.stripe.rules.money import HUNDRED, minor_units
from integrations.stripe.rules.prices import LARGEST_INPUT
from integrations.stripe.rules.problems import Problem
from integrations.stripe.rules.wording import day, money, percent

Effect = Literal["reduce", "none", "left_out", "unreadable"]


class Ruling(Struct, frozen=True, kw_only=True):
    """What becomes of one discount.

    ``reduce``: it takes off ``percent`` or ``amount`` (major units of the subscription's currency, per invoice).
    ``none``: it is not in force or never changes MRR. ``left_out``: it is in force but has no amount in the currency.
    ``unreadable``: it cannot be judged, so that what it touches has no figure. ``products`` None means all items.
    ``ends`` is when a ``repeating`` discount that is not over runs out, readable or not.
    """

    effect: Effect
    discount: str
    coupon: str = ""
    label: str
    detail: str = ""
    percent: Decimal | None = None
    amount: Decimal | None = None
    products: frozenset[str] | None = None
    problem: Problem | None = None
    repeating: bool = False
    ends: datetime | None = None

    def touches(self, product: str) -> bool:
        """Say whether items of a product are among those the discount applies to."""
        return self.products is None or product in self.products


def judge(
    discount: str | Discount, *, currency: str, coupons: Mapping[str, Coupon], now: datetime, of_item: bool
) -> Ruling:
    """Return what a discount does to amounts in ``currency`` at ``now``.

    ``coupons`` supplies what lists leave out: coupons sent as ids, their products and their currency options. A
    coupon's products have no meaning for the discount of a single item (``of_item``), so they are not asked for
    there.
    """
    if isinstance(discount, str):
        return _unreadable(discount, _missing(f"Discount {discount}", discount))
    coupon = _coupon(discount, coupons)
    if isinstance(coupon, Problem):
        return _unreadable(discount.id, coupon, coupon_id=discount.coupon_id or "")
    if coupon.duration == "once":
        return _idle(discount, coupon, "Applies to one invoice only, so it never changes MRR")
    if coupon.duration == "repeating" and discount.end is not None and not is_later(discount.end, now):
        return _idle(discount, coupon, "Its months are over")
    ends = moment(discount.end) if coupon.duration == "repeating" else None
    products = None if of_item else _products(coupon, coupons)
    if isinstance(products, Problem):
        return replace(_unreadable(discount.id, products, coupon_id=coupon.id), ends=ends)
    ruling = Ruling(
        effect="reduce",
        discount=discount.id,
        coupon=coupon.id,
        label=_label(coupon),
        products=products,
        repeating=coupon.duration == "repeating",
        ends=ends,
    )
    if coupon.duration not in ("forever", "repeating"):
        message = f"Coupon {coupon.id} lasts “{coupon.duration}”, a duration we do not know."
        return _spoilt(ruling, Problem("unknown_value", coupon.id, message))
    return _with_size(ruling, coupon, currency=currency, coupons=coupons)


def _coupon(discount: Discount, coupons: Mapping[str, Coupon]) -> Coupon | Problem:
    """Return the coupon behind a discount, sent along or looked up."""
    source = discount.source.coupon
    if source is None:
        message = f"Discount {discount.id} names no coupon, so what it takes off is unknown."
        return Problem("invalid_response", discount.id, message)
    if isinstance(source, Coupon):
        return source
    return coupons.get(source) or _missing(f"Coupon {source}", source)


def _products(coupon: Coupon, coupons: Mapping[str, Coupon]) -> frozenset[str] | Problem | None:
    """Return the products a coupon is limited to, None for all."""
    for known in (coupon, coupons.get(coupon.id)):
        if known is not None and known.applies_to is not UNSET:
            return frozenset(known.applies_to.products) or None if known.applies_to else None
    return _missing(f"The products coupon {coupon.id} is limited to", coupon.id)


def _with_size(ruling: Ruling, coupon: Coupon, *, currency: str, coupons: Mapping[str, Coupon]) -> Ruling:
    """Complete a ruling with what the coupon takes off: a percentage or an amount, exactly one of them."""
    if (coupon.percent_off is None) == (coupon.amount_off is None):
        return _spoilt(ruling, _invalid(coupon, "it takes off neither a percentage nor an amount, or both"))
    duration = _duration(coupon, ruling.ends)
    if coupon.percent_off is not None:
        if not 0 <= coupon.percent_off <= HUNDRED:
            return _spoilt(ruling, _invalid(coupon, "its percentage cannot be"))
        return replace(ruling, percent=coupon.percent_off, detail=f"{percent(coupon.percent_off)} off, {duration}")
    minor = _minor_amount(coupon, currency, coupons)
    if minor is None:
        message = f"Coupon {coupon.id} has no amount in {currency.upper()}, so its discount is left out."
        problem = Problem("invalid_response", coupon.id, message)
        return replace(ruling, effect="left_out", problem=problem, detail=message)
    if isinstance(minor, Problem):
        return _spoilt(ruling, minor)
    if not 0 <= minor < LARGEST_INPUT:
        return _spoilt(ruling, _invalid(coupon, "its amount cannot be"))
    amount = Decimal(minor) / minor_units(currency)
    return replace(ruling, amount=amount, detail=f"{money(amount, currency)} off each invoice, {duration}")


def _minor_amount(coupon: Coupon, currency: str, coupons: Mapping[str, Coupon]) -> int | Problem | None:
    """Return the amount off in minor units of a currency, None when the coupon has none in it."""
    if coupon.currency == currency:
        return coupon.amount_off
    for known in (coupon, coupons.get(coupon.id)):
        if known is not None and known.currency_options is not UNSET:
            option = (known.currency_options or {}).get(currency)
            return option.amount_off if option else None
    return _missing(f"The amount of coupon {coupon.id} in {currency.upper()}", coupon.id)


def _unreadable(discount_id: str, problem: Problem, *, coupon_id: str = "") -> Ruling:
    """A discount of which not even the items it touches are known."""
    label = coupon_id or discount_id
    return Ruling(
        effect="unreadable",
        discount=discount_id,
        coupon=coupon_id,
        label=label,
        detail=problem.message,
        problem=problem,
    )


def _spoilt(ruling: Ruling, problem: Problem) -> Ruling:
    """A discount of which we know the items it touches, but not what it takes off them."""
    return replace(ruling, effect="unreadable", problem=problem, detail=problem.message)


def _idle(discount: Discount, coupon: Coupon, detail: str) -> Ruling:
    return Ruling(effect="none", discount=discount.id, coupon=coupon.id, label=_label(coupon), detail=detail)


def _label(coupon: Coupon) -> str:
    return coupon.name or coupon.id


def _duration(coupon: Coupon, ends: datetime | None) -> str:
    if coupon.duration == "forever":
        return "forever"
    return f"until {day(ends)} (UTC)" if ends else "repeating without an end"


def _missing(what: str, subject: str) -> Problem:
    advice = "give the connection permission to read coupons; a deleted coupon stays unreadable"
    return Problem("permission_missing", subject, f"{what} could not be read: {advice}.")


def _invalid(coupon: Coupon, what: str) -> Problem:
    return Problem("invalid_response", coupon.id, f"Coupon {coupon.id} cannot be used: {what}.")

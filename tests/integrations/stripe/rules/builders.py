"""Small Stripe objects for the rules' tests; every argument has the most ordinary value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from integrations.stripe.api.objects import (
    AppliesTo,
    Coupon,
    Discount,
    DiscountSource,
    Invoice,
    InvoicePayment,
    InvoicePayments,
    InvoiceStatusDetails,
    InvoiceUncollectible,
    PaymentSource,
    Price,
    Recurring,
    Subscription,
    SubscriptionItem,
    SubscriptionItems,
    TaxRate,
    Tier,
    TransformQuantity,
)
from integrations.stripe.rules.money import Rate, Rates
from integrations.stripe.rules.mrr import Catalog, Contribution, contribution

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = 86_400
RATE_DAY = date(2026, 10, 30)

RATES = Rates(
    rates={
        "eur": Rate(Decimal("1.25"), RATE_DAY, "ecb"),
        "jpy": Rate(Decimal("0.0064"), RATE_DAY, "ecb"),
        "kwd": Rate(Decimal("3.25"), RATE_DAY, "admin"),
    },
    date=RATE_DAY,
)


def at(**after: float) -> int:
    """Return Unix seconds so long after NOW: ``at(days=1)``."""
    return int((NOW + timedelta(**after)).timestamp())


def a_price(
    price_id: str = "price_growth",
    *,
    amount: int | str | None = 1000,
    interval: str | None = "month",
    count: int = 1,
    usage_type: str = "licensed",
    **fields: Any,
) -> Price:
    """A price of $10 a month; a string amount becomes ``unit_amount_decimal``; interval None makes it one-off."""
    whole = amount if isinstance(amount, int) else None
    precise = Decimal(amount) if isinstance(amount, str) else None
    recurring = Recurring(interval=interval, interval_count=count, usage_type=usage_type) if interval else None
    defaults: dict[str, Any] = {"currency": "usd", "product": "prod_growth"}
    return Price(
        id=price_id, recurring=recurring, unit_amount=whole, unit_amount_decimal=precise, **(defaults | fields)
    )


def a_tier(up_to: int | None, unit: int | str | None = None, flat: int | str | None = None) -> Tier:
    """One tier; string amounts become the decimal fields."""
    return Tier(
        up_to=up_to,
        unit_amount=unit if isinstance(unit, int) else None,
        unit_amount_decimal=Decimal(unit) if isinstance(unit, str) else None,
        flat_amount=flat if isinstance(flat, int) else None,
        flat_amount_decimal=Decimal(flat) if isinstance(flat, str) else None,
    )


def a_tiered_price(mode: str | None, tiers: list[Tier] | None, **fields: Any) -> Price:
    """A price with tiers, as the prices list sends it when they are expanded."""
    return a_price(amount=None, billing_scheme="tiered", tiers_mode=mode, tiers=tiers, **fields)


def packages(divide_by: int, rounding: str) -> TransformQuantity:
    return TransformQuantity(divide_by=divide_by, round=rounding)


def an_item(
    price: Price | None = None, quantity: int | None = 1, *, item_id: str = "si_1", **fields: Any
) -> SubscriptionItem:
    return SubscriptionItem(id=item_id, price=price or a_price(), quantity=quantity, **fields)


def a_subscription(*items: SubscriptionItem, **fields: Any) -> Subscription:
    """An active subscription in US dollars; without items it has one of $10 a month."""
    defaults: dict[str, Any] = {
        "id": "sub_1",
        "customer": "cus_1",
        "status": "active",
        "created": at(days=-400),
        "start_date": at(days=-400),
        "currency": "usd",
        "items": SubscriptionItems(data=list(items) or [an_item()]),
    }
    return Subscription(**(defaults | fields))


def a_coupon(
    coupon_id: str = "LOYAL", *, duration: str = "forever", percent: str | None = None, **fields: Any
) -> Coupon:
    """A coupon without limits unless ``applies_to`` says otherwise."""
    defaults: dict[str, Any] = {"applies_to": None}
    percent_off = Decimal(percent) if percent is not None else None
    return Coupon(id=coupon_id, duration=duration, percent_off=percent_off, **(defaults | fields))


def a_discount(coupon: Coupon | str | None, *, discount_id: str = "di_1", end: int | None = None) -> Discount:
    return Discount(id=discount_id, source=DiscountSource(coupon=coupon), end=end)


def percent_off(percent: str, **fields: Any) -> Discount:
    return a_discount(a_coupon(percent=percent, **fields))


def amount_off(minor: int, currency: str = "usd", **fields: Any) -> Discount:
    return a_discount(a_coupon(amount_off=minor, currency=currency, **fields))


def only(*products: str) -> AppliesTo:
    return AppliesTo(products=list(products))


def a_tax(percentage: str, *, inclusive: bool, name: str = "VAT") -> TaxRate:
    return TaxRate(id="txr_1", percentage=Decimal(percentage), inclusive=inclusive, display_name=name)


def reckon(subscription: Subscription, *, checked: bool = True, **fields: Any) -> Contribution:
    """Work out a subscription; ``checked`` proves on the way that the receipt's lines add up to the figure."""
    defaults: dict[str, Any] = {"customer_discount": None, "catalog": Catalog(), "rates": RATES, "now": NOW}
    result = contribution(subscription, **(defaults | fields))
    if checked:
        assert sum((line.usd or Decimal(0) for line in result.receipt.lines), Decimal(0)) == result.amount
        assert result.receipt.contribution == result.amount
    return result


def monthly(subscription: Subscription, **fields: Any) -> Decimal:
    """Return the monthly figure of a subscription that must be without problems."""
    result = reckon(subscription, **fields)
    assert result.problems == ()
    return result.amount


def codes(result: Contribution) -> list[str]:
    return [problem.code for problem in result.problems]


def an_invoice(
    status: str | None = "open", *, pi: str | None = None, reason: str | None = None, **fields: Any
) -> Invoice:
    """An open invoice of $20, charged automatically; ``pi`` is the status its payment intent ``pi_1`` was read with."""
    defaults: dict[str, Any] = {
        "id": "in_1",
        "created": at(days=-3),
        "currency": "usd",
        "customer": "cus_1",
        "number": "ACME-1",
        "collection_method": "charge_automatically",
        "total": 2000,
        "amount_due": 2000,
        "amount_remaining": 2000,
    }
    if pi is not None:
        defaults["payments"] = payments(a_payment())
    if reason is not None:
        defaults["status_details"] = InvoiceStatusDetails(uncollectible=InvoiceUncollectible(reason=reason))
    return Invoice(status=status, **(defaults | fields))


def a_payment(
    payment_id: str = "inpay_1", *, intent: Any = "pi_1", status: str = "open", **fields: Any
) -> InvoicePayment:
    source = PaymentSource(type="payment_intent", payment_intent=intent)
    return InvoicePayment(id=payment_id, status=status, payment=source, **fields)


def payments(*data: InvoicePayment) -> InvoicePayments:
    return InvoicePayments(data=list(data))


def intents(status: str | None) -> dict[str, str]:
    """What was read about ``pi_1``."""
    return {} if status is None else {"pi_1": status}


def total_of(contributions: Sequence[Contribution]) -> Decimal:
    return sum((each.amount for each in contributions), Decimal(0))

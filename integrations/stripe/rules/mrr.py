"""What one subscription adds to MRR, and the receipt that says why (docs/rules.md section 4).

Pure: the clock, the exchange rates and everything Stripe said come as parameters. Nothing Stripe may send makes it
raise: what cannot be read or understood contributes 0, is a Problem, and is flagged on the receipt.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from integrations.stripe.api.objects import Discount, Subscription
from integrations.stripe.rules.charging import add_item, describe_item
from integrations.stripe.rules.moments import earliest
from integrations.stripe.rules.money import Rate, Rates, exact
from integrations.stripe.rules.prices import LARGEST_AMOUNT
from integrations.stripe.rules.problems import NAMES_ONLY, Problem, distinct
from integrations.stripe.rules.receipt import WHY_ZERO, Line, Receipt
from integrations.stripe.rules.reckoning import Catalog, Reckoning
from integrations.stripe.rules.reducing import apply_discounts
from integrations.stripe.rules.subscriptions import KNOWN_STATUSES, is_counting, is_ended, is_live
from integrations.stripe.rules.wording import day, significant

__all__ = ["Catalog", "Contribution", "contribution"]


class Contribution(Struct, frozen=True):
    """What a subscription adds: US dollars a month with 12 places, and when the clock alone will change that."""

    amount: Decimal
    receipt: Receipt
    problems: tuple[Problem, ...]
    next_change_at: datetime | None


def contribution(
    subscription: Subscription,
    *,
    customer_discount: Discount | None,
    catalog: Catalog,
    rates: Rates,
    now: datetime,
) -> Contribution:
    """Return what a subscription adds to MRR at ``now``; never below 0.

    ``customer_discount`` is that of its Stripe customer, inherited when the subscription has none of its own.
    """
    with exact():
        reckoning = Reckoning(subscription, catalog=catalog, rates=rates, now=now)
        if is_live(subscription.status):
            _expect_items(reckoning)
            _expect_products(reckoning)
        if not is_counting(subscription.status):
            return _not_counting(reckoning)
        for item in subscription.items.data:
            add_item(reckoning, item)
        apply_discounts(reckoning, customer_discount)
        _settle(reckoning)
        return _contribution(reckoning, "" if reckoning.ledger.booked else _why_zero(reckoning))


def _not_counting(reckoning: Reckoning) -> Contribution:
    """A subscription whose status does not count: what it consists of, and why that is worth 0."""
    subscription = reckoning.subscription
    for item in subscription.items.data:
        describe_item(reckoning, item)
    if is_ended(subscription.status):
        return _contribution(reckoning, "ended")
    if subscription.status in KNOWN_STATUSES:
        return _contribution(reckoning, subscription.status)
    message = f"Subscription {subscription.id} has the status “{subscription.status}”, which we do not know."
    return _contribution(reckoning, "unknown_status", Problem("unknown_value", subscription.id, message))


def _expect_items(reckoning: Reckoning) -> None:
    """Say so when Stripe sent no items, or only the first of them and nobody fetched the rest."""
    subscription = reckoning.subscription
    if subscription.items.has_more:
        message = f"Subscription {subscription.id} has more items than were read, so its MRR is too low."
        _note(reckoning, "Further items", Problem("invalid_response", subscription.id, message))
    elif not subscription.items.data:
        message = f"Subscription {subscription.id} came without items, so it has no plan and counts 0."
        _note(reckoning, "No items", Problem("invalid_response", subscription.id, message))


def _expect_products(reckoning: Reckoning) -> None:
    """Say so when a product is gone; its prices still charge, so that it costs a name and nothing else."""
    catalog = reckoning.catalog
    sold = dict.fromkeys(item.price.product_id for item in reckoning.subscription.items.data)
    for product in sold if catalog.has_all_products else ():
        if product not in catalog.product_names:
            message = f"Product {product} is gone from Stripe, so its plan goes by another name."
            _note(reckoning, "Product gone", Problem("record_gone", product, message))


def _note(reckoning: Reckoning, label: str, problem: Problem) -> None:
    """Put a problem that changes nothing by itself on the receipt."""
    reckoning.book(Line(kind="note", label=label, detail=problem.message, problem=problem.code), problem)


def _settle(reckoning: Reckoning) -> None:
    """Steps 11 and 12 for one subscription: never below 0, and in US dollars."""
    if reckoning.total < 0:
        _correct(reckoning, Line(kind="note", label="Never below zero", detail="Negative prices exceed the rest"))
    if reckoning.rate is None:
        _miss_rate(reckoning)
    elif reckoning.total * reckoning.rate.usd_per_unit >= LARGEST_AMOUNT:
        subscription_id = reckoning.subscription.id
        message = f"Subscription {subscription_id} comes to more than can be true, so it counts 0."
        problem = Problem("invalid_response", subscription_id, message)
        line = Line(kind="note", label="Too large", detail=message, problem=problem.code)
        _correct(reckoning, line, problem)
    if reckoning.rate is not None and reckoning.rate.source != "usd" and reckoning.charges:
        reckoning.book(_rate_line(reckoning, reckoning.rate))


def _correct(reckoning: Reckoning, line: Line, problem: Problem | None = None) -> None:
    """Bring the total to zero with a line that shows what that took."""
    reckoning.correction = reckoning.total.copy_negate()
    amount = reckoning.correction
    reckoning.book(replace(line, amount=amount, currency=reckoning.currency, interval="month"), problem)


def _miss_rate(reckoning: Reckoning) -> None:
    """Without a rate nothing can be converted; that only matters when there is something to convert."""
    if reckoning.total > 0:
        code = reckoning.currency.upper()
        message = f"There is no exchange rate for {code}. Add one among the exchange rates in the admin, and it counts."
        problem = Problem("no_exchange_rate", reckoning.currency, message)
        reckoning.book(Line(kind="rate", label="Exchange rate", detail=message, problem=problem.code), problem)


def _rate_line(reckoning: Reckoning, rate: Rate) -> Line:
    by = "ECB" if rate.source == "ecb" else "entered by an admin"
    return Line(
        kind="rate",
        label="Exchange rate",
        detail=f"1 {reckoning.currency.upper()} = {significant(rate.usd_per_unit)} USD, {by}, {day(rate.date)}",
        currency=reckoning.currency,
        rate=rate.usd_per_unit,
        rate_date=rate.date,
        rate_source=rate.source,
    )


def _why_zero(reckoning: Reckoning) -> str:
    """Return the key of WHY_ZERO for a counting subscription that comes to nothing."""
    if not reckoning.subscription.items.data:
        return "no_items"
    problems = {problem.code for problem in reckoning.problems} - NAMES_ONLY
    if problems:
        return "no_exchange_rate" if problems == {"no_exchange_rate"} else "incomplete_data"
    if not reckoning.charges:
        return "not_recurring"
    if reckoning.correction:
        return "credited"
    is_taken_off = reckoning.total == 0 and any(charge.listed > 0 for charge in reckoning.charges)
    return "discounted" if is_taken_off else "free"


def _contribution(reckoning: Reckoning, why_zero: str, problem: Problem | None = None) -> Contribution:
    """Close the receipt; the lines add up to the amount because both come from the ledger."""
    if why_zero:
        code = problem.code if problem else ""
        reckoning.book(Line(kind="zero", label="Counts 0", detail=WHY_ZERO[why_zero], problem=code), problem)
    subscription = reckoning.subscription
    receipt = Receipt(
        subscription=subscription.id,
        status=subscription.status,
        counts=is_counting(subscription.status),
        why_zero=why_zero,
        currency=subscription.currency,
        lines=reckoning.ledger.lines,
        contribution=reckoning.ledger.booked,
    )
    return Contribution(reckoning.ledger.booked, receipt, distinct(reckoning.problems), earliest(reckoning.ends))

"""Taking inclusive tax out of an item's amount (docs/rules.md section 4, step 6)."""

from __future__ import annotations

from decimal import Decimal

from integrations.stripe.api.objects import Subscription, SubscriptionItem, TaxRate
from integrations.stripe.rules.money import HUNDRED, ONE, ZERO
from integrations.stripe.rules.problems import Problem
from integrations.stripe.rules.wording import significant


def tax_rates(item: SubscriptionItem, subscription: Subscription) -> list[TaxRate]:
    """Return the rates that apply to an item: its own, else the subscription's default ones."""
    return item.tax_rates or subscription.default_tax_rates or []


def without_inclusive(amount: Decimal, rates: list[TaxRate]) -> Decimal:
    """Return an amount without the taxes it includes; they were all put on the same net amount, so they add up."""
    included = sum((rate.percentage for rate in rates if rate.inclusive), ZERO)
    return amount / (ONE + included / HUNDRED)


def tax_problem(rates: list[TaxRate]) -> Problem | None:
    """Return what is wrong with the inclusive rates, if anything."""
    for rate in rates:
        if rate.inclusive and not 0 <= rate.percentage <= HUNDRED:
            return Problem(
                "invalid_response", rate.id, f"Tax rate {rate.id} is {significant(rate.percentage)} %, which cannot be."
            )
    return None

"""Steps 1 to 7 of docs/rules.md section 4: what each item comes to a month, before the subscription's discounts."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from integrations.stripe.api.objects import Recurring, SubscriptionItem, TaxRate
from integrations.stripe.rules.discounts import Ruling
from integrations.stripe.rules.intervals import monthly_factor
from integrations.stripe.rules.money import HUNDRED, ZERO
from integrations.stripe.rules.prices import Cost, item_cost
from integrations.stripe.rules.problems import Problem
from integrations.stripe.rules.receipt import Line, LineKind, discount_line
from integrations.stripe.rules.reckoning import Charge, Reckoning
from integrations.stripe.rules.taxes import tax_problem, tax_rates, without_inclusive
from integrations.stripe.rules.wording import division, percent, period


def add_item(reckoning: Reckoning, item: SubscriptionItem) -> None:
    """Work out one item and put its lines on the receipt."""
    recurring = item.price.recurring
    if recurring is None:
        reckoning.book(_line(reckoning, item, "note", "One-off price: never counts towards MRR"))
    elif recurring.usage_type == "metered":
        reckoning.book(_line(reckoning, item, "note", "Metered: usage never counts towards MRR"))
    else:
        charge = _charge(reckoning, item, recurring)
        if isinstance(charge, Problem):
            line = _line(reckoning, item, "item", charge.message)
            reckoning.book(replace(line, problem=charge.code), charge)
        else:
            _apply_item_discounts(reckoning, charge)
            _take_tax_out(reckoning, charge)


def describe_item(reckoning: Reckoning, item: SubscriptionItem) -> None:
    """Put an item of a subscription that does not count on the receipt, for the reader; nothing is judged."""
    recurring = item.price.recurring
    detail = ""
    if recurring is not None and recurring.usage_type == "licensed":
        cost = item_cost(item, currency=reckoning.currency, prices=reckoning.catalog.prices)
        detail = "" if isinstance(cost, Problem) else _cost_detail(item, cost, recurring)
    reckoning.book(_line(reckoning, item, "note", detail))


def _charge(reckoning: Reckoning, item: SubscriptionItem, recurring: Recurring) -> Charge | Problem:
    """Steps 1 to 4 and 7: an item's amount per period, and what turns it into one a month."""
    price = item.price
    if recurring.usage_type != "licensed":
        message = f"Price {price.id} has the usage type “{recurring.usage_type}”, which we do not know."
        return Problem("unknown_value", price.id, message)
    factor = monthly_factor(price, recurring)
    if isinstance(factor, Problem):
        return factor
    cost = item_cost(item, currency=reckoning.currency, prices=reckoning.catalog.prices)
    if isinstance(cost, Problem):
        return cost
    charge = Charge.start(item, recurring, factor, cost.amount)
    reckoning.charges.append(charge)
    steps = (_cost_detail(item, cost, recurring), division(recurring.interval, recurring.interval_count))
    line = _line(reckoning, item, "item", ", ".join(filter(None, steps)))
    quantity = 1 if item.quantity is None else item.quantity
    line = replace(line, amount=cost.amount, currency=reckoning.currency, quantity=quantity)
    reckoning.book(_on_item(line, charge))
    return charge


def _apply_item_discounts(reckoning: Reckoning, charge: Charge) -> None:
    """Step 5: the item's own discounts, in order, as long as there is something to take from."""
    for discount in charge.item.discounts or []:
        if charge.amount > 0:
            ruling = reckoning.judge(discount, of_item=True)
            before = charge.amount
            charge.set_amount(_discounted(before, ruling))
            line = discount_line(ruling, amount=charge.amount - before, currency=reckoning.currency)
            reckoning.book_ruling(ruling, _on_item(line, charge))


def _discounted(amount: Decimal, ruling: Ruling) -> Decimal:
    """Return what a discount leaves of an item's amount per period; nothing when that cannot be known."""
    if ruling.effect == "unreadable":
        return ZERO
    if ruling.percent is not None:
        return amount * (HUNDRED - ruling.percent) / HUNDRED
    return max(ZERO, amount - (ruling.amount or ZERO))


def _take_tax_out(reckoning: Reckoning, charge: Charge) -> None:
    """Step 6: inclusive tax is not revenue, so it comes out; exclusive tax comes on top and never counts."""
    rates = tax_rates(charge.item, reckoning.subscription)
    inclusive = [rate for rate in rates if rate.inclusive]
    exclusive = [rate for rate in rates if not rate.inclusive]
    if inclusive and charge.amount != 0:
        problem = tax_problem(inclusive)
        before = charge.amount
        charge.set_amount(ZERO if problem else without_inclusive(before, inclusive))
        detail = problem.message if problem else f"{_percentages(inclusive)} included, taken out"
        line = _tax_line(inclusive, detail, amount=charge.amount - before, currency=reckoning.currency)
        reckoning.book(_on_item(replace(line, problem=problem.code if problem else ""), charge), problem)
    if exclusive and charge.amount != 0:
        line = _tax_line(exclusive, f"{_percentages(exclusive)} comes on top and never counts")
        reckoning.book(_on_item(line, charge))


def _line(reckoning: Reckoning, item: SubscriptionItem, kind: LineKind, detail: str) -> Line:
    """Begin an item's line; its quantity is the one people bought, before it is divided into packages."""
    return Line(
        kind=kind,
        label=reckoning.name(item.price),
        detail=detail,
        item=item.id,
        price=item.price.id,
        quantity=item.quantity,
    )


def _on_item(line: Line, charge: Charge) -> Line:
    """Say which item a line is about and for which period its amount stands."""
    return replace(
        line,
        item=charge.item.id,
        price=charge.item.price.id,
        interval=charge.recurring.interval,
        interval_count=charge.recurring.interval_count,
    )


def _tax_line(rates: list[TaxRate], detail: str, *, amount: Decimal | None = None, currency: str = "") -> Line:
    label = ", ".join(rate.display_name or "Tax" for rate in rates)
    return Line(kind="tax", label=label, detail=detail, amount=amount, currency=currency)


def _percentages(rates: list[TaxRate]) -> str:
    return " + ".join(percent(rate.percentage) for rate in rates)


def _cost_detail(item: SubscriptionItem, cost: Cost, recurring: Recurring) -> str:
    """Describe what an item costs per period, with the packages its quantity was divided into."""
    if cost.quantity == 0:
        return cost.detail
    transform = item.price.transform_quantity
    packages = f", {item.quantity or 1:,} in packages of {transform.divide_by:,}" if transform else ""
    return f"{cost.detail} {period(recurring.interval, recurring.interval_count)}{packages}"

"""What holds for every subscription and every invoice, whatever Stripe sends (docs/rules.md sections 4 and 5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from integrations.stripe.api.objects import (
    CouponCurrencyOption,
    Discount,
    Invoice,
    PriceCurrencyOption,
    Subscription,
    SubscriptionItem,
    SubscriptionItems,
)
from integrations.stripe.rules.money import store_places, to_cents
from integrations.stripe.rules.mrr import Catalog
from integrations.stripe.rules.payment_status import LiveSubscription, PaymentStatus, Reason, payment_status
from integrations.stripe.rules.subscriptions import KNOWN_STATUSES
from integrations.stripe.rules.summary import AttachedCustomer, AttachedSubscription, summarise
from tests.integrations.stripe.rules.builders import (
    NOW,
    a_coupon,
    a_discount,
    a_payment,
    a_price,
    a_subscription,
    a_tax,
    a_tier,
    an_invoice,
    an_item,
    at,
    only,
    packages,
    payments,
    percent_off,
    reckon,
)

# What must hold is a matter of values; how long a busy machine takes to draw them is none.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NEW = "brand_new_value"
CURRENCIES = st.sampled_from(["usd", "eur", "jpy", "kwd", "ngn"])
INTERVALS = st.sampled_from(["day", "week", "month", "year"])
PRODUCTS = st.sampled_from(["prod_a", "prod_b"])
AMOUNTS = st.integers(0, 10**9)
ODD_NUMBERS = st.one_of(st.integers(-5, 5), st.integers(), st.sampled_from([10**18, -(10**18), 10**40]))
ODD_DECIMALS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from([Decimal("1E+400000"), Decimal("1E-400000")])
)
PERCENTAGES = st.decimals(0, 100, places=2)
MOMENTS = st.sampled_from([None, at(days=-1), at(days=0), at(days=1), 10**30, -(10**30)])


@st.composite
def ordinary_items(draw: st.DrawFn, *, currency: str = "usd", whole: bool = False) -> SubscriptionItem:
    """A licensed per-unit item as real accounts have them."""
    interval, count = ("month", 1) if whole else (draw(INTERVALS), draw(st.integers(1, 12)))
    price = a_price(
        draw(st.sampled_from(["price_a", "price_b", "price_c"])),
        amount=draw(AMOUNTS),
        interval=interval,
        count=count,
        currency=currency,
        product=draw(PRODUCTS),
    )
    return an_item(price, draw(st.integers(0, 1000)))


@st.composite
def odd_discounts(draw: st.DrawFn) -> str | Discount:
    """A discount of which any field may be missing, absurd or new to us."""
    limits = st.sampled_from([UNSET, None, only(), only("prod_a"), only("prod_x")])
    options = st.sampled_from([UNSET, None, {}, {"eur": CouponCurrencyOption(amount_off=100)}])
    coupon = a_coupon(
        draw(st.sampled_from(["LOYAL", "OTHER"])),
        duration=draw(st.sampled_from(["forever", "repeating", "once", NEW])),
        amount_off=draw(st.none() | ODD_NUMBERS),
        currency=draw(st.none() | CURRENCIES),
        currency_options=draw(options),
        applies_to=draw(limits),
    )
    coupon = replace(coupon, percent_off=draw(st.none() | PERCENTAGES | ODD_DECIMALS))
    source = draw(st.sampled_from([coupon, coupon, coupon, "LOYAL", "GONE", None]))
    discount = a_discount(source, end=draw(MOMENTS))
    return draw(st.sampled_from([discount, discount, discount, "di_9"]))


@st.composite
def odd_tiers(draw: st.DrawFn) -> Any:
    sizes = st.none() | st.integers(-3, 30) | ODD_NUMBERS
    amounts = st.none() | ODD_NUMBERS
    tiers = st.lists(st.builds(a_tier, sizes, amounts, amounts), max_size=4)
    return draw(st.sampled_from([UNSET, None]) | tiers)


@st.composite
def odd_items(draw: st.DrawFn) -> SubscriptionItem:
    """An item of which any field may be missing, absurd or new to us."""
    option = PriceCurrencyOption(unit_amount=draw(st.none() | ODD_NUMBERS), tiers=draw(odd_tiers()))
    price = a_price(
        draw(st.sampled_from(["price_a", "price_b"])),
        amount=draw(st.none() | ODD_NUMBERS | AMOUNTS),
        interval=draw(st.none() | INTERVALS | st.just(NEW)),
        count=draw(ODD_NUMBERS),
        usage_type=draw(st.sampled_from(["licensed", "licensed", "metered", NEW])),
        currency=draw(CURRENCIES),
        product=draw(PRODUCTS),
        billing_scheme=draw(st.sampled_from(["per_unit", "tiered", NEW])),
        tiers_mode=draw(st.sampled_from(["volume", "graduated", None, NEW])),
        tiers=draw(odd_tiers()),
        currency_options=draw(st.sampled_from([UNSET, None, {}, {"eur": option}])),
        transform_quantity=draw(st.none() | st.builds(packages, ODD_NUMBERS, st.sampled_from(["up", "down", NEW]))),
    )
    price = replace(price, unit_amount_decimal=draw(st.none() | ODD_DECIMALS))
    taxes = st.builds(lambda rate, inclusive: a_tax(str(rate), inclusive=inclusive), ODD_DECIMALS, st.booleans())
    return an_item(
        price,
        draw(st.none() | ODD_NUMBERS),
        discounts=draw(st.none() | st.lists(odd_discounts(), max_size=2)),
        tax_rates=draw(st.none() | st.lists(taxes, max_size=2)),
    )


@st.composite
def odd_subscriptions(draw: st.DrawFn) -> Subscription:
    items = draw(st.lists(odd_items() | ordinary_items(), max_size=3))
    return a_subscription(
        items=SubscriptionItems(data=items, has_more=draw(st.booleans())),
        status=draw(st.sampled_from(["active", "past_due", *sorted(KNOWN_STATUSES), NEW])),
        currency=draw(CURRENCIES),
        discounts=draw(st.none() | st.lists(odd_discounts(), max_size=2)),
    )


CATALOGS = st.sampled_from([Catalog(), Catalog(coupons={"LOYAL": a_coupon(percent="10")})])


@unhurried
@given(odd_subscriptions(), st.none() | odd_discounts(), CATALOGS)
def test_time_changes_a_contribution_at_its_next_change_and_at_no_moment_before(
    subscription: Subscription, customer_discount: Any, catalog: Catalog
) -> None:
    def now_and(later: datetime) -> list[Any]:
        moments = (NOW, later)
        return [reckon(subscription, customer_discount=customer_discount, catalog=catalog, now=now) for now in moments]

    until = reckon(subscription, customer_discount=customer_discount, catalog=catalog).next_change_at
    first, second = now_and(until - timedelta(seconds=1) if until else NOW + timedelta(days=400))
    assert first == second


@unhurried
@given(odd_subscriptions(), st.none() | odd_discounts(), CATALOGS)
def test_whatever_stripe_sends_nothing_raises_and_the_figure_is_never_negative_and_the_receipt_adds_up(
    subscription: Subscription, customer_discount: Any, catalog: Catalog
) -> None:
    inherited = customer_discount if isinstance(customer_discount, Discount) else None
    result = reckon(subscription, customer_discount=inherited, catalog=catalog)
    assert 0 <= result.amount < 10**15
    assert result.amount == store_places(result.amount)
    assert bool(result.amount) != bool(result.receipt.why_zero)


@unhurried
@given(odd_subscriptions(), CATALOGS)
def test_every_kind_of_problem_is_flagged_on_a_line_and_no_other(subscription: Subscription, catalog: Catalog) -> None:
    result = reckon(subscription, catalog=catalog)
    flagged = {line.problem for line in result.receipt.lines if line.problem}
    assert flagged == {problem.code for problem in result.problems}


@unhurried
@given(st.lists(ordinary_items(), min_size=2, max_size=4), st.lists(PERCENTAGES, max_size=2), st.data())
def test_splitting_a_subscription_leaves_the_sum(
    items: list[SubscriptionItem], percentages: list[Decimal], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(items) - 1))
    discounts: list[str | Discount] = [percent_off(str(each)) for each in percentages]
    parts = [reckon(a_subscription(*part, discounts=discounts)).amount for part in (items[:cut], items[cut:])]
    whole = reckon(a_subscription(*items, discounts=discounts)).amount
    assert abs(sum(parts) - whole) <= Decimal("1e-12")


@unhurried
@given(st.lists(ordinary_items(), min_size=1, max_size=4), st.randoms())
def test_the_order_of_items_is_irrelevant(items: list[SubscriptionItem], random: Any) -> None:
    shuffled = random.sample(items, len(items))
    assert reckon(a_subscription(*items)).amount == reckon(a_subscription(*shuffled)).amount


@unhurried
@given(AMOUNTS, st.integers(0, 1000), st.integers(1, 36))
def test_a_price_for_several_months_is_worth_its_monthly_price(amount: int, quantity: int, months: int) -> None:
    monthly_price, longer = a_price(amount=amount), a_price(amount=amount * months, count=months)
    found = [reckon(a_subscription(an_item(price, quantity))).amount for price in (monthly_price, longer)]
    assert found[0] == found[1]


@unhurried
@given(AMOUNTS, st.integers(0, 1000))
def test_a_year_is_twelve_months_and_a_quarter_is_three(amount: int, quantity: int) -> None:
    prices = (
        a_price(amount=amount),
        a_price(amount=amount * 3, count=3),
        a_price(amount=amount * 12, interval="year"),
    )
    assert len({reckon(a_subscription(an_item(price, quantity))).amount for price in prices}) == 1


@unhurried
@given(odd_subscriptions(), PERCENTAGES, CATALOGS)
def test_adding_a_percent_discount_never_raises_the_figure(
    subscription: Subscription, percentage: Decimal, catalog: Catalog
) -> None:
    discount = percent_off(str(percentage), applies_to=None)
    more = replace(subscription, discounts=[*(subscription.discounts or []), discount])
    assert reckon(more, catalog=catalog).amount <= reckon(subscription, catalog=catalog).amount


@unhurried
@given(st.lists(ordinary_items(whole=True), min_size=1, max_size=3), st.integers(0, 50))
def test_scaling_quantities_scales_per_unit_mrr(items: list[SubscriptionItem], times: int) -> None:
    scaled = [replace(item, quantity=(item.quantity or 0) * times) for item in items]
    assert reckon(a_subscription(*scaled)).amount == reckon(a_subscription(*items)).amount * times


@unhurried
@given(st.lists(ordinary_items(currency="eur"), min_size=1, max_size=3), PERCENTAGES)
def test_a_percent_discount_on_every_item_is_worth_the_same_on_the_subscription(
    items: list[SubscriptionItem], percentage: Decimal
) -> None:
    discount = percent_off(str(percentage))
    on_items = [replace(item, discounts=[discount]) for item in items]
    fields: dict[str, Any] = {"currency": "eur"}
    difference = (
        reckon(a_subscription(*on_items, **fields)).amount
        - reckon(a_subscription(*items, discounts=[discount], **fields)).amount
    )
    assert abs(difference) <= Decimal("1e-12")


@st.composite
def odd_invoices(draw: st.DrawFn) -> Invoice:
    payment_status_ = st.sampled_from(["open", "paid", "canceled", NEW])
    payment = st.builds(a_payment, st.sampled_from(["a", "b"]), status=payment_status_, created=st.integers(0, 3))
    return an_invoice(
        draw(st.sampled_from(["draft", "open", "open", "paid", "void", "uncollectible", None, NEW])),
        id=draw(st.sampled_from(["in_1", "in_2", "in_3"])),
        created=draw(st.sampled_from([at(days=-9), at(days=-8), 10**30])),
        reason=draw(st.sampled_from([None, "subscription_paused", "max_payment_attempts", NEW])),
        collection_method=draw(st.sampled_from(["charge_automatically", "send_invoice", None, NEW])),
        due_date=draw(MOMENTS),
        next_payment_attempt=draw(MOMENTS),
        attempt_count=draw(ODD_NUMBERS),
        amount_due=draw(ODD_NUMBERS),
        amount_remaining=draw(ODD_NUMBERS),
        currency=draw(CURRENCIES),
        payments=payments(*draw(st.lists(payment, max_size=3))),
    )


INTENTS = st.sampled_from([{}, {"pi_1": NEW}, {"pi_1": "requires_payment_method"}, {"pi_1": "succeeded"}])


@unhurried
@given(
    st.lists(odd_invoices(), max_size=4), INTENTS, st.lists(st.sampled_from(["unpaid", "past_due", NEW]), max_size=2)
)
def test_whatever_the_invoices_say_there_is_a_status(
    invoices: list[Invoice], intents: dict[str, str], statuses: list[str]
) -> None:
    live = [LiveSubscription(status, NEW) for status in statuses]
    found = payment_status(invoices, intents=intents, subscriptions=live, now=NOW)
    assert found.status in ("paid", "past_due", "failing", "none")
    assert found.next_change_at is None or found.next_change_at > NOW


@unhurried
@given(st.lists(odd_invoices(), max_size=4, unique_by=lambda invoice: invoice.id), INTENTS, st.randoms())
def test_the_order_invoices_arrive_in_is_irrelevant(
    invoices: list[Invoice], intents: dict[str, str], random: Any
) -> None:
    shuffled = random.sample(invoices, len(invoices))
    found = [payment_status(order, intents=intents, subscriptions=[], now=NOW) for order in (invoices, shuffled)]
    assert (found[0].status, found[0].reason, found[0].also_open) == (
        found[1].status,
        found[1].reason,
        found[1].also_open,
    )


ATTACHED = st.builds(
    AttachedSubscription,
    st.sampled_from(["sub_a", "sub_b", "sub_c", "sub_d"]),
    st.sampled_from(["cus_a", "cus_b"]),
    st.sampled_from([*sorted(KNOWN_STATUSES), NEW]),
    st.sampled_from([datetime(2026, 1, number, tzinfo=UTC) for number in (1, 2)]),
    st.decimals(0, 100, places=12),
    st.just("growth"),
    st.just("Growth"),
)


@unhurried
@given(st.lists(ATTACHED, max_size=4, unique_by=lambda each: each.stripe_id), st.booleans(), st.randoms())
def test_the_order_subscriptions_and_customers_arrive_in_is_irrelevant(
    subscriptions: list[AttachedSubscription], winner: bool, random: Any
) -> None:
    customers = [AttachedCustomer("cus_a", NOW, True), AttachedCustomer("cus_b", NOW, True, winner)]
    payment = PaymentStatus(status="none", reason=Reason(why="no_invoice", message=""))
    shuffled = random.sample(subscriptions, len(subscriptions))
    first = summarise(customers, subscriptions, payment=payment)
    assert first == summarise(customers[::-1], shuffled, payment=payment)
    assert first.mrr == to_cents(first.mrr) >= 0

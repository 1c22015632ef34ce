"""The cases about money: statuses, plans and every step from an item's price to monthly US dollars.

Amounts are chosen so that each figure can be worked out in one's head, with 1 EUR = 1.25 USD, 160 JPY and 125 ISK to
the euro, 1 KWD = 3.25 USD, and no rate for the naira.
"""

from sandbox.rules_case import Case, Coupon, Item, Subscription, Tax, tier

_TIERS = (tier(10, "500", 2000), tier(20, "400", 1000), tier(None, "250.5"))
_TIERED = {"tiers": _TIERS, "unit": None}
_TWO = (Item("10000"), Item("30000", product="prod_seats"))
_PACKAGES = {"transform_quantity": {"divide_by": 10, "round": "up"}}


def _one(slug: str, *items: Item, coupon: Coupon | None = None, **subscription: object) -> Case:
    """A case with a single subscription."""
    given = {"items": items} if items else {}
    return Case(slug, (Subscription(**{**given, **subscription}),), coupon=coupon)  # type: ignore[arg-type]


def _tiered(slug: str, mode: str, quantity: int) -> Case:
    return _one(slug, Item(None, quantity, tiers=_TIERS, fields={"tiers_mode": mode}))


STATUSES = (
    _one("active"),
    _one("past-due-still-counts", status="past_due"),
    _one("trialing", status="trialing"),
    _one("unpaid", status="unpaid"),
    _one("incomplete", status="incomplete"),
    _one("paused", status="paused"),
    _one("canceled", status="canceled"),
    _one("incomplete-expired", status="incomplete_expired"),
    _one("unknown-status", status="hibernating"),
    _one("set-to-end", fields={"cancel_at_period_end": True}),
    _one("collection-paused", fields={"pause_collection": {"behavior": "void", "resumes_at": None}}),
)

PLANS = (
    _one("lookup-key", Item(fields={"lookup_key": "growth_plus_annual", "nickname": "Nick"})),
    _one("product-name", Item(fields={"nickname": "Nick"})),
    _one("gone-product", Item(product="prod_gone", fields={"nickname": "Growth, old"})),
    _one("bare-price", Item(product="prod_vanished")),
    Case(
        "primary-by-mrr",
        (
            Subscription((Item("5000", fields={"lookup_key": "starter_monthly"}),), started=500),
            Subscription((Item("7000", fields={"lookup_key": "scale_monthly"}),)),
            Subscription((Item("90000", fields={"lookup_key": "trial_monthly"}),), status="trialing", started=600),
        ),
    ),
    Case("started-before", (Subscription(), Subscription(status="canceled", started=900))),
    Case("merged", (Subscription(),)),
    Case("merged-second", (Subscription((Item("2500"),)),), joins="merged"),
)

ITEMS = (
    _one("one-off-and-metered", Item(), Item("9900", interval=None), Item("25", None, usage_type="metered")),
    _one("only-metered", Item("25", None, usage_type="metered")),
    _one("quantity-absent", Item(quantity=None)),
    _one("quantity-zero", Item(quantity=0)),
    _one("packages-up", Item("9900", 58, fields=_PACKAGES)),
    _one("packages-down", Item("9900", 58, fields={"transform_quantity": {"divide_by": 10, "round": "down"}})),
    _one("currency-option", Item(options={"eur": "7400"}, fields={"currency": "usd"}), currency="eur"),
    _one(
        "tiers-in-a-currency-option",
        Item(
            None,
            12,
            tiers=_TIERS,
            options={"eur": (tier(10, "400", 1000), tier(None, "300"))},
            fields={"currency": "usd", "tiers_mode": "graduated"},
        ),
        currency="eur",
    ),
    _one("decimal-amount", Item("0.35", 1200)),
    _one("thirty-three-and-a-third", Item("33.333333", 300)),
    _tiered("volume-first-tier", "volume", 10),
    _tiered("volume-second-tier", "volume", 11),
    _tiered("volume-without-end", "volume", 40),
    _tiered("graduated", "graduated", 22),
    _tiered("graduated-on-the-edge", "graduated", 10),
    _tiered("graduated-zero", "graduated", 0),
    _one("negative-price", Item(), Item("-3000")),
    _one("credited", Item(), Item("-30000")),
    _one("free", Item("0")),
    _one("twelve-items", *[Item("100", number + 1) for number in range(12)]),
)

ITEM_DISCOUNTS_AND_TAX = (
    _one("item-percent-then-amount", Item(coupons=(Coupon(10), Coupon(amount=2500, currency="usd")))),
    _one("item-amount-then-percent", Item(coupons=(Coupon(amount=2500, currency="usd"), Coupon(10)))),
    _one("item-coupon-of-another-product", Item(coupons=(Coupon(10, products=("prod_seats",)),))),
    _one("inclusive-tax", Item("12500", taxes=(Tax(25, True),))),
    _one("exclusive-tax", Item("12500", taxes=(Tax(25, False),))),
    _one("two-inclusive-taxes", Item("12500", taxes=(Tax(20, True), Tax(5, True)))),
    _one("default-tax", Item("11900"), taxes=(Tax(19, True),)),
    _one("own-tax-beats-default", Item("12500", taxes=(Tax(25, False),)), taxes=(Tax(25, True),)),
    _one(
        "discount-before-tax",
        Item(coupons=(Coupon(amount=2000, currency="usd"),), taxes=(Tax(25, True),)),
    ),
)

INTERVALS = (
    _one("quarterly", Item("60000", count=3)),
    _one("annual", Item("120000", interval="year")),
    _one("biennial", Item("240000", interval="year", count=2)),
    _one("weekly", Item("1200", interval="week")),
    _one("fortnightly", Item("1200", interval="week", count=2)),
    _one("daily", Item("1200", interval="day")),
    _one("every-73-days", Item("120000", interval="day", count=73)),
    _one("mixed-intervals", Item("1000"), Item("12000", interval="year")),
)

DISCOUNTS = (
    _one("percent", *_TWO, coupons=(Coupon(10),)),
    _one("amount", *_TWO, coupons=(Coupon(amount=5000, currency="usd"),)),
    _one("stacked", *_TWO, coupons=(Coupon(50), Coupon(amount=10000, currency="usd"))),
    _one("applies-to", *_TWO, coupons=(Coupon(10, products=("prod_seats",)),)),
    _one(
        "amount-spread-then-percent",
        *_TWO,
        coupons=(Coupon(amount=20000, currency="usd"), Coupon(50, products=("prod_growth",))),
    ),
    _one(
        "amount-by-shortest-interval",
        Item("20000"),
        Item("240000", interval="year"),
        coupons=(Coupon(amount=10000, currency="usd"),),
    ),
    _one("amount-a-year", Item("120000", interval="year"), coupons=(Coupon(amount=12000, currency="usd"),)),
    _one("amount-a-week", Item("1200", interval="week"), coupons=(Coupon(amount=600, currency="usd"),)),
    _one("amount-beyond-all", coupons=(Coupon(amount=99999, currency="usd"),)),
    _one("amount-in-euros", currency="eur", coupons=(Coupon(amount=9999, currency="usd", options={"eur": 2000}),)),
    _one("amount-not-in-euros", currency="eur", coupons=(Coupon(amount=2000, currency="usd"),)),
    _one("inherited", coupon=Coupon(25)),
    _one("own-beats-inherited", coupons=(Coupon(50, duration="once"),), coupon=Coupon(25)),
    _one("item-discount-and-inherited", Item(coupons=(Coupon(10),)), coupon=Coupon(50)),
    _one("forever-with-an-end", coupons=(Coupon(10, ends=-5),)),
    _one("repeating", coupons=(Coupon(10, duration="repeating", ends=20),)),
    _one("repeating-without-end", coupons=(Coupon(10, duration="repeating"),)),
    _one("repeating-over", coupons=(Coupon(10, duration="repeating", ends=-1),)),
    _one("once", coupons=(Coupon(10, duration="once"),)),
)

CURRENCIES = (
    _one("euros", Item("8000"), currency="eur"),
    _one("yen", Item("12000"), currency="jpy"),
    _one("dinars", Item("24500"), currency="kwd"),
    _one("kronur", Item("10000"), currency="isk"),
    _one("no-rate", currency="ngn"),
    Case("thirds", (Subscription((Item("10000", interval="year"),)),) * 3),
)

BAD = (
    _one("no-items", items=()),
    _one("negative-quantity", Item(quantity=-2), Item("2500")),
    _one("no-amount", Item(None), Item("2500")),
    _one("no-option", Item(fields={"currency": "usd"}), Item("2000"), currency="eur"),
    _one("too-few-tiers", Item(None, 99, tiers=_TIERS[:1], fields={"tiers_mode": "volume"}), Item("2500")),
    _one("deleted-coupon", Item(coupons=(Coupon(10, listed=False),)), Item("2500")),
    _one("coupon-without-size", *_TWO, coupons=(Coupon(products=("prod_seats",)),)),
    _one("unknown-interval", Item(interval="fortnight"), Item("2500")),
    _one("unknown-scheme", Item(fields={"billing_scheme": "barter"}), Item("2500")),
    _one("unknown-tiers-mode", Item(None, 5, tiers=_TIERS, fields={"tiers_mode": "stairs"}), Item("2500")),
    _one("unknown-usage", Item(usage_type="guessed"), Item("2500")),
    _one("unknown-rounding", Item(fields={"transform_quantity": {"divide_by": 2, "round": "odd"}}), Item("2500")),
    _one("unknown-duration", *_TWO, coupons=(Coupon(10, duration="mostly", products=("prod_seats",)),)),
    _one("impossible-tax", Item(taxes=(Tax(101, True),)), Item("2500")),
)

CASES = (*STATUSES, *PLANS, *ITEMS, *ITEM_DISCOUNTS_AND_TAX, *INTERVALS, *DISCOUNTS, *CURRENCIES, *BAD)

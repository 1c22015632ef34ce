"""The plan as stored and as shown (docs/rules.md section 3)."""

import pytest

from integrations.stripe.api.objects import Product
from integrations.stripe.rules.plan import Plan, plan, plan_label, plan_value, with_more
from tests.integrations.stripe.rules.builders import a_price, a_subscription, an_item

NO_NAMES: dict[str, str] = {}


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("growth", "Growth"),
        ("growth_monthly", "Growth"),
        ("growth_month", "Growth"),
        ("growth_annual", "Growth"),
        ("growth_annually", "Growth"),
        ("growth_yearly", "Growth"),
        ("growth_year", "Growth"),
        ("growth_quarterly", "Growth"),
        ("growth_weekly", "Growth"),
        ("growth_daily", "Growth"),
        ("growth-monthly", "Growth"),
        ("growth_plus_annual", "Growth plus"),
        ("growth-plus_v2", "Growth plus v2"),
        ("GROWTH_MONTHLY", "GROWTH"),
        ("growth_monthly_annual", "Growth monthly"),
        ("growth_quarter", "Growth quarter"),
        ("biannual", "Biannual"),
        ("monthly", "Monthly"),
        ("_monthly", "Monthly"),
        ("__", "__"),
    ],
)
def test_lookup_keys_lose_one_trailing_interval_and_become_words(key: str, label: str) -> None:
    assert plan_label(key, "lookup_key") == label


@pytest.mark.parametrize("kind", ["product", "nickname"])
def test_names_stay_as_they_are(kind: str) -> None:
    assert plan_label("Pro_Monthly", kind) == "Pro_Monthly"  # type: ignore[arg-type]


def test_a_bare_price_id_is_an_unnamed_plan() -> None:
    assert plan_label("price_1", "price") == "Unnamed plan"


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("growth_monthly", "Growth"),
        ("Growth_monthly", "Growth"),
        ("starter", "Starter"),
        ("E-mail", "E-mail"),
        ("support yearly", "support yearly"),
        ("price_1PnQ7xLmZk", "Unnamed plan"),
        ("plan_1PnQ7xLmZk", "Unnamed plan"),
        ("", ""),
    ],
)
def test_without_a_kind_a_value_is_judged_by_its_looks(value: str, label: str) -> None:
    assert plan_label(value) == label


@pytest.mark.parametrize(
    ("fields", "names", "expected"),
    [
        (
            {"lookup_key": "growth_monthly", "nickname": "G"},
            {"prod_growth": "Product"},
            Plan("growth_monthly", "Growth"),
        ),
        ({"nickname": "G"}, {"prod_growth": "Product_Monthly"}, Plan("Product_Monthly", "Product_Monthly")),
        ({"nickname": "G", "product": Product(id="prod_growth", name="Sent")}, NO_NAMES, Plan("Sent", "Sent")),
        ({"nickname": "nick_monthly"}, NO_NAMES, Plan("nick_monthly", "nick_monthly")),
        ({}, NO_NAMES, Plan("price_growth", "Unnamed plan")),
        ({"lookup_key": "", "nickname": ""}, {"prod_growth": ""}, Plan("price_growth", "Unnamed plan")),
    ],
)
def test_the_plan_is_lookup_key_then_product_then_nickname_then_price_id(
    fields: dict[str, object], names: dict[str, str], expected: Plan
) -> None:
    subscription = a_subscription(an_item(a_price(**fields)))
    assert plan(subscription, prices={}, product_names=names) == expected


def test_the_first_item_names_the_plan() -> None:
    subscription = a_subscription(
        an_item(a_price("price_a", lookup_key="zeta")), an_item(a_price("price_b", lookup_key="alpha"), item_id="si_2")
    )
    assert plan_value(subscription, prices={}, product_names={}) == "zeta"


def test_a_price_read_by_itself_speaks_before_the_copy_in_the_subscription() -> None:
    subscription = a_subscription(an_item(a_price(lookup_key="old_monthly")))
    prices = {"price_growth": a_price(lookup_key="new_monthly")}
    assert plan(subscription, prices=prices, product_names={}) == Plan("new_monthly", "New")


@pytest.mark.parametrize("known", ["prod_growth", "prod_new"], ids=["of the copy", "of the price itself"])
def test_either_product_of_a_price_that_moved_to_another_may_name_it(known: str) -> None:
    prices = {"price_growth": a_price(product="prod_new")}
    assert plan_value(a_subscription(), prices=prices, product_names={known: "Growth"}) == "Growth"


def test_a_subscription_without_items_has_no_plan() -> None:
    subscription = a_subscription()
    empty = a_subscription(items=type(subscription.items)(data=[]))
    assert plan(empty, prices={}, product_names={}) == Plan("", "")


@pytest.mark.parametrize(("live", "label"), [(0, "Growth"), (1, "Growth"), (2, "Growth +1"), (4, "Growth +3")])
def test_further_live_subscriptions_are_counted_behind_the_label(live: int, label: str) -> None:
    assert with_more("Growth", live) == label

"""What did not change is not computed again, and that is never seen in a figure (docs/architecture.md section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.models import Activity, Customer, MrrPoint
from integrations.models import (
    BillingSummary,
    DecisionKind,
    ExchangeRate,
    MemberEffect,
    ScopeFilter,
    ScopeKind,
    StripeConnection,
    StripeCoupon,
    StripeCustomer,
    StripeInvoice,
    StripeInvoicePayment,
    StripePaymentIntent,
    StripePrice,
    StripeProduct,
    StripeSubscription,
)
from integrations.stripe.sync import computed_from, contributions, rollup, unmoved
from tests.factories import (
    LONG_AGO,
    AdminRateFactory,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
    decide,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class World:
    """A small account in which everything that figures rest on occurs, and what time it is."""

    live: StripeConnection
    acme: Customer
    umbrella: Customer
    now: datetime = START
    rows: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def build(cls) -> World:
        """One customer merged from two Stripe customers, one billed in euros by invoice, and one that is nobody's."""
        live = StripeConnectionFactory()
        world = cls(live, CustomerFactory(domain="acme.com"), CustomerFactory(domain="umbrella.com"))
        one = StripeCustomerFactory(connection=live, stripe_id="cus_one", email="a@acme.com")
        two = StripeCustomerFactory(connection=live, stripe_id="cus_two", email="b@acme.com")
        euro = StripeCustomerFactory(connection=live, stripe_id="cus_euro", email="c@umbrella.com")
        nobody = StripeCustomerFactory(connection=live, stripe_id="cus_nobody", email="d@nobody.com")
        StripeSubscriptionFactory(owner=one, stripe_id="sub_plain")
        tiered = {"billing_scheme": "tiered", "tiers_mode": "volume", "unit_amount": None}
        StripeSubscriptionFactory(owner=two, stripe_id="sub_tiered", amount=7, price=tiered, quantity=3, lookup_key="")
        soon = {"id": "di_1", "source": {"coupon": "HALF"}, "end": stamp(START + timedelta(days=3))}
        StripeSubscriptionFactory(owner=euro, stripe_id="sub_euro", currency="eur", extra={"discounts": [soon]})
        StripeSubscriptionFactory(owner=nobody, stripe_id="sub_nobody")
        mirrored(StripeCoupon, live, "HALF", {"duration": "repeating", "percent_off": "50", "applies_to": None})
        AdminRateFactory(currency="eur", usd_per_unit=Decimal("1.1"))
        due = {"collection_method": "send_invoice", "due_date": stamp(START + timedelta(days=2))}
        StripeInvoiceFactory(owner=euro, stripe_id="in_euro", status="open", extra=due)
        StripeInvoiceFactory(owner=one, stripe_id="in_one", status="open", extra={"attempt_count": 1})
        paid_by = {"status": "open", "invoice": "in_one", "payment": {"payment_intent": "pi_1"}}
        mirrored(StripeInvoicePayment, live, "inpay_1", paid_by, invoice_id="in_one")
        mirrored(StripePaymentIntent, live, "pi_1", {"status": "requires_action"}, status="requires_action")
        return world


def stamp(at: datetime) -> int:
    return int(at.timestamp())


def mirrored(model: Any, live: StripeConnection, stripe_id: str, data: dict[str, Any], **columns: Any) -> None:
    """What Stripe says now of one object, known or new."""
    said = {"data": {"id": stripe_id, **data}, "observed_at": LONG_AGO, **columns}
    model.objects.update_or_create(connection=live, stripe_id=stripe_id, defaults=said)


def edit(model: Any, stripe_id: str, change: Callable[[dict[str, Any]], None], **columns: Any) -> None:
    """What Stripe says now of one object; nothing when it is gone."""
    row = model.objects.filter(stripe_id=stripe_id).first()
    if row is not None:
        change(row.data)
        model.objects.filter(pk=row.pk).update(data=row.data, **columns)


SUBSCRIPTIONS = ("sub_plain", "sub_tiered", "sub_euro", "sub_nobody")
Change = Callable[[World, int], None]


def quantity(world: World, n: int) -> None:
    edit(StripeSubscription, SUBSCRIPTIONS[n % 4], lambda data: data["items"]["data"][0].update(quantity=n))


def status(world: World, n: int) -> None:
    value = ("active", "past_due", "canceled", "trialing", "unpaid")[n % 5]
    edit(
        StripeSubscription,
        SUBSCRIPTIONS[n % 4],
        lambda data: data.update(status=value),
        status=value,
        live=value != "canceled",
    )


def set_to_end(world: World, n: int) -> None:
    at = world.now + timedelta(days=n)
    edit(StripeSubscription, SUBSCRIPTIONS[n % 4], lambda data: data.update(cancel_at=stamp(at)))


def discount(world: World, n: int) -> None:
    end = stamp(world.now + timedelta(days=n)) if n % 3 else None
    of_it = [{"id": "di_2", "source": {"coupon": ("HALF", "TEN", "GONE")[n % 3]}, "end": end}] if n % 4 else []
    edit(StripeSubscription, SUBSCRIPTIONS[n % 4], lambda data: data.update(discounts=of_it))


def item_discount(world: World, n: int) -> None:
    of_it = [{"id": "di_3", "source": {"coupon": ("HALF", "TEN")[n % 2]}}]
    edit(StripeSubscription, SUBSCRIPTIONS[n % 4], lambda data: data["items"]["data"][0].update(discounts=of_it))


def customer_discount(world: World, n: int) -> None:
    end = stamp(world.now + timedelta(days=n))
    found = {"id": "di_4", "source": {"coupon": ("HALF", "TEN")[n % 2]}, "end": end} if n % 3 else None
    edit(StripeCustomer, ("cus_one", "cus_euro")[n % 2], lambda data: data.update(discount=found))


def coupon(world: World, n: int) -> None:
    duration = ("forever", "repeating", "once")[n // 2 % 3]
    products = {"applies_to": {"products": ["prod_growth"]} if n % 5 else None} if n % 3 else {}
    data = {"duration": duration, "percent_off": str(10 + n % 50), **products}
    mirrored(StripeCoupon, world.live, ("HALF", "TEN")[n % 2], data)


def coupon_gone(world: World, n: int) -> None:
    StripeCoupon.objects.filter(stripe_id=("HALF", "TEN")[n % 2]).delete()


def price(world: World, n: int) -> None:
    held = StripeSubscription.objects.get(stripe_id="sub_tiered").data["items"]["data"][0]["price"]
    tiers = [{"up_to": None, "unit_amount": 100 + n}]
    moved_to = "prod_other" if n % 4 == 0 else "prod_growth"
    mirrored(StripePrice, world.live, held["id"], {**held, "tiers": tiers, "product": moved_to}, product_id=moved_to)


def product(world: World, n: int) -> None:
    mirrored(StripeProduct, world.live, ("prod_growth", "prod_other")[n % 2], {"name": f"Product {n}"})


def product_gone(world: World, n: int) -> None:
    StripeProduct.objects.all().delete()


def permission(world: World, n: int) -> None:
    world.live.permissions = [each for each in world.live.permissions if each != "product_read"]
    world.live.permissions += ["product_read"] if n % 2 else []
    world.live.save()


def rate(world: World, n: int) -> None:
    ExchangeRate.objects.filter(currency="eur").update(usd_per_unit=Decimal(100 + n) / 100)


def rate_gone(world: World, n: int) -> None:
    ExchangeRate.objects.filter(currency="eur").update(currency="chf" if n % 2 else "eur")


def scope(world: World, n: int) -> None:
    ScopeFilter.objects.all().delete()
    if n % 2:
        ScopeFilter.objects.create(connection=world.live, kind=ScopeKind.LOOKUP_KEY, value="growth_monthly")


def invoice(world: World, n: int) -> None:
    value = ("open", "paid", "void")[n % 3]
    amounts = {"amount_remaining": 0 if value == "paid" else 10_000, "attempt_count": n % 3}
    edit(StripeInvoice, ("in_one", "in_euro")[n % 2], lambda data: data.update(status=value, **amounts), status=value)


def another_invoice(world: World, n: int) -> None:
    owner = StripeCustomer.objects.get(stripe_id=("cus_one", "cus_two", "cus_euro")[n % 3])
    StripeInvoiceFactory(owner=owner, created=LONG_AGO + timedelta(days=n), status=("paid", "open")[n % 2])


def invoice_gone(world: World, n: int) -> None:
    StripeInvoice.objects.filter(stripe_id=("in_one", "in_euro")[n % 2]).delete()


def intent(world: World, n: int) -> None:
    value = ("requires_action", "processing", "canceled")[n % 3]
    mirrored(StripePaymentIntent, world.live, "pi_1", {"status": value}, status=value)


def payment(world: World, n: int) -> None:
    value = ("open", "paid", "canceled")[n % 3]
    edit(StripeInvoicePayment, "inpay_1", lambda data: data.update(status=value))


def intent_or_payment_gone(world: World, n: int) -> None:
    (StripePaymentIntent, StripeInvoicePayment)[n % 2].objects.all().delete()


def decision(world: World, n: int) -> None:
    one = StripeCustomer.objects.get(stripe_id=("cus_one", "cus_two", "cus_nobody")[n % 3])
    if n % 2:
        decide(DecisionKind.PIN, {one: MemberEffect.PINNED}, to=world.umbrella)
    else:
        decide(DecisionKind.IGNORE, {one: MemberEffect.IGNORED})


def email(world: World, n: int) -> None:
    domain = ("acme.com", "umbrella.com", "elsewhere.com")[n % 3]
    one = StripeCustomer.objects.filter(stripe_id=("cus_two", "cus_nobody")[n % 2])
    one.update(email=f"x@{domain}", email_address=f"x@{domain}", email_domain=domain)


def deleted_in_stripe(world: World, n: int) -> None:
    StripeCustomer.objects.filter(stripe_id="cus_two").update(deleted=bool(n % 2))


def overwritten(world: World, n: int) -> None:
    Customer.objects.filter(pk=(world.acme.pk, world.umbrella.pk)[n % 2]).update(mrr=n, plan="by hand")


def kept_rows_gone(world: World, n: int) -> None:
    (BillingSummary, MrrPoint)[n % 2].objects.all().delete()


def days_pass(world: World, n: int) -> None:
    world.now += timedelta(days=n % 40)


def minutes_pass(world: World, n: int) -> None:
    world.now += timedelta(minutes=n)


CHANGES: tuple[Change, ...] = (
    quantity, status, set_to_end, discount, item_discount, customer_discount, coupon, coupon_gone, price, product,
    product_gone, permission, rate, rate_gone, scope, invoice, another_invoice, invoice_gone, intent, payment,
    intent_or_payment_gone, decision, email, deleted_in_stripe, overwritten, kept_rows_gone, days_pass, minutes_pass,
)  # fmt: skip


def figures() -> dict[str, list[Any]]:
    """Everything that is derived, and the history of it."""
    customers = Customer.objects.order_by("pk").values_list("pk", *rollup.WRITTEN)
    columns = ("stripe_id", "mrr", "receipt", "problems", "plan", "plan_label", "next_change_at")
    summaries = [name for name in rollup.SUMMARY if name != "computed_from"]
    activities = Activity.objects.order_by("customer", "at", "event_type", "field")
    return {
        "customers": list(customers),
        "subscriptions": list(StripeSubscription.objects.order_by("pk").values_list(*columns)),
        "summaries": list(BillingSummary.objects.order_by("pk").values_list("customer", *summaries)),
        "activities": list(activities.values_list("customer", "at", "event_type", "field", "old", "new")),
        "points": list(MrrPoint.objects.order_by("customer", "at", "pk").values_list("customer", "at", "mrr", "cause")),
    }


def everything_computed(world: World) -> dict[str, list[Any]]:
    """The figures when nothing is left out, taken back again."""
    with undone():
        StripeSubscription.objects.update(computed_from="")
        BillingSummary.objects.update(computed_from="")
        derive_all(world.live, now=world.now)
        return figures()


@contextmanager
def undone() -> Iterator[None]:
    """A stretch of work that leaves nothing behind."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    nights=st.lists(
        st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(0, 60)), max_size=3), min_size=1, max_size=5
    )
)
def test_leaving_out_what_did_not_change_gives_exactly_what_computing_everything_gives(
    db: None, nights: list[list[tuple[Change, int]]]
) -> None:
    with undone():
        world = World.build()
        derive_all(world.live, now=world.now)
        for changes in nights:
            for change, n in changes:
                change(world, n)
            world.now += timedelta(seconds=1)
            expected = everything_computed(world)

            derive_all(world.live, now=world.now)

            assert figures() == expected


@pytest.fixture
def world() -> World:
    built = World.build()
    for change in (coupon, price, product):
        change(built, 1)
    derive_all(built.live, now=built.now)
    return built


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was computed: subscriptions by id, and customers by number."""
    seen: list[Any] = []
    original, rolled = contributions.contribution, rollup.Rollup._roll_up_one

    def counted(subscription: Any, **rest: Any) -> Any:
        seen.append(subscription.id)
        return original(subscription, **rest)

    def counted_roll_up(self: Any, before: Any, *rest: Any) -> None:
        seen.append(before["id"])
        rolled(self, before, *rest)

    monkeypatch.setattr(contributions, "contribution", counted)
    monkeypatch.setattr(rollup.Rollup, "_roll_up_one", counted_roll_up)
    return seen


def test_nothing_is_computed_and_no_row_is_written_when_nothing_changed(world: World, worked: list[Any]) -> None:
    before = row_versions()

    derive_all(world.live, now=world.now + timedelta(hours=1))

    assert (worked, row_versions()) == ([], before)


@pytest.mark.parametrize(
    ("change", "n", "subscriptions", "customers"),
    [
        (quantity, 8, ["sub_plain"], ["acme"]),
        (set_to_end, 4, ["sub_plain"], ["acme"]),
        (customer_discount, 4, ["sub_plain"], ["acme"]),
        (coupon, 2, ["sub_euro"], ["umbrella"]),
        (coupon, 3, [], []),
        (price, 5, ["sub_tiered"], ["acme"]),
        (rate, 20, ["sub_euro"], ["umbrella"]),
        (product, 3, [], []),
        (scope, 1, [], ["acme", "umbrella"]),
        (invoice, 1, [], ["umbrella"]),
        (intent, 1, [], ["acme"]),
        (payment, 1, [], ["acme"]),
        (overwritten, 1, [], ["umbrella"]),
        (days_pass, 2, [], ["umbrella"]),
        (days_pass, 3, ["sub_euro"], ["umbrella"]),
        (permission, 1, ["sub_euro", "sub_nobody", "sub_plain", "sub_tiered"], ["acme", "umbrella"]),
    ],
)
def test_a_change_concerns_whom_it_concerns(
    world: World, worked: list[Any], change: Change, n: int, subscriptions: list[str], customers: list[str]
) -> None:
    change(world, n)

    derive_all(world.live, now=world.now)

    assert sorted(each for each in worked if isinstance(each, str)) == subscriptions
    names = {world.acme.pk: "acme", world.umbrella.pk: "umbrella"}
    assert sorted(names[each] for each in worked if isinstance(each, int)) == customers


def test_a_rate_of_another_day_leaves_us_dollars_alone(world: World, worked: list[Any]) -> None:
    ExchangeRate.objects.filter(currency="eur").update(date="2026-11-21")

    derive_all(world.live, now=world.now)

    assert [each for each in worked if isinstance(each, str)] == ["sub_euro"]


@pytest.mark.parametrize("version", [(computed_from, "rules_version"), (unmoved, "code_version")])
def test_another_release_computes_everything_again(
    world: World, worked: list[Any], monkeypatch: pytest.MonkeyPatch, version: tuple[Any, str]
) -> None:
    monkeypatch.setattr(*version, lambda: "another")

    derive_all(world.live, now=world.now)

    assert {each for each in worked if isinstance(each, int)} == {world.acme.pk, world.umbrella.pk}


def test_the_version_of_the_rules_is_that_of_every_file_of_theirs() -> None:
    names = {path.name for path in computed_from.sources()}

    assert {"mrr.py", "charging.py", "discounts.py", "money.py", "prices.py", "plan.py", "objects.py"} <= names
    assert all(path.is_file() for path in computed_from.sources())


def row_versions() -> list[Any]:
    """The version of every row that a run derives."""
    tables = (
        "customers_customer", "customers_activity", "customers_mrrpoint", "integrations_billingsummary",
        "integrations_stripesubscription", "integrations_stripecustomer",
    )  # fmt: skip
    with database.cursor() as cursor:
        found = []
        for table in tables:
            cursor.execute(f"SELECT '{table}', ctid::text, xmin::text FROM {table} ORDER BY 2")  # noqa: S608
            found += cursor.fetchall()
        return found

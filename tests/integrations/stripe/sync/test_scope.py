"""Choosing a scope and options: what a preview says is what saving does (docs/rules.md sections 1 and 2)."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from customers.models import Customer, Status
from integrations.models import (
    ConnectionState,
    DecisionKind,
    MemberEffect,
    ScopeFilter,
    StripeConnection,
    StripeCustomer,
    StripeProduct,
)
from integrations.stripe.sync import counts, scope
from tests.factories import (
    LONG_AGO,
    CustomerDomainFactory,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
    decide,
)
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db

PRODUCTS = ("prod_a", "prod_b", "prod_c")
KEYS = ("growth", "starter", "addon", "")
DOMAINS = ("acme.com", "umbrella.com", "initech.com", "hooli.com", "gmail.com", "nobody.com")


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def a_world(live: StripeConnection, chance: random.Random) -> None:
    """Customers, Stripe customers and decisions that meet in many ways."""
    customers = [
        CustomerFactory(domain=chance.choice((*DOMAINS[:5], "jane@gmail.com")), status=chance.choice(Status.values))
        for _each in range(10)
    ]
    CustomerDomainFactory(customer=customers[0], domain="nobody.com")
    rows = []
    for _each in range(24):
        address = f"{chance.choice(('jane', 'billing'))}@{chance.choice(DOMAINS)}"
        row = StripeCustomerFactory(connection=live, email=chance.choice((address, address, address, "")))
        rows.append(row)
        for _subscription in range(chance.randint(0, 2)):
            StripeSubscriptionFactory(
                owner=row,
                product=chance.choice(PRODUCTS),
                lookup_key=chance.choice(KEYS),
                status=chance.choice(("active", "active", "past_due", "trialing", "canceled")),
                amount=chance.randint(0, 9) * 1000,
            )
    effects = {
        DecisionKind.PIN: (MemberEffect.PINNED,),
        DecisionKind.IGNORE: (MemberEffect.IGNORED,),
        DecisionKind.KEEP_MERGED: (MemberEffect.ACKNOWLEDGED, MemberEffect.ACKNOWLEDGED),
        DecisionKind.WINNER: (MemberEffect.WINS, MemberEffect.LOSES),
    }
    for kind in chance.choices(list(effects), k=6):
        members = chance.sample(rows, len(effects[kind]))
        target = chance.choice(customers)
        decide(kind, dict(zip(members, effects[kind], strict=True)), on=[target], to=target)


@pytest.mark.parametrize("seed", range(12))
def test_a_preview_says_what_saving_then_does(live: StripeConnection, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a repeatable world, no secret
    a_world(live, chance)
    derive_all(live)
    for _each in range(3):
        chosen: dict[str, Any] = {
            "products": chance.sample(PRODUCTS, chance.choice((0, 0, 1, 2))),
            "lookup_keys": chance.sample(KEYS[:3], chance.choice((0, 0, 1))),
        }
        personal = chance.choice((True, False))
        before = attached()
        shown = scope.preview(live, match_personal_emails=personal, billing_signal_only=True, **chosen)
        assert attached() == before

        scope.save_options(live, match_personal_emails=personal, billing_signal_only=True, actor=None)
        saved = scope.save_scope(live, actor=None, **chosen)

        after = attached()
        assert shown.after == saved == counts.count(live)
        assert (shown.headers_blank, shown.headers_filled) == (len(before - after), len(after - before))
        assert saved.matched + saved.unmatched + saved.skipped + saved.failed == saved.stripe_customers
        assert saved.ambiguous <= saved.matched
        derive_all(live)
        assert (counts.count(live), attached()) == (saved, after), "a full match finds nothing else"


def attached() -> set[int]:
    """The customers that show billing."""
    return set(Customer.objects.exclude(billing_source="").values_list("pk", flat=True))


def test_a_subscription_is_in_scope_by_any_product_or_lookup_key(live: StripeConnection) -> None:
    by_product, by_key, neither = (StripeCustomerFactory(connection=live) for _each in range(3))
    StripeSubscriptionFactory(owner=by_product, product="prod_a", lookup_key="starter")
    StripeSubscriptionFactory(owner=by_key, product="prod_b", lookup_key="growth")
    StripeSubscriptionFactory(owner=neither, product="prod_b", lookup_key="starter")

    scope.save_scope(live, products=["prod_a"], lookup_keys=["growth"], actor=None)

    considered = StripeCustomer.objects.exclude(match_state="").values_list("stripe_id", flat=True)
    assert set(considered) == {by_product.stripe_id, by_key.stripe_id}


def test_widening_the_scope_brings_the_figures_back_without_stripe(live: StripeConnection) -> None:
    acme = CustomerFactory(domain="acme.com")
    StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=live, email="a@acme.com"), lookup_key="growth")
    derive_all(live)
    seen = []
    for keys in (["starter"], []):
        scope.save_scope(live, products=[], lookup_keys=keys, actor=None)
        acme.refresh_from_db()
        seen.append((acme.mrr, acme.billing_source))

    assert seen == [(Decimal(0), ""), (Decimal(100), "stripe")]


def test_a_disconnected_connection_saves_its_scope_and_changes_no_customer(live: StripeConnection) -> None:
    acme = CustomerFactory(domain="acme.com")
    StripeSubscriptionFactory(owner=StripeCustomerFactory(connection=live, email="a@acme.com"))
    derive_all(live)
    live.state = ConnectionState.DISCONNECTED
    live.save()

    scope.save_scope(live, products=["prod_none"], lookup_keys=[], actor=None)

    acme.refresh_from_db()
    assert (acme.mrr, ScopeFilter.objects.count()) == (Decimal(100), 1)


def test_the_choices_are_what_the_account_has_the_biggest_first(live: StripeConnection) -> None:
    for product, name in (("prod_a", "Alpha"), ("prod_b", "Beta"), ("prod_c", "Gamma")):
        StripeProduct.objects.create(
            connection=live, stripe_id=product, name=name, data={"id": product, "name": name}, observed_at=LONG_AGO
        )
    owner = StripeCustomerFactory(connection=live)
    StripeSubscriptionFactory(owner=owner, product="prod_a", lookup_key="")
    StripeSubscriptionFactory(owner=owner, product="prod_b", lookup_key="growth_monthly", amount=50_000)
    derive_all(live)

    found = scope.choices(live)

    assert [(each.label, each.subscriptions, each.mrr) for each in found.products] == [
        ("Beta", 1, Decimal(500)),
        ("Alpha", 1, Decimal(100)),
        ("Gamma", 0, Decimal(0)),
    ]
    assert [(each.value, each.shown_as) for each in found.lookup_keys] == [("growth_monthly", "Growth")]
    assert found.without_lookup_key == 1

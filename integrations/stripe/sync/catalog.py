"""Prices, coupons and product names from the mirror, loaded by id sets and kept for the length of one computation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

import msgspec
from django.db.models import F, TextField
from django.db.models.functions import Cast

from integrations.models import StripeConnection, StripeCoupon, StripePrice, StripeProduct
from integrations.stripe.api.objects import Coupon, Discount, Price, Subscription
from integrations.stripe.rules.mrr import Catalog

T = TypeVar("T", Price, Coupon)


@dataclass(frozen=True, slots=True)
class References:
    """What one subscription refers to in the catalog, itself or through its customer's discount; ids in order."""

    prices: tuple[str, ...]
    products: tuple[str, ...]
    coupons: tuple[str, ...]

    @classmethod
    def of(cls, subscription: Subscription, customer_discount: Discount | None) -> References:
        """Those of a subscription."""
        items = subscription.items.data
        coupons = coupon_ids(subscription.discounts)
        for item in items:
            coupons |= coupon_ids(item.discounts)
        if customer_discount is not None:
            coupons |= coupon_ids([customer_discount])
        prices = tuple([item.price.id for item in items])
        return cls(prices, tuple([item.price.product_id for item in items]), tuple(sorted(coupons)))


class CatalogCache:
    """Loads what subscriptions refer to, each id once."""

    def __init__(self, connection: StripeConnection) -> None:
        self.connection = connection
        self.prices: dict[str, Price] = {}
        self.coupons: dict[str, Coupon] = {}
        self.product_names: dict[str, str] = {}
        self._digests: dict[tuple[type, str], str] = {}
        self._asked: set[tuple[type, str]] = set()

    def load(self, references: Iterable[References]) -> Catalog:
        """The catalog that covers these references; three queries at most."""
        prices: set[str] = set()
        coupons: set[str] = set()
        products: set[str] = set()
        for each in references:
            prices.update(each.prices)
            products.update(each.products)
            coupons.update(each.coupons)
        self._load(StripePrice, prices, Price, self.prices)
        self._load(StripeCoupon, coupons, Coupon, self.coupons)
        self._load_names(products | {price.product_id for price in self.prices.values()})
        return Catalog(
            prices=self.prices,
            coupons=self.coupons,
            product_names=self.product_names,
            has_all_products="product_read" in self.connection.permissions,
        )

    def said(self, references: References) -> list[object]:
        """Everything the loaded catalog says of these references; where that is the same, so is what comes of it.

        Of products only the name counts, also that of the product a price has in the catalog.
        """
        digests, names = self._digests, self.product_names
        return [
            [(each, digests.get((StripePrice, each)), self._name_by_price(each)) for each in references.prices],
            [(each, names.get(each)) for each in references.products],
            [(each, digests.get((StripeCoupon, each))) for each in references.coupons],
        ]

    def _name_by_price(self, price_id: str) -> str | None:
        price = self.prices.get(price_id)
        return self.product_names.get(price.product_id) if price else None

    def _load(
        self, model: type[StripePrice] | type[StripeCoupon], ids: Iterable[str], kind: type[T], found: dict[str, T]
    ) -> None:
        for new in self._unasked(model, ids):
            rows = model._default_manager.filter(connection=self.connection, stripe_id__any=set(new))
            for stripe_id, text in rows.annotate(text=Cast(F("data"), TextField())).values_list("stripe_id", "text"):
                found[stripe_id] = msgspec.json.decode(text, type=kind, strict=False)
                self._digests[model, stripe_id] = sha256(text.encode()).hexdigest()

    def _load_names(self, ids: Iterable[str]) -> None:
        for new in self._unasked(StripeProduct, ids):
            rows = StripeProduct.objects.filter(connection=self.connection, stripe_id__any=set(new))
            self.product_names |= {
                stripe_id: name or "" for stripe_id, name in rows.values_list("stripe_id", "data__name")
            }

    def _unasked(self, model: type, ids: Iterable[str]) -> list[list[str]]:
        """The ids that were not asked for yet, as one list or none."""
        new = sorted(stripe_id for stripe_id in ids if (model, stripe_id) not in self._asked)
        self._asked.update((model, stripe_id) for stripe_id in new)
        return [new] if new else []


def coupon_ids(discounts: Iterable[str | Discount] | None) -> set[str]:
    """The coupons behind discounts, as far as they say."""
    found = set()
    for discount in discounts or ():
        if isinstance(discount, Discount) and discount.coupon_id:
            found.add(discount.coupon_id)
    return found

"""Prices, coupons and product names from the mirror, loaded by id sets and kept for the length of one computation."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from integrations.models import StripeConnection, StripeCoupon, StripePrice, StripeProduct
from integrations.stripe.api.objects import Coupon, Discount, Price, Subscription
from integrations.stripe.rules.mrr import Catalog


class CatalogCache:
    """Loads what subscriptions refer to, each id once."""

    def __init__(self, connection: StripeConnection) -> None:
        self.connection = connection
        self.prices: dict[str, Price] = {}
        self.coupons: dict[str, Coupon] = {}
        self.product_names: dict[str, str] = {}
        self._asked: set[str] = set()

    def for_subscriptions(self, subscriptions: Iterable[Subscription], discounts: Iterable[Discount | None]) -> Catalog:
        """The catalog that covers these subscriptions and customer discounts; three queries at most."""
        prices, coupons, products = set(), set(), set()
        for subscription in subscriptions:
            for item in subscription.items.data:
                prices.add(item.price.id)
                products.add(item.price.product_id)
                coupons |= coupon_ids(item.discounts)
            coupons |= coupon_ids(subscription.discounts)
        coupons |= coupon_ids([discount for discount in discounts if discount])
        self._load_prices(prices)
        self._load_coupons(coupons)
        self._load_products(products | {price.product_id for price in self.prices.values()})
        return Catalog(
            prices=self.prices,
            coupons=self.coupons,
            product_names=self.product_names,
            has_all_products="product_read" in self.connection.permissions,
        )

    def _unasked(self, ids: set[str]) -> list[str]:
        new = sorted(ids - self._asked)
        self._asked.update(new)
        return new

    def _load_prices(self, ids: set[str]) -> None:
        for stripe_id, data in self._rows(StripePrice, ids):
            self.prices[stripe_id] = msgspec.convert(data, Price, strict=False)

    def _load_coupons(self, ids: set[str]) -> None:
        for stripe_id, data in self._rows(StripeCoupon, ids):
            self.coupons[stripe_id] = msgspec.convert(data, Coupon, strict=False)

    def _load_products(self, ids: set[str]) -> None:
        for stripe_id, data in self._rows(StripeProduct, ids):
            self.product_names[stripe_id] = str(data.get("name", ""))

    def _rows(
        self, model: type[StripePrice] | type[StripeCoupon] | type[StripeProduct], ids: set[str]
    ) -> list[tuple[str, dict[str, object]]]:
        new = self._unasked(ids)
        if not new:
            return []
        rows = model._default_manager.filter(connection=self.connection, stripe_id__in=new)
        return list(rows.values_list("stripe_id", "data"))


def coupon_ids(discounts: Iterable[str | Discount] | None) -> set[str]:
    """The coupons behind discounts, as far as they say."""
    found = set()
    for discount in discounts or ():
        if isinstance(discount, Discount) and discount.coupon_id:
            found.add(discount.coupon_id)
    return found

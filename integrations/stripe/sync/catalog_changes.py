"""A changed product or price, read once, and everybody it concerns brought up to date from the mirror in one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from integrations.models import StripeConnection, StripePrice, StripeProduct, StripeSubscription
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.decode import DecodeError
from integrations.stripe.api.expansion import expand_object
from integrations.stripe.api.objects import Price, Product
from integrations.stripe.api.query import object_path
from integrations.stripe.sync import derive, dirty, issues, prices, store
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.dirty import Dirty
from integrations.stripe.sync.rows import Batch, Problem
from integrations.stripe.sync.walks import complete_included

PERMISSIONS = {"product": "product_read", "price": "plan_read"}
MODELS: dict[str, type[StripePrice] | type[StripeProduct]] = {"product": StripeProduct, "price": StripePrice}


def read(connection: StripeConnection, reader: StripeReader, one: Dirty, clock: DatabaseClock) -> Batch:
    """The product or price as Stripe has it now; nothing when we may not read it.

    Raises IntegrationError ``record_gone`` and what else the reader raises.
    """
    batch = Batch.empty()
    if PERMISSIONS[one.kind] not in connection.permissions:
        return batch
    resource = f"{one.kind}s"
    params = {"expand": expand_object(resource, connection.permissions, can_expand=connection.can_expand)}
    path = object_path(resource, one.stripe_id)
    try:
        if one.kind == "product":
            product = reader.get_object(path, params, Product)
            if not product.deleted:  # its name stays with whoever still has it
                batch.add_product(product, clock.from_local(reader.sent_at))
        else:
            price = reader.get_object(path, params, Price)
            observed_at = clock.from_local(reader.sent_at)
            complete = complete_included(reader, connection, price)
            assert isinstance(complete, Price)  # noqa: S101 - it returns what it was given
            batch.add_price(complete, observed_at)
    except DecodeError as error:
        batch.problems.append(Problem("invalid_response", one.kind, one.stripe_id, detail=error.detail))
    return batch


def land(connection: StripeConnection, one: Dirty, batch: Batch, *, fence: Callable[[], None]) -> set[str]:
    """Store it; returns the Stripe customers whose figures or scope it may have changed, none if it says the same.

    One that was begun before and cut off concerns everybody on it: what changed then is already stored.
    """
    with derive.lock(connection):
        before = _stored(connection, one)
        store.write(connection.pk, batch, refresh=True)
        issues.record(connection, batch.problems, run=None)
        prices.carry(connection, price_ids=[one.stripe_id] if one.kind == "price" else [])
        says_the_same = before == _stored(connection, one)
        dirty.begin(one)
        fence()
    if says_the_same and not one.tried:
        return set()
    column = {"product": "product_ids", "price": "price_ids"}[one.kind]
    concerned = StripeSubscription.objects.filter(connection=connection, **{f"{column}__contains": [one.stripe_id]})
    return set(concerned.values_list("customer_id", flat=True))


def _stored(connection: StripeConnection, one: Dirty) -> Any:
    return (
        MODELS[one.kind]
        ._default_manager.filter(connection=connection, stripe_id=one.stripe_id)
        .values_list("data", flat=True)
        .first()
    )

"""Reads products and prices right after connecting, so that a scope can be chosen before the first run."""

from __future__ import annotations

from django.db import transaction

from integrations.models import RunKind, StripeConnection
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.pages import iterate
from integrations.stripe.sync import issues, store
from integrations.stripe.sync.clock import DatabaseClock
from integrations.stripe.sync.rows import Batch
from integrations.stripe.sync.walks import PRICES, PRODUCTS

AT_MOST_PAGES = 10


def read(connection: StripeConnection, reader: StripeReader) -> None:
    """Mirror the newest thousand products and prices; a run reads all of them. What may not be read stays unknown."""
    clock = DatabaseClock()
    for walk in (PRODUCTS, PRICES):
        if walk.permission not in connection.permissions:
            continue
        pages = iterate(reader, walk.path, walk.parameters(connection, RunKind.FULL))
        for _number, page in zip(range(AT_MOST_PAGES), pages, strict=False):
            observed_at = clock.from_local(reader.sent_at)
            batch = walk.read_page(
                page, batch=Batch.empty(), reader=reader, connection=connection, observed_at=observed_at
            )
            with transaction.atomic():
                store.write(connection.pk, batch)
                issues.record(connection, batch.problems, run=None)

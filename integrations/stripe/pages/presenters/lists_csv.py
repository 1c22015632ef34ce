"""The lists of Stripe customers without a customer as CSV.

``customer_id`` is empty: whoever fills it in can bring the same file back (:mod:`integrations.stripe.pages.link_list`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from integrations.models import StripeConnection
from integrations.stripe.pages.presenters import reasons
from integrations.stripe.pages.presenters.suggestions import in_words
from integrations.stripe.rules.money import to_cents
from integrations.stripe.sync.suggestions import suggest

COLUMNS = (
    "stripe_customer_id", "customer_id", "name", "email", "domain", "created", "mrr", "reason", "why",
    "suggested_customer_id", "suggested_customer", "evidence",
)  # fmt: skip
CHUNK = 500


def csv_rows(connection: StripeConnection, found: Any) -> Iterator[Sequence[Any]]:
    """The rows of :data:`COLUMNS`, read and given suggestions in chunks; memory stays flat."""
    stream = found.iterator(chunk_size=CHUNK)
    while rows := list(islice(stream, CHUNK)):
        suggestions = suggest(connection, rows)
        for row in rows:
            first = next(iter(suggestions.get(row.stripe_id, ())), None)
            yield (
                row.stripe_id, "", row.name, row.email, row.email_domain, row.created, to_cents(row.mrr),
                row.match_reason, reasons.sentence(row), first.customer_id if first else "",
                first.name if first else "", in_words(first) if first else "",
            )  # fmt: skip

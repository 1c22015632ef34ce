"""What the CRM side announces after a commit, so that integrations can match again.

``customers_changed`` is sent once per operation, a bulk one included, with ``environment``, ``domains`` (old and new,
normalised, empty ones left out) and ``ids`` of the customers concerned. Environment, domain, extra domains and archive
state are what matching depends on; other edits are not announced.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.dispatch import Signal

customers_changed = Signal()

exported = Signal()
"""Sent when somebody takes data out: ``actor`` (None: a command), ``subject`` what it was, ``details`` which part."""

personal_domains_changed = Signal()
"""Sent in the transaction that edits the list: ``actor``, and ``domains`` with what each was and is: ``personal``,
``company`` or an empty string for as the packaged list says."""


def announce(environment: str, *, domains: Iterable[str], ids: Iterable[int]) -> None:
    """Send ``customers_changed`` once the current transaction is committed."""
    named, numbered = frozenset(domain for domain in domains if domain), frozenset(ids)
    transaction.on_commit(
        lambda: customers_changed.send(sender=None, environment=environment, domains=named, ids=numbered)
    )

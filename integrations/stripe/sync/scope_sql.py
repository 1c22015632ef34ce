"""Scope as SQL: which subscriptions of the mirror are in scope (docs/rules.md section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Exists, Q

from integrations.models import ScopeFilter, ScopeKind, StripeConnection


@dataclass(frozen=True, slots=True)
class Scope:
    """Chosen products and lookup keys; none of either means all subscriptions."""

    products: Sequence[str] = field(default_factory=tuple)
    lookup_keys: Sequence[str] = field(default_factory=tuple)

    @classmethod
    def of(cls, connection: StripeConnection) -> Scope:
        """The scope saved for a connection; one query, none when its ``scope`` was prefetched."""
        rows = [(row.kind, row.value) for row in connection.scope.all()]
        return cls(
            products=tuple(value for kind, value in rows if kind == ScopeKind.PRODUCT),
            lookup_keys=tuple(value for kind, value in rows if kind == ScopeKind.LOOKUP_KEY),
        )

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows the scope."""
        return not self.products and not self.lookup_keys

    @property
    def sql(self) -> str:
        """A condition on a subscription row called ``s``; takes the parameters of :meth:`parameters`."""
        if self.is_everything:
            return "TRUE"
        return "(s.product_ids && %(scope_products)s::varchar[] OR s.lookup_keys && %(scope_lookup_keys)s::varchar[])"

    @property
    def condition(self) -> Q:
        """The same as a condition on subscriptions for the ORM."""
        if self.is_everything:
            return Q()
        return Q(product_ids__overlap=list(self.products)) | Q(lookup_keys__overlap=list(self.lookup_keys))

    @property
    def parameters(self) -> dict[str, list[str]]:
        """What :attr:`sql` refers to."""
        return {"scope_products": list(self.products), "scope_lookup_keys": list(self.lookup_keys)}


SAVED_SCOPE = """(
    NOT EXISTS (SELECT 1 FROM integrations_scopefilter f WHERE f.connection_id = %(connection)s)
    OR s.product_ids && ARRAY(SELECT f.value FROM integrations_scopefilter f
                              WHERE f.connection_id = %(connection)s AND f.kind = 'product')
    OR s.lookup_keys && ARRAY(SELECT f.value FROM integrations_scopefilter f
                              WHERE f.connection_id = %(connection)s AND f.kind = 'lookup_key'))
"""
"""A condition on a subscription row called ``s``: in the scope saved for ``connection``, without reading it first."""


def in_saved_scope(connection: StripeConnection) -> Q:
    """Subscriptions in the scope saved for a connection, as the database looks it up: no query of its own."""
    chosen = ScopeFilter.objects.filter(connection=connection).order_by()
    return (
        ~Exists(chosen)
        | Q(product_ids__overlap=chosen.filter(kind=ScopeKind.PRODUCT).values_list("value"))
        | Q(lookup_keys__overlap=chosen.filter(kind=ScopeKind.LOOKUP_KEY).values_list("value"))
    )

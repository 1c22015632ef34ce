"""A look-up by many values as one parameter.

``__in`` sends every value as a parameter of its own, and with a thousand of them preparing the statement takes longer
than answering it.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Field, ForeignObject, Lookup


@ForeignObject.register_lookup  # relations have look-ups of their own
@Field.register_lookup
class AnyOf(Lookup[Any]):
    """``field__any=[…]``: the column equals one of these plain values, none of them an expression or None."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """``column = ANY(values)``, with the values as an array of the column's type."""
        column, parameters = self.process_lhs(compiler, connection)
        kind = self.lhs.output_field.db_type(connection)
        return f"{column} = ANY(%s::{kind}[])", (*parameters, list(self.rhs))

"""A look-up by many values as one parameter.

``__in`` sends every value as a parameter of its own, and with a thousand of them preparing the statement takes longer
than answering it.
"""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Field, ForeignObject, Lookup


@ForeignObject.register_lookup  # relations have look-ups of their own
@Field.register_lookup
class AnyOf(Lookup[Any]):
    """``field__any={…}``: the column equals one of these plain values, none of them an expression or None.

    For columns with an index: each value is looked up. A set or the keys of a dictionary are the cheapest, since Django
    looks at every element of a list for expressions.
    """

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """``column = ANY(values)``, with the values as one JSON text that PostgreSQL takes apart.

        An array would be quoted value by value here, and looked at value by value by the planner.
        """
        column, parameters = self.process_lhs(compiler, connection)
        kind = self.lhs.output_field.db_type(connection)
        values = f"ARRAY(SELECT jsonb_array_elements_text(%s::jsonb)::{kind})"
        return f"{column} = ANY({values})", (*parameters, json.dumps(list(self.rhs)))

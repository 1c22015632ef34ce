"""Inserts many rows of a table in one statement with one parameter.

``bulk_create`` prepares every value of every row by itself, which cost more than all else a roll-up does. Here the rows
travel as one JSON parameter and PostgreSQL unpacks them, as it does those of the mirror (``sync.store``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from django.db import connection as database
from django.db.models import Model

from integrations.stripe.sync.binding import binding_cursor


def insert_rows(model: type[Model], rows: Sequence[dict[str, Any]], *, replace_by: str = "") -> None:
    """Insert rows given as column values; one that meets another with the same ``replace_by`` takes its place."""
    if rows:
        with binding_cursor() as cursor:
            cursor.execute(statement(model, replace_by), [msgspec.json.encode(rows).decode()])


def columns(model: type[Model]) -> list[str]:
    """The columns a row has, by their attribute: all but an automatic key."""
    fields = model._meta.concrete_fields
    return [field.attname for field in fields if field.db_parameters(database)["type"] and not is_automatic(field)]


def is_automatic(field: Any) -> bool:
    """Whether the database numbers the rows."""
    return bool(field.primary_key and not field.is_relation)


@lru_cache
def statement(model: type[Model], replace_by: str) -> str:
    """The statement for a model's rows; takes them as JSON."""
    meta = model._meta
    names = columns(model)
    types = {field.attname: field.db_parameters(database)["type"] for field in meta.concrete_fields}
    listed = ", ".join(names)
    record = ", ".join(f"{name} {types[name]}" for name in names)
    updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in names if name != replace_by)
    return (
        f"INSERT INTO {meta.db_table} ({listed})"  # noqa: S608 - names of our own models, never from outside
        f" SELECT {listed} FROM jsonb_to_recordset(%s::jsonb) AS r({record})"
        + (f" ON CONFLICT ({replace_by}) DO UPDATE SET {updates}" if replace_by else "")
    )

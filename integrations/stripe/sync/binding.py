"""Cursors of the driver's own, for statements with more rows than Django's ways with values are made for."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection as database
from psycopg.types.datetime import TimestamptzLoader


def binding_cursor() -> Any:
    """A cursor like ``connection.cursor()`` whose parameters travel apart from their statement.

    Otherwise they are written into its text: the runner quotes a megabyte of rows, and PostgreSQL parses it character
    by character to find its end. PostgreSQL has to know their types from the statement: cast those that are not
    compared or stored at once.
    """
    database.ensure_connection()
    return wrapped(psycopg.Cursor(database.connection))


def reading_cursor() -> Any:
    """A cursor like ``connection.cursor()`` that reads timestamps as the driver does: in C, which Django does not."""
    database.ensure_connection()
    cursor: psycopg.ClientCursor[Any] = psycopg.ClientCursor(database.connection)
    cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
    return wrapped(cursor)


def wrapped(cursor: Any) -> Any:
    """A cursor of the driver as Django hands it out."""
    make = database.make_debug_cursor if database.queries_logged else database.make_cursor
    return make(cursor)

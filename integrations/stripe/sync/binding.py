"""Sends large parameters apart from their statement.

Otherwise Django writes them into its text: the runner quotes a megabyte of rows, and PostgreSQL parses it character by
character to find its end.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection as database


def binding_cursor() -> Any:
    """A cursor like ``connection.cursor()`` whose parameters travel as they are.

    PostgreSQL has to know their types from the statement: cast those that are not compared or stored at once.
    """
    database.ensure_connection()
    cursor: Any = psycopg.Cursor(database.connection)
    make = database.make_debug_cursor if database.queries_logged else database.make_cursor
    return make(cursor)

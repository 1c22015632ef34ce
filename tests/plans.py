"""How PostgreSQL answers a page: the plan of a statement it sent, on enough rows that an index is worth something."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

PAGE_OF_ROWS = "LIMIT 51"


def plan_of_list(client: Client, address: str, *, beside: bool = False) -> list[dict[str, Any]]:
    """The nodes of the plan that reads the rows of a list's page, as it was carried out.

    With what is worked out once ``beside`` the rows where that matters.
    """
    with CaptureQueriesContext(database) as captured:
        assert client.get(address).status_code == 200
    [statement] = [query["sql"] for query in captured if PAGE_OF_ROWS in query["sql"]]
    with database.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".replace("%", "%%"), [])
        found: Any = cursor.fetchone()[0]
    plans = json.loads(found) if isinstance(found, str) else found
    return list(nodes(plans[0]["Plan"], beside=beside))


def nodes(plan: dict[str, Any], *, beside: bool = False) -> Iterator[dict[str, Any]]:
    """A plan and everything below it."""
    yield plan
    for part in plan.get("Plans", ()):
        if beside or part.get("Parent Relationship") != "InitPlan":
            yield from nodes(part, beside=beside)


def indexes_of(plan: list[dict[str, Any]]) -> set[str]:
    """The indexes a plan walks."""
    return {node["Index Name"] for node in plan if "Index Name" in node}


def rows_read_of(plan: list[dict[str, Any]], table: str) -> float:
    """How many rows of a table a plan looked at, those it threw away among them."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in plan
        if node.get("Relation Name") == table
    )

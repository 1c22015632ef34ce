"""The floor: fetch a page, decode it, COPY it; no objects of the product's, no checkpoint, nothing kept up to date.

What a run costs is told as a multiple of this loop over the same pages, so that two machines can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import requests
from django.conf import settings
from django.db import connection as database

from bench.measure import measured, peak_memory_mb
from integrations.models import Mode, RunKind, StripeConnection
from integrations.stripe.api.objects import Page
from integrations.stripe.api.query import with_query
from integrations.stripe.sync import connections, walks

TABLE = "CREATE TEMPORARY TABLE floor (stripe_id text PRIMARY KEY, kind text, data jsonb)"
PAGE_TABLE = "CREATE TEMPORARY TABLE floor_page (LIKE floor)"
LISTS = (
    walks.PRODUCTS,
    walks.PRICES,
    walks.COUPONS,
    walks.SUBSCRIPTIONS,
    walks.PAYMENTS,
    walks.OPEN_INVOICES,
    walks.UNCOLLECTIBLE_INVOICES,
    walks.PAID_INVOICES,
)


def floor(key: str, paid_pages: int) -> dict[str, Any]:
    """Read the lists a run reads, and of the paid invoices as many pages as it did."""
    session = requests.Session()
    session.trust_env = False
    session.auth = (key, "")
    connection = connections.get(Mode.LIVE)
    requested = 0
    with database.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute(PAGE_TABLE)
        with measured() as cost:
            for walk in LISTS:
                if walk is walks.PAID_INVOICES and not paid_pages:
                    continue
                for number, page in enumerate(pages(session, connection, walk), start=1):
                    objects = [msgspec.json.decode(raw, type=walk.type, strict=False) for raw in page.data]
                    copy(cursor, walk.resource, objects)
                    requested += 1
                    if walk is walks.PAID_INVOICES and number == paid_pages:
                        break
    return {
        "wall": cost.wall,
        "cpu": cost.cpu,
        "database_cpu": cost.database_cpu,
        "memory_mb": peak_memory_mb(),
        "requests": requested,
    }


def pages(session: requests.Session, connection: StripeConnection, walk: walks.Walk) -> Iterator[Page]:
    """The pages of a list, one after the other, asked for as a run asks for them."""
    params: dict[str, object] = {"limit": 100, **walk.parameters(connection, RunKind.FULL)}
    while True:
        answer = session.get(settings.STRIPE_API_BASE + with_query(walk.path, params), timeout=60)
        answer.raise_for_status()
        page = msgspec.json.decode(answer.content, type=Page)
        yield page
        if not page.has_more:
            return
        params["starting_after"] = msgspec.json.decode(page.data[-1])["id"]


def copy(cursor: Any, resource: str, objects: list[Any]) -> None:
    """Send the objects of a page, as they were decoded; an invoice that came before is left out."""
    lines = [
        b"%s-%s\t%s\t%s\n"
        % (resource.encode(), each.id.encode(), resource.encode(), escaped(msgspec.json.encode(each)))
        for each in objects
    ]
    with cursor.copy("COPY floor_page FROM STDIN") as sent:
        sent.write(b"".join(lines))
    cursor.execute("INSERT INTO floor SELECT * FROM floor_page ON CONFLICT DO NOTHING")
    cursor.execute("TRUNCATE floor_page")


def escaped(text: bytes) -> bytes:
    """JSON in COPY's text form."""
    return text.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n")

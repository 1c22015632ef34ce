"""How long pages take on the workspace of :mod:`bench.fill`, through Django's test client in this process."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html import unescape
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.measure import backend_process, cpu_of, percentile
from customers.models import Customer

ROUNDS = 15
STRIPE = "/admin/integrations/stripe/live/"


def pages(rounds: int = ROUNDS) -> dict[str, Any]:
    """Each page once for its queries, then several times for its time; in milliseconds."""
    settings.ALLOWED_HOSTS = ["*"]
    client = Client()
    client.force_login(User.objects.get(username="owner"))
    return {"rows": [measure(client, name, path, rounds) for name, path in addresses(client)]}


def addresses(client: Client) -> Iterator[tuple[str, str]]:
    """What is measured: a name and an address."""
    yield "Customer list", "/customers/"
    yield "Customer list, page 20", deep(client, "/customers/", 20)
    for sort in ("name", "plan", "payment", "since", "owner"):
        yield f"Customer list by {sort}", f"/customers/?sort={sort}"
    yield "Search, one company", "/customers/?q=company4711"
    yield "Search, everything", "/customers/?q=company"
    yield "Failing only", "/customers/?pay=failing"
    yield "Changed in 7 days, worst first", "/customers/?changed=7"
    customer = Customer.objects.filter(billing_source="stripe").order_by("-mrr")[0]
    yield "Customer page", customer.get_absolute_url()
    yield "Receipt", f"/customers/{customer.pk}/receipt/"
    yield "Integration page", STRIPE
    yield "Unmatched", f"{STRIPE}unmatched/"
    yield "Unmatched, page 20", deep(client, f"{STRIPE}unmatched/", 20)
    yield "Skipped", f"{STRIPE}skipped/"
    yield "Matched", f"{STRIPE}matched/"
    yield "Ambiguous matches", f"{STRIPE}ambiguous/"
    yield "Log", f"{STRIPE}log/"


def deep(client: Client, path: str, number: int) -> str:
    """The address of a page further on, found by following the link to the next one."""
    for _page in range(number - 1):
        found = re.search(r'href="([^"]*[?&](?:amp;)?after=[^"]*)"', client.get(path).content.decode())
        if found is None:
            return path
        path = unescape(found[1])
        path = path if path.startswith("/") else f"/customers/{path}"
    return path


def measure(client: Client, name: str, path: str, rounds: int) -> dict[str, Any]:
    """The time of several looks, the first one among them, and then the queries of one more."""
    times, busy = [], []
    backend = backend_process()
    before = cpu_of(backend)
    for _round in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        client.get(path)
        times.append((time.perf_counter() - began) * 1000)
        busy.append((time.process_time() - cpu) * 1000)
    after = cpu_of(backend)
    with CaptureQueriesContext(database) as queries:
        status = client.get(path).status_code
    number = len(queries.captured_queries)
    slowest = max(queries.captured_queries, key=lambda each: float(each["time"]))
    return {
        "name": name,
        "status": status,
        "queries": number,
        "p50": percentile(times, 0.5),
        "p95": percentile(times, 0.95),
        "least": min(times),
        "cpu": percentile(busy, 0.5),
        "database_cpu": None if before is None or after is None else (after - before) * 1000 / rounds,
        "slowest": [float(slowest["time"]) * 1000, slowest["sql"][:3000]],
    }

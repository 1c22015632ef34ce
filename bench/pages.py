"""How long pages take on the workspace of :mod:`bench.fill`, through Django's test client in this process."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html import unescape
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection as database
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.measure import cpu_of, percentile, server_process
from customers.keyset import cursor_of
from customers.listing import Listing
from customers.models import Customer
from customers.selectors import PAGE_SIZE

ROUNDS = 40
STRIPE = "/admin/integrations/stripe/live/"


def pages(rounds: int = ROUNDS) -> dict[str, Any]:
    """Each page once for its queries, then several times for its time; in milliseconds."""
    settings.ALLOWED_HOSTS = ["*"]
    import_module("pivotal.wsgi")  # as a web server starts
    client = Client()
    owner = User.objects.get(username="owner")
    client.force_login(owner)
    look(client, "/customers/?q=zzyzx")  # a process that was just started still has to load the code
    return {"rows": [measure(client, name, path, rounds) for name, path in addresses(client, owner)]}


def addresses(client: Client, owner: User) -> Iterator[tuple[str, str]]:
    """What is measured: a name and an address."""
    yield "Customer list", "/customers/"
    yield "Customer list, page 20", deep(client, "/customers/", 20)
    yield "Customer list, page 500", far(owner, 500)
    for sort in ("name", "plan", "mrr", "payment", "since", "owner"):
        for order in (sort, f"-{sort}"):
            yield f"Customer list by {order}", f"/customers/?sort={order}"
    yield "Customer list by name, page 500", far(owner, 500, sort="name")
    yield "Search, one letter", "/customers/?q=c"
    yield "Search, one company", "/customers/?q=company4711"
    yield "Search, everything", "/customers/?q=company"
    yield "Search, a common word", "/customers/?q=labs"
    yield "Search, nothing", "/customers/?q=zzyzx"
    yield "Search, an e-mail", "/customers/?q=billing%40company4711.example"
    yield "Failing only", "/customers/?pay=failing"
    yield "Paid only, by name", "/customers/?pay=paid&sort=name"
    yield "One plan, by owner", "/customers/?plan=Growth&sort=owner"
    yield "Of one owner", f"/customers/?owner={User.objects.get(username='csm').pk}"
    yield "At risk", "/customers/?risk=on"
    yield "Incomplete", "/customers/?incomplete=on"
    yield "Churned", "/customers/?status=churned"
    yield "Archived", "/customers/?status=archived"
    yield "Changed in 7 days, worst first", "/customers/?changed=7"
    yield "Changed in a day, worst first", "/customers/?changed=1"
    yield "Customer list as CSV, its start", "/customers/export.csv"
    customer = Customer.objects.filter(billing_source="stripe").order_by("-mrr")[0]
    yield "Customer page", customer.get_absolute_url()
    yield "Receipt", f"/customers/{customer.pk}/receipt/"
    yield "Integration page", STRIPE
    for name in ("unmatched", "skipped"):
        yield name.capitalize(), f"{STRIPE}{name}/"
        yield f"{name.capitalize()}, page 20", deep(client, f"{STRIPE}{name}/", 20)
        yield f"{name.capitalize()}, search with few", f"{STRIPE}{name}/?q=company%209999"
        yield f"{name.capitalize()}, search with many", f"{STRIPE}{name}/?q=company"
        yield f"{name.capitalize()}, search with none", f"{STRIPE}{name}/?q=zzyzx"
    yield "Unmatched for one reason", f"{STRIPE}unmatched/?why=no_customer"
    yield "Unmatched as CSV, its start", f"{STRIPE}unmatched.csv"
    yield "Matched", f"{STRIPE}matched/"
    yield "Matched, search with few", f"{STRIPE}matched/?q=company%204711"
    yield "Ambiguous matches", f"{STRIPE}ambiguous/"
    yield "How MRR adds up", f"{STRIPE}mrr/"
    yield "Drift", f"{STRIPE}drift/"
    yield "Log", f"{STRIPE}log/"
    yield "Calls", f"{STRIPE}calls/"


def far(owner: User, number: int, **asked: str) -> str:
    """The address of a page of the customer list far on, without reading those before it."""
    query = QueryDict(urlencode(asked))
    listing = Listing(owner, query)
    last: Any = listing.ordered()[(number - 1) * PAGE_SIZE - 1]
    return listing.url(after=cursor_of(last, listing.keys()))


def deep(client: Client, path: str, number: int) -> str:
    """The address of a page further on, found by following the link to the next one."""
    for _page in range(number - 1):
        found = re.search(r'href="([^"]*[?&](?:amp;)?after=[^"]*)"', client.get(path).content.decode())
        if found is None:
            return path
        path = unescape(found[1])
        path = path if path.startswith("/") else f"/customers/{path}"
    return path


def look(client: Client, path: str) -> int:
    """Ask for a page, or for the first rows of a file; returns the status."""
    response: Any = client.get(path)
    if response.streaming:
        next(iter(response.streaming_content))
        response.close()
    return int(response.status_code)


def measure(client: Client, name: str, path: str, rounds: int) -> dict[str, Any]:
    """The time of several looks, the first one among them, and then the queries of one more."""
    times, busy = [], []
    server = server_process()
    before = cpu_of(server)
    for _round in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        look(client, path)
        times.append((time.perf_counter() - began) * 1000)
        busy.append((time.process_time() - cpu) * 1000)
    after = cpu_of(server)
    with CaptureQueriesContext(database) as queries:
        status = look(client, path)
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

"""Runs over accounts of several sizes: full, again, nightly, slowed down as Stripe does, and the floor."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import requests

from bench.place import FOLDER, ROOT, Place
from sandbox.testing import Running, running

LATENCY_MS, ENDPOINT_RATE, ACCOUNT_RATE = 100, 25, 100
OWN_RATE = 24.0  # the endpoint's 25 less a little: the limit is never met, whatever the clocks do
SERVED = 50  # pages that tell how fast the sandbox is
KEY = "rk_live_all"
SKEWS = ("hour", "burst", "second")

Say = Callable[[str], None]
Figures = dict[str, Any]


def measure(place: Place, size: int, say: Say) -> list[Figures]:
    """All runs over one size; each row has ``size`` and ``what``."""
    rows: list[Figures] = []
    with running("bulk", subscriptions=size) as stripe:
        served = pages_served(stripe)
        say(f"{size:>9,}  the local Stripe alone serves {served:.0f} pages a second")
        crm = write_crm(size)
        for what, figures in in_order(place, stripe, str(crm)):
            row = {"size": size, "what": what, "served": served, **figures}
            rows.append(row)
            say(f"{size:>9,}  {what:<44} {row['wall']:7.1f} s  {row['requests']:>6} requests")
    return rows


def pages_served(stripe: Running) -> float:
    """Pages of expanded subscriptions a second, asked for one by one by somebody who does nothing with them."""
    session = requests.Session()
    session.trust_env = False
    session.auth = (KEY, "")
    params = [("limit", "100"), ("status", "all"), ("expand[]", "data.customer"), ("expand[]", "data.latest_invoice")]
    session.get(f"{stripe.url}/v1/subscriptions", params=params, timeout=60).raise_for_status()
    began = time.perf_counter()
    for _number in range(SERVED):
        session.get(f"{stripe.url}/v1/subscriptions", params=params, timeout=60).raise_for_status()
    return SERVED / (time.perf_counter() - began)


def in_order(place: Place, stripe: Running, crm: str) -> Iterator[tuple[str, Figures]]:
    """The runs, each on what the one before left behind."""
    place.stripe(stripe.url, rate=0)
    place.run("prepare")
    place.run("crm", path=crm)
    full = counted(place, stripe)
    yield "full run", full
    yield "full run again, nothing changed", counted(place, stripe)
    yield "nightly run, nothing changed", counted(place, stripe, kind="nightly")
    yield "floor: fetch, decode, COPY", place.run("floor", paid_pages=full["paid_pages"])
    place.run("prepare")
    place.run("crm", path=crm)
    stripe.pace(latency_ms=LATENCY_MS, rate_per_endpoint=ENDPOINT_RATE, rate_per_account=ACCOUNT_RATE)
    place.stripe(stripe.url, rate=OWN_RATE)
    yield f"full run, {LATENCY_MS} ms, {ENDPOINT_RATE}/s", counted(place, stripe)


def measure_skewed(place: Place, size: int, say: Say) -> list[Figures]:
    """Full runs over accounts whose subscriptions were created all at once, slowed down as Stripe does."""
    rows = []
    for skew in SKEWS:
        with running("bulk", subscriptions=size, skew=skew) as stripe:
            crm = write_crm(size)
            place.stripe(stripe.url, rate=0)
            place.run("prepare")
            place.run("crm", path=str(crm))
            stripe.pace(latency_ms=LATENCY_MS, rate_per_endpoint=ENDPOINT_RATE, rate_per_account=ACCOUNT_RATE)
            place.stripe(stripe.url, rate=OWN_RATE)
            row = {"size": size, "what": skew, **counted(place, stripe)}
        rows.append(row)
        say(f"{size:>9,}  created {skew:<36} {row['wall']:7.1f} s  {row['requests']:>6} requests")
    return rows


def measure_incremental(place: Place, size: int) -> Figures:
    """Deliveries and refreshes on a freshly synced account."""
    with running("bulk", subscriptions=size) as stripe:
        crm = write_crm(size)
        place.stripe(stripe.url, rate=0)
        place.run("prepare")
        place.run("crm", path=str(crm))
        place.run("sync")
        found = place.run("incremental", url=stripe.url)
    return {**found, "flood": place.run("deliveries")}


def counted(place: Place, stripe: Running, **options: Any) -> Figures:
    """One run, with the requests as the sandbox counted them. Raises RuntimeError when it did not succeed."""
    stripe.reset_requests()
    found = place.run("sync", **options)
    if found["state"] != "succeeded":
        raise RuntimeError(f"the run ended {found['state']}: {found['error']}")
    journal = stripe.requests()
    endpoints = journal["by_endpoint"]
    return {
        **found,
        "requests": sum(endpoints.values()),
        "throttled": journal["by_status"].get("429", 0),
        "subscription_pages": endpoints.get("GET /v1/subscriptions", 0),
        "least_pages": math.ceil(found["read"] / 100),
        "paid_pages": found["paid_pages"],
    }


def write_crm(size: int) -> Any:
    """The CRM customers that belong to an account of this size, as a file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "customers.csv"
    with path.open("w") as file:
        command = [sys.executable, "-m", "sandbox", "customers", "--profile", "bulk", "--subscriptions", str(size)]
        subprocess.run(command, cwd=ROOT, stdout=file, check=True)  # noqa: S603 - our own module
    return path

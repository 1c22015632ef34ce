"""Deliveries to a web server as it is deployed: how many a second it takes, how long each waits, and that none is lost.

gunicorn with the settings of ``deploy/``, the database and the sender share the cores; nobody drains meanwhile.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import psutil
from django.conf import settings
from django_q.models import OrmQ

from bench.incremental import SECRET, signed
from bench.measure import cpu_of, percentile, server_process
from bench.place import ROOT
from integrations.models import Mode, StripeConnection, StripeEvent
from integrations.stripe.sync import connections
from pivotal import database

DELIVERIES = 6000
SENDERS = 12
UP_SECONDS = 60


def deliveries(number: int = DELIVERIES, senders: int = SENDERS) -> dict[str, Any]:
    """Send so many events at once as the senders can; each is another customer's."""
    connection = connections.get(Mode.LIVE)
    connection.webhook_secret = SECRET
    connection.save(update_fields=["webhook_secret"])
    forget(connection)
    bodies = [signed(f"sub_flood_{each}", f"cus_flood_{each}", f"evt_flood_{each}") for each in range(number)]
    postgres = server_process()
    with server() as (port, web):
        sender = Flood(port, bodies)
        web_before, database_before = cpu_of_all(web.children()), cpu_of(postgres) or 0.0
        began = time.perf_counter()
        threads = [Thread(target=sender.send) for _ in range(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall = time.perf_counter() - began
        web_cpu = cpu_of_all(web.children()) - web_before
        database_cpu = (cpu_of(postgres) or 0.0) - database_before
    kept = StripeEvent.objects.filter(connection=connection, event_id__startswith="evt_flood_").count()
    figures = {
        "sent": number,
        "accepted": sender.accepted,
        "kept": kept,
        "tasks": OrmQ.objects.count(),
        "a_second": sender.accepted / wall,
        "p50": percentile(sender.waits, 0.5),
        "p95": percentile(sender.waits, 0.95),
        "cpu": web_cpu / number,
        "database_cpu": database_cpu / number,
    }
    forget(connection)
    if not number == sender.accepted == kept:
        raise RuntimeError(f"deliveries were lost: {figures}")
    return figures


def cpu_of_all(processes: Iterable[psutil.Process]) -> float:
    """Seconds of CPU that these processes have used."""
    return sum(cpu_of(process) or 0.0 for process in processes)


def forget(connection: StripeConnection) -> None:
    """Leave no event and no drain of an earlier flood."""
    StripeEvent.objects.filter(event_id__startswith="evt_flood_").delete()
    OrmQ.objects.all().delete()
    StripeConnection.objects.filter(pk=connection.pk).update(inbox_token=None, inbox_until=None)


class Flood:
    """Sends prepared deliveries, whoever is free the next one, each over a connection that stays open."""

    def __init__(self, port: int, bodies: list[tuple[str, str]]) -> None:
        self._port, self._bodies = port, bodies
        self._next, self._lock = count(), Lock()
        self.accepted = 0
        self.waits: list[float] = []

    def send(self) -> None:
        """Send until nothing is left; a refused one is not sent again."""
        web = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while (number := next(self._next)) < len(self._bodies):
            body, signature = self._bodies[number]
            began = time.perf_counter()
            headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
            web.request("POST", "/stripe/webhooks/live/account/", body, headers)
            answer = web.getresponse()
            said = answer.read()
            with self._lock:
                self.waits.append(time.perf_counter() - began)
                self.accepted += answer.status == http.HTTPStatus.OK and b"received" in said
        web.close()


@contextmanager
def server() -> Iterator[tuple[int, psutil.Process]]:
    """The web server as in production on a port of its own: the port and the process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {
        **os.environ,
        "DEBUG": "false",
        "DATABASE_URL": database.url(os.environ["DATABASE_URL"], debug=True, folder=Path(settings.PIVOTAL_DIR)),
        "SECRET_KEY": settings.SECRET_KEY,
        "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "false",
        "BIND": f"127.0.0.1:{port}",
    }
    command = [sys.executable, "-m", "gunicorn", "pivotal.wsgi", "--config", "deploy/gunicorn.conf.py"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
    try:
        wait_until_up(process, port)
        yield port, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_until_up(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait for the first answer. Raises RuntimeError when there is none."""
    deadline = time.monotonic() + UP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            web = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            web.request("GET", "/healthz")
            if web.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the web server did not come up")

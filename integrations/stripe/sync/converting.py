"""New rates reach the figures in chunks: what is billed in other currencies is converted again by the worker.

The row is the truth; a task only says "conversion 7 may go on". A chunk is one transaction that moves ``reached``
behind it and uses the rates of its moment: newer ones come with a conversion of their own, which begins at the
beginning. So a task that is lost, repeated or late changes nothing, and a killed worker loses one chunk.
"""

from __future__ import annotations

import time

from django.db import transaction
from django_q.tasks import async_task

from integrations.models import ConnectionState, RateConversion, WorkerHeartbeat
from integrations.stripe.sync import derive, issues, rates
from integrations.stripe.sync.clock import DatabaseClock

SLICE_SECONDS = 20


def unattended() -> list[int]:
    """Conversions with work left: what the watchdog queues again. A disconnected connection keeps its figures."""
    left = RateConversion.objects.exclude(connection__state=ConnectionState.DISCONNECTED)
    return list(left.values_list("pk", flat=True))


def enqueue(conversion_id: int) -> None:
    """Tell the worker that a conversion may go on."""
    async_task(rates.CONVERT, conversion_id)


def continue_conversion(conversion_id: int) -> bool:
    """Work a slice of a conversion; True when there is more to do, which is queued."""
    until = time.monotonic() + SLICE_SECONDS
    more = convert_chunk(conversion_id)
    while more and time.monotonic() < until:
        more = convert_chunk(conversion_id)
    WorkerHeartbeat.objects.beat()
    if more:
        enqueue(conversion_id)
    return more


def convert_chunk(conversion_id: int) -> bool:
    """One chunk in one transaction; True when there may be another. What somebody else works on is left alone."""
    with transaction.atomic():
        free = RateConversion.objects.select_for_update(of=("self",), skip_locked=True).select_related("connection")
        conversion = free.filter(pk=conversion_id).exclude(connection__state=ConnectionState.DISCONNECTED).first()
        if conversion is None:
            return False
        reached = derive.converted_chunk(
            conversion.connection,
            after=conversion.reached,
            currencies=conversion.currencies,
            rates=rates.load(),
            now=DatabaseClock().now(),
        )
        if reached is None:
            conversion.delete()
            issues.sync_warnings(conversion.connection)
            return False
        RateConversion.objects.filter(pk=conversion.pk).update(reached=reached)
        return True

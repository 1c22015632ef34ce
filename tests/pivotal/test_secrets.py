"""Made up once in DEBUG, demanded outside it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from pivotal.secrets import development_secrets, required, required_list

CHECKOUT = Path(__file__).resolve().parents[2]


def test_development_secrets_are_made_once(tmp_path: Path) -> None:
    first = development_secrets(tmp_path / "new")
    assert development_secrets(tmp_path / "new") == first


def test_development_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    development_secrets(tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_development_encryption_key_is_a_fernet_key(tmp_path: Path) -> None:
    Fernet(development_secrets(tmp_path)["FIELD_ENCRYPTION_KEYS"])


def test_the_environment_wins_over_a_made_up_secret() -> None:
    assert required("SECRET_KEY", "mine", {"SECRET_KEY": "made up"}) == "mine"


@pytest.mark.parametrize("value", ["", "change-me", "django-insecure-abc", "Secret"])
def test_outside_debug_a_missing_or_known_secret_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        required("SECRET_KEY", value, None)


def test_every_key_of_a_list_is_looked_at() -> None:
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        required_list("FIELD_ENCRYPTION_KEYS", ["a-good-one", "change-me"], None)


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, "SECRET_KEY"),
        ({"SECRET_KEY": "x" * 60}, "FIELD_ENCRYPTION_KEYS"),
        ({"SECRET_KEY": "x" * 60, "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode()}, "DATABASE_URL"),
    ],
)
def test_a_start_outside_debug_without_a_required_setting_ends_with_one_line(
    tmp_path: Path, environment: dict[str, str], names: str
) -> None:
    needed = {"SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL"}
    inherited = {name: value for name, value in os.environ.items() if name not in needed}
    result = subprocess.run(
        [sys.executable, CHECKOUT / "manage.py", "check"],
        env={**inherited, **dict.fromkeys(needed, ""), "DEBUG": "false", "PIVOTAL_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert names in result.stderr

"""Secrets from the environment; made up once in a DEBUG checkout, demanded everywhere else."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

KNOWN_DEFAULTS = frozenset(
    {"change-me", "changeme", "default", "development", "insecure", "password", "secret", "test"}
)
KNOWN_PREFIXES = ("change-me", "changeme", "django-insecure-")


def development_secrets(folder: Path) -> Mapping[str, str]:
    """The secrets of a DEBUG checkout by setting name, generated once and kept in `folder`/secrets.json (mode 0600)."""
    path = folder / "secrets.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        made_up = {"SECRET_KEY": secrets.token_urlsafe(50), "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode()}
        _write_once(path, json.dumps(made_up, indent=2))
    return json.loads(path.read_text())


def required(name: str, value: str, made_up: Mapping[str, str] | None) -> str:
    """`value`, or the made-up one of a DEBUG checkout.

    Raises ImproperlyConfigured with one line when there is neither (`made_up` is None outside DEBUG) or when the
    value, outside DEBUG, is one that everybody knows (docs/architecture.md section 6).
    """
    if made_up is not None:
        return value or made_up[name]
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. Outside DEBUG it must be; .env.example says how to make one")
    if value.lower() in KNOWN_DEFAULTS or value.lower().startswith(KNOWN_PREFIXES):
        raise ImproperlyConfigured(f"{name} still has an example's value. Make your own; .env.example says how")
    return value


def required_list(name: str, values: Sequence[str], made_up: Mapping[str, str] | None) -> list[str]:
    """The same for a setting of several values, of which the first is the one in use."""
    if not values and made_up is not None:
        return [made_up[name]]
    return [required(name, value, made_up) for value in values or [""]]


def fernet_keys(name: str, values: Sequence[str], made_up: Mapping[str, str] | None) -> list[str]:
    """`required_list` for encryption keys; raises ImproperlyConfigured for one that is none, naming its place."""
    keys = required_list(name, values, made_up)
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name}, key {number}, is not a Fernet key; .env.example says how to make one"
            ) from error
    return keys


def optional(name: str, value: str, made_up: Mapping[str, str] | None) -> str:
    """`value`, which may be empty; outside DEBUG it may not be one that everybody knows."""
    return required(name, value, made_up) if value and made_up is None else value


def _write_once(path: Path, text: str) -> None:
    """Write a private file, complete or not at all; of two processes that try at once the first one's stays."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mkstemp creates it with mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)

"""What survives a restart: connections and their tokens, made keys, webhook endpoints, the clock, changed objects."""

import os
from pathlib import Path
from typing import Any

import msgspec


class Grant(msgspec.Struct):
    """One account's consent to the app: at most one per flow, account and mode.

    `flow` is `stripe_app` or `connect`. `expires_at` is the access token's end in Unix seconds, None for never.
    """

    flow: str
    account: str
    mode: str
    permissions: list[str]
    access_token: str = ""
    refresh_token: str = ""
    expires_at: int | None = None
    revoked: bool = False


class AuthorizationCode(msgspec.Struct):
    """A code on its way from the consent page to the token endpoint."""

    code: str
    flow: str
    account: str
    mode: str
    permissions: list[str]
    expires_at: int
    used: bool = False


class RestrictedKey(msgspec.Struct):
    """A pasted key. `expand` false refuses every expansion."""

    key: str
    account: str
    mode: str
    permissions: list[str]
    expand: bool = True


class WebhookEndpoint(msgspec.Struct):
    """Where events of a mode are delivered: an account's own endpoint, or one for all connected accounts."""

    url: str
    secret: str
    mode: str
    connect: bool = True
    account: str = ""


class Change(msgspec.Struct):
    """The present state of an object that was changed after it was generated; `value` None means deleted."""

    account: str
    mode: str
    kind: str
    id: str
    value: dict[str, Any] | None


class SavedState(msgspec.Struct):
    """The whole document."""

    clock_offset_seconds: int = 0
    grants: list[Grant] = []
    codes: list[AuthorizationCode] = []
    spent_tokens: list[str] = []
    keys: list[RestrictedKey] = []
    revoked_keys: list[str] = []
    webhooks: list[WebhookEndpoint] = []
    changes: list[Change] = []


class StateFile:
    """Reads and atomically writes the state; without a path it remembers nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def is_kept(self) -> bool:
        """Whether anything is written at all."""
        return self._path is not None

    def load(self) -> SavedState:
        """The saved state, or an empty one when there is no file yet. Raises `msgspec.DecodeError` for a broken one."""
        if self._path is None or not self._path.exists():
            return SavedState()
        return msgspec.json.decode(self._path.read_bytes(), type=SavedState)

    def save(self, state: SavedState) -> None:
        """Replace the file by `state`; it holds secrets, so only its owner may read it."""
        if self._path is None:
            return
        write_atomically(self._path, msgspec.json.encode(state))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that readers see whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
    temporary.replace(path)

"""Who is asking: turns an `Authorization` header into an account, a mode and permissions."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers

from sandbox.accounts import ACCOUNTS, DEVELOPER_KEYS, FIELDNOTE, MODES, OTHER
from sandbox.clock import Clock
from sandbox.errors import ApiError
from sandbox.grants import FLOWS, GrantBook
from sandbox.kinds import ACCOUNT_PERMISSION, FOUR_PERMISSIONS, PERMISSIONS
from sandbox.state import Grant, RestrictedKey, SavedState

BUILT_IN_KEYS = [
    RestrictedKey(f"rk_{mode}_{suffix}", account.id, mode, list(permissions), expand)
    for mode in MODES
    for suffix, account, permissions, expand in (
        ("all", FIELDNOTE, PERMISSIONS, True),
        ("four", FIELDNOTE, FOUR_PERMISSIONS, True),
        ("four_noexpand", FIELDNOTE, FOUR_PERMISSIONS, False),
        ("other", OTHER, PERMISSIONS, True),
    )
]


_PREFIX = re.compile(r"^[srp]k_(?:live|test|acct)_")


@dataclass(frozen=True)
class Principal:
    """An authenticated caller. `label` is the key with its middle hidden, fit for messages and logs."""

    label: str
    account: str
    mode: str
    permissions: frozenset[str]
    may_expand: bool
    is_app: bool


def masked(key: str) -> str:
    """A key as Stripe shows it in messages: its prefix, stars, and at most the last four characters."""
    prefix = "".join(_PREFIX.findall(key))
    rest = key.removeprefix(prefix)
    shown = min(4, len(rest) // 2 or len(rest))
    return f"{prefix}{'*' * max(3, len(rest) - shown)}{rest[len(rest) - shown :]}"


def presented_key(headers: Headers) -> str | None:
    """The key of a Bearer or Basic `Authorization` header, or None."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


class Keyring:
    """Restricted keys, tokens of connected accounts, and the app developer's own keys."""

    def __init__(self, state: SavedState, grants: GrantBook, clock: Clock, changed: Callable[[], None]) -> None:
        self._state = state
        self._grants = grants
        self._clock = clock
        self._changed = changed

    def add(self, key: RestrictedKey) -> None:
        """Make a restricted key, replacing one of the same name."""
        self.revoke(key.key)
        self._state.revoked_keys.remove(key.key)
        self._state.keys.append(key)
        self._changed()

    def revoke(self, key: str) -> None:
        """From now on the key is invalid, a built-in one too."""
        self._state.keys = [one for one in self._state.keys if one.key != key]
        if key not in self._state.revoked_keys:
            self._state.revoked_keys.append(key)
        self._changed()

    def authenticate(self, headers: Headers) -> Principal:
        """The caller behind a request.

        Raises ApiError 401 for no key, a wrong or an expired one, 403 after an uninstall.
        """
        key = presented_key(headers)
        if key is None:
            raise ApiError(
                401,
                "You did not provide an API key. You need to provide your API key in the Authorization header, using "
                "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            )
        restricted = self._restricted(key)
        if restricted is not None:
            permissions = frozenset(restricted.permissions)
            return Principal(
                masked(key), restricted.account, restricted.mode, permissions, restricted.expand, is_app=False
            )
        if key in DEVELOPER_KEYS:
            return self._platform(key, headers.get("stripe-account"))
        grant = self._grants.by_access_token(key)
        if grant is None:
            raise self._unknown(key)
        return self._connected(key, grant)

    def _restricted(self, key: str) -> RestrictedKey | None:
        for held in [*self._state.keys, *BUILT_IN_KEYS]:
            if held.key == key and key not in self._state.revoked_keys:
                return held
        return None

    def _unknown(self, key: str) -> ApiError:
        if self._grants.is_spent(key):
            return _expired(key)
        return ApiError(401, f"Invalid API Key provided: {masked(key)}")

    def _connected(self, key: str, grant: Grant) -> Principal:
        if grant.revoked:
            raise _no_access(key, grant.account)
        if grant.expires_at is not None and self._clock.now() >= grant.expires_at:
            raise _expired(key)
        return _principal(key, grant)

    def _platform(self, key: str, account: str | None) -> Principal:
        mode = DEVELOPER_KEYS[key]
        if account is None or account not in ACCOUNTS:
            raise _no_access(key, account or "of the app's developer")
        for flow in FLOWS:
            grant = self._grants.find(account, mode, flow)
            if grant is not None and not grant.revoked:
                return _principal(key, grant)
        raise _no_access(key, account)


def _principal(key: str, grant: Grant) -> Principal:
    permissions = frozenset(grant.permissions) | {ACCOUNT_PERMISSION}
    return Principal(masked(key), grant.account, grant.mode, permissions, may_expand=True, is_app=True)


def _expired(key: str) -> ApiError:
    return ApiError(401, f"Expired API Key provided: {masked(key)}", code="platform_api_key_expired")


def _no_access(key: str, account: str) -> ApiError:
    return ApiError(
        403,
        f"The provided key '{masked(key)}' does not have access to account '{account}' (or that account does not "
        "exist). Application access may have been revoked.",
        code="account_invalid",
    )

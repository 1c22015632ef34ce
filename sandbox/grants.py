"""Authorisation codes, access tokens and refresh tokens: who was granted what, and how it rotates."""

import secrets
from collections.abc import Callable

from sandbox.clock import Clock
from sandbox.errors import OAuthError
from sandbox.state import AuthorizationCode, Grant, SavedState

CODE_LIFETIME_SECONDS = 300
TOKEN_LIFETIME_SECONDS = 3600
FLOWS = ("stripe_app", "connect")


class GrantBook:
    """All grants of the sandbox, held in the saved state; `changed` is called after every change."""

    def __init__(self, state: SavedState, clock: Clock, changed: Callable[[], None]) -> None:
        self._state = state
        self._clock = clock
        self._changed = changed

    def issue_code(self, flow: str, account: str, mode: str, permissions: list[str]) -> str:
        """A new code for a consent just given; it lives five minutes and works once."""
        code = f"ac_{secrets.token_urlsafe(24)}"
        expires_at = self._clock.now() + CODE_LIFETIME_SECONDS
        self._state.codes.append(AuthorizationCode(code, flow, account, mode, permissions, expires_at))
        self._changed()
        return code

    def exchange_code(self, code: str, flow: str, mode: str) -> Grant:
        """Trade a code for a grant with fresh tokens. Raises OAuthError `invalid_grant` for any code that is no good.

        A code used a second time also revokes what the first use gave, when the flow is Connect.
        """
        held = next((one for one in self._state.codes if one.code == code and one.flow == flow), None)
        if held is None:
            raise OAuthError("invalid_grant", f"Authorization code does not exist: {code}")
        if held.mode != mode:
            raise OAuthError("invalid_grant", f"Authorization code was issued in {held.mode} mode, not {mode} mode")
        if held.used:
            if flow == "connect":
                self.revoke(held.account, mode, flow)
            raise OAuthError("invalid_grant", f"Authorization code has already been used: {code}")
        if self._clock.now() > held.expires_at:
            raise OAuthError("invalid_grant", f"Authorization code expired: {code}")
        held.used = True
        previous = self.find(held.account, mode, flow)
        if previous is not None:
            self._spend(previous)
            self._state.grants.remove(previous)
        grant = Grant(flow, held.account, mode, list(held.permissions))
        self._state.grants.append(grant)
        return self._with_new_tokens(grant)

    def refresh(self, refresh_token: str, flow: str, mode: str) -> Grant:
        """Rotate the tokens behind a refresh token. Raises OAuthError `invalid_grant` when it is unknown or spent."""
        for grant in self._state.grants:
            if grant.flow == flow and not grant.revoked and grant.refresh_token == refresh_token:
                if grant.mode != mode:
                    raise OAuthError("invalid_grant", f"Refresh token was issued in {grant.mode} mode, not {mode} mode")
                if flow == "connect":
                    return grant
                self._spend(grant)
                return self._with_new_tokens(grant)
        raise OAuthError("invalid_grant", "The refresh token does not exist or has already been used")

    def find(self, account: str, mode: str, flow: str) -> Grant | None:
        """The grant of an account in a mode, revoked or not."""
        for grant in self._state.grants:
            if (grant.account, grant.mode, grant.flow) == (account, mode, flow):
                return grant
        return None

    def by_access_token(self, token: str) -> Grant | None:
        """The grant whose current access token this is, expired or revoked ones too."""
        return next((grant for grant in self._state.grants if grant.access_token == token), None)

    def is_spent(self, token: str) -> bool:
        """Whether the token was valid once and has been replaced."""
        return token in self._state.spent_tokens

    def is_connected(self, account: str, mode: str) -> bool:
        """Whether any flow has a grant in force; a live one covers test mode as well."""
        modes = {mode, "live"}
        return any(one.account == account and one.mode in modes and not one.revoked for one in self._state.grants)

    def revoke(self, account: str, mode: str, flow: str | None = None) -> int:
        """End the grants of an account in a mode, as an uninstall does; returns how many ended."""
        ended = [
            grant
            for grant in self._state.grants
            if (grant.account, grant.mode) == (account, mode) and flow in {None, grant.flow} and not grant.revoked
        ]
        for grant in ended:
            grant.revoked = True
        self._changed()
        return len(ended)

    def _with_new_tokens(self, grant: Grant) -> Grant:
        grant.access_token = f"sk_acct_{grant.mode}_{secrets.token_urlsafe(30)}"
        grant.refresh_token = f"rt_{grant.mode}_{secrets.token_urlsafe(30)}"
        grant.expires_at = None if grant.flow == "connect" else self._clock.now() + TOKEN_LIFETIME_SECONDS
        self._changed()
        return grant

    def _spend(self, grant: Grant) -> None:
        self._state.spent_tokens = [*self._state.spent_tokens, grant.access_token, grant.refresh_token][-500:]

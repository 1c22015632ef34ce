"""Connecting with an authorisation code, and renewing access (docs/architecture.md sections 2 and 5).

An exchange is never repeated: using a code twice revokes the access it gave. A failed one means to start again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.conf import settings
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from integrations.errors import IntegrationError
from integrations.stripe.api.addresses import require_private
from integrations.stripe.api.calls import OnCall
from integrations.stripe.api.permissions import Mode
from integrations.stripe.api.presets import ConfiguredPreset, preset_for
from integrations.stripe.api.token_endpoint import TokenAnswer, ask_for_token

_ACCOUNT_ID = re.compile(r"acct_[A-Za-z0-9]{1,250}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,2000}")
_LONGEST_LIFETIME_SECONDS = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Grant:
    """Access to one account. ``expires_at`` is None for a token that lasts; ``refresh_token`` is empty for those.

    Its repr shows no token.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    account_id: str
    livemode: bool
    expires_at: datetime | None


def authorize_url(mode: Mode, state: str, redirect_uri: str) -> str:
    """The address of Stripe's consent page. ``state`` comes back unchanged and is the only guard against forgery.

    Raises IntegrationError ``not_configured`` when the settings lack the client id or the secret key of ``mode``.
    """
    configured = _configured(mode)
    address = urlsplit(require_private(configured.authorize_url, loopback=settings.DEBUG))
    session = OAuth2Session(configured.client_id, redirect_uri=redirect_uri, scope=configured.preset.scope or None)
    # Written for https, as oauthlib insists, and without the query, which may hold the client id already.
    written, _ = session.authorization_url(urlunsplit(("https", address.netloc, address.path, "", "")), state=state)
    query = {**dict(parse_qsl(address.query)), **dict(parse_qsl(urlsplit(written).query))}
    if not configured.preset.sends_response_type:
        del query["response_type"]
    return urlunsplit((address.scheme, address.netloc, address.path, urlencode(query), ""))


def exchange(mode: Mode, code: str, redirect_uri: str, *, on_call: OnCall | None = None) -> Grant:
    """Turn an authorisation code into access, once.

    Raises IntegrationError: ``code_used`` (used or expired), ``wrong_mode``, ``not_configured`` (also when Stripe
    refuses our own secret key), ``rate_limited``, ``stripe_unavailable`` (start again: the code may be spent) and
    ``invalid_response``.
    """
    configured = _configured(mode)
    preset, in_body = configured.preset, configured.preset.client_auth == "secret_in_body"

    def ask(session: OAuth2Session, url: str, timeout: tuple[float, float]) -> object:
        session.redirect_uri = redirect_uri if preset.sends_redirect_uri else None
        return session.fetch_token(
            url,
            code=code,
            auth=_basic(configured),
            client_secret=configured.client_secret if in_body else None,
            include_client_id=in_body or preset.sends_client_id,
            timeout=timeout,
        )

    asked_at = datetime.now(UTC)
    answer = ask_for_token(configured, ask, refused="code_used", on_call=on_call)
    return _believed(configured, answer, asked_at)


def refresh(
    mode: Mode, auth_kind: str, refresh_token: str, *, account_id: str = "", on_call: OnCall | None = None
) -> Grant:
    """Renew access with a refresh token. Both tokens change, and the old ones die: store the new pair before using it.

    ``auth_kind`` is the name of the preset the connection was made with. Raises as ``exchange``, with ``reauthorize``
    when Stripe no longer takes the token, and ``wrong_account`` when the answer is not about ``account_id``.
    """
    configured = _configured(mode, auth_kind)
    preset, in_body = configured.preset, configured.preset.client_auth == "secret_in_body"
    if not preset.refreshes:
        raise IntegrationError("reauthorize", "This kind of access cannot be renewed.")
    form: dict[str, Any] = {"client_id": configured.client_id} if in_body or preset.sends_client_id else {}
    if in_body:
        form["client_secret"] = configured.client_secret

    def ask(session: OAuth2Session, url: str, timeout: tuple[float, float]) -> object:
        return session.refresh_token(url, refresh_token=refresh_token, auth=_basic(configured), timeout=timeout, **form)

    asked_at = datetime.now(UTC)
    answer = ask_for_token(configured, ask, refused="reauthorize", on_call=on_call)
    grant = _believed(configured, answer, asked_at)
    if account_id and grant.account_id != account_id:
        raise IntegrationError("wrong_account")
    return grant


def _configured(mode: Mode, name: str = "") -> ConfiguredPreset:
    configured = preset_for(mode, name)
    if configured is None:
        raise IntegrationError("not_configured")
    return configured


def _basic(configured: ConfiguredPreset) -> HTTPBasicAuth | None:
    basic = configured.preset.client_auth == "basic_secret_key"
    return HTTPBasicAuth(configured.client_secret, "") if basic else None


def _believed(configured: ConfiguredPreset, answer: TokenAnswer, asked_at: datetime) -> Grant:
    """The answer as a Grant, after everything it says was checked. No error tells what a token looked like."""
    preset = configured.preset
    livemode = configured.mode == "live"
    if answer.livemode is not livemode:
        raise IntegrationError("wrong_mode", f"This was to be a connection in {configured.mode} mode.")
    if answer.token_type.lower() != "bearer" or not _TOKEN.fullmatch(answer.access_token):
        raise IntegrationError("invalid_response", "Stripe sent no usable access token.")
    if preset.scope and answer.scope != preset.scope:
        raise IntegrationError("invalid_response", f"Stripe did not grant exactly the scope {preset.scope}.")
    return Grant(
        access_token=answer.access_token,
        refresh_token=_refresh_token(configured, answer),
        account_id=_account_id(answer),
        livemode=livemode,
        expires_at=_expires_at(configured, answer, asked_at),
    )


def _refresh_token(configured: ConfiguredPreset, answer: TokenAnswer) -> str:
    if not configured.preset.refreshes:
        return ""
    if not _TOKEN.fullmatch(answer.refresh_token or ""):
        raise IntegrationError("invalid_response", "Stripe sent no usable refresh token.")
    return answer.refresh_token or ""


def _account_id(answer: TokenAnswer) -> str:
    """Documented as ``stripe_user_id``; a refresh has been seen to say ``account_id``."""
    named = {name for name in (answer.stripe_user_id, answer.account_id) if name}
    account_id = named.pop() if len(named) == 1 else ""
    if not _ACCOUNT_ID.fullmatch(account_id):
        raise IntegrationError("invalid_response", "Stripe did not say which account this is.")
    return account_id


def _expires_at(configured: ConfiguredPreset, answer: TokenAnswer, asked_at: datetime) -> datetime | None:
    if answer.expires_in is not None and 0 < answer.expires_in < _LONGEST_LIFETIME_SECONDS:
        return asked_at + timedelta(seconds=answer.expires_in)
    lifetime = configured.preset.token_lifetime
    return asked_at + lifetime if lifetime else None

"""The authorisation-code flows we know, as a table, and what the settings say about each mode.

A new flow is a row here: where its pages are, how our server proves itself, what it sends, what comes back
(docs/architecture.md section 2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from django.conf import settings

from integrations.stripe.api.permissions import Mode


@dataclass(frozen=True, slots=True)
class Preset:
    """One flow.

    Both addresses may hold the bases ``{api}`` and ``{connect}`` of the settings; ``authorize_url`` is replaced by
    STRIPE_AUTHORIZE_URL_LIVE and _TEST where they are set. ``client_auth``: ``basic_secret_key`` is HTTP Basic with the
    developer's secret key and no password, ``secret_in_body`` puts ``client_id`` and ``client_secret`` into the form.
    ``scope`` is asked for and must be granted exactly; empty means that the app's manifest decides.
    ``sends_response_type`` is about the authorize address, ``sends_redirect_uri`` and ``sends_client_id`` about the
    exchange. ``token_lifetime`` is how long an access token lasts when the answer does not tell, None for ever.
    """

    name: str
    authorize_url: str
    token_url: str
    client_auth: Literal["basic_secret_key", "secret_in_body"]
    refreshes: bool
    scope: str = ""
    sends_response_type: bool = False
    sends_redirect_uri: bool = False
    sends_client_id: bool = False
    token_lifetime: timedelta | None = None


PRESETS: dict[str, Preset] = {
    # Documented with grant_type and code alone; the access token lasts an hour, which only the prose says.
    "stripe_app": Preset(
        name="stripe_app",
        authorize_url="https://marketplace.stripe.com/oauth/v2/authorize",
        token_url="{api}/v1/oauth/token",  # noqa: S106  (an address)
        client_auth="basic_secret_key",
        refreshes=True,
        token_lifetime=timedelta(hours=1),
    ),
    # For platforms that were registered as extensions before 2022. Its access token is deprecated and lasts.
    "connect": Preset(
        name="connect",
        authorize_url="{connect}/oauth/authorize",
        token_url="{connect}/oauth/token",  # noqa: S106  (an address)
        client_auth="basic_secret_key",
        refreshes=False,
        scope="read_only",
        sends_response_type=True,
    ),
}


@dataclass(frozen=True, slots=True)
class ConfiguredPreset:
    """A flow with the addresses and credentials of one mode. Its repr shows no secret."""

    preset: Preset
    mode: Mode
    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)


def preset_for(mode: Mode, name: str = "") -> ConfiguredPreset | None:
    """The flow ``name``, or the one the settings choose, configured for ``mode``; None without its id and secret.

    Raises KeyError for a name that is not in the table.
    """
    preset = PRESETS[name or settings.STRIPE_OAUTH_PRESET]
    client_id = _of_mode("STRIPE_CLIENT_ID", mode)
    client_secret = _of_mode("STRIPE_SECRET_KEY", mode)
    if not client_id or not client_secret:
        return None
    bases = {"api": settings.STRIPE_API_BASE.rstrip("/"), "connect": settings.STRIPE_CONNECT_BASE.rstrip("/")}
    return ConfiguredPreset(
        preset=preset,
        mode=mode,
        authorize_url=_of_mode("STRIPE_AUTHORIZE_URL", mode) or preset.authorize_url.format(**bases),
        token_url=preset.token_url.format(**bases),
        client_id=client_id,
        client_secret=client_secret,
    )


def _of_mode(setting: str, mode: Mode) -> str:
    return str(getattr(settings, f"{setting}_{mode.upper()}"))

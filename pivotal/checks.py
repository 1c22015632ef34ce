"""System checks: configuration that would only fail later, said at the start (`manage.py check`)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cryptography.fernet import Fernet
from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from integrations.stripe.sync.freshness import BusinessHours

OWN = "pivotal"  # the tag of all of these
PRESETS = ("stripe_app", "connect")
ACCESS = ("all", "assigned")
MODES = ("LIVE", "TEST")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

type_of_apps = Sequence[AppConfig] | None


@register(OWN)
def stripe_app_settings(app_configs: type_of_apps, **kwargs: object) -> list[CheckMessage]:
    """A client id without its secret key, or the other way round, fails only after the consent screen."""
    messages: list[CheckMessage] = []
    for mode in MODES:
        names = (f"STRIPE_CLIENT_ID_{mode}", f"STRIPE_SECRET_KEY_{mode}")
        missing = [name for name in names if not getattr(settings, name)]
        if len(missing) == 1:
            hint = "Set both, or neither: restricted keys work without a Stripe App."
            messages.append(Error(f"{missing[0]} is not set although its partner is.", hint=hint, id="pivotal.E001"))
    if settings.STRIPE_OAUTH_PRESET not in PRESETS:
        messages.append(Error(f"STRIPE_OAUTH_PRESET is not one of {', '.join(PRESETS)}.", id="pivotal.E002"))
    return messages


@register(OWN)
def stripe_addresses(app_configs: type_of_apps, **kwargs: object) -> list[CheckMessage]:
    """Keys and tokens travel to these addresses: plain http is for a sandbox on this machine."""
    names = (
        "STRIPE_API_BASE",
        "STRIPE_CONNECT_BASE",
        "STRIPE_AUTHORIZE_URL_LIVE",
        "STRIPE_AUTHORIZE_URL_TEST",
        "PUBLIC_BASE_URL",
    )
    return [
        Error(f"{name} is neither https nor on this machine.", id="pivotal.E003")
        for name in names
        if getattr(settings, name) and not _is_safe(getattr(settings, name))
    ]


@register(OWN, Tags.security)
def encryption_keys(app_configs: type_of_apps, **kwargs: object) -> list[CheckMessage]:
    """A key that is no Fernet key would make every stored token unreadable."""
    return [
        Error(
            f"FIELD_ENCRYPTION_KEYS, key {number}, is not a Fernet key.",
            hint="python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'",
            id="pivotal.E004",
        )
        for number, key in enumerate(settings.FIELD_ENCRYPTION_KEYS, start=1)
        if not _is_fernet_key(key)
    ]


@register(OWN)
def task_times(app_configs: type_of_apps, **kwargs: object) -> list[CheckMessage]:
    """A task whose retry comes before its timeout runs twice at once (docs/architecture.md section 4 "Runs")."""
    cluster = settings.Q_CLUSTER
    messages: list[CheckMessage] = []
    if cluster["retry"] <= cluster["timeout"]:
        messages.append(Error("Q_CLUSTER: retry must be larger than timeout.", id="pivotal.E005"))
    if cluster["workers"] < 2:
        hint = "A run would keep webhooks and the watchdog waiting."
        messages.append(Error("WORKERS must be at least 2.", hint=hint, id="pivotal.E006"))
    return messages


@register(OWN)
def workspace(app_configs: type_of_apps, **kwargs: object) -> list[CheckMessage]:
    """The workspace's own settings."""
    messages: list[CheckMessage] = []
    if settings.DEFAULT_ACCESS not in ACCESS:
        messages.append(Error(f"DEFAULT_ACCESS is not one of {', '.join(ACCESS)}.", id="pivotal.E007"))
    if not _are_business_hours(settings.BUSINESS_HOURS):
        messages.append(Error("BUSINESS_HOURS is not like 'Mon-Fri 9-18'.", id="pivotal.E008"))
    if not _is_time_zone(settings.TIME_ZONE):
        messages.append(Error("TIME_ZONE is not a name like 'Europe/Berlin'.", id="pivotal.E009"))
    return messages


@register(OWN, Tags.security, deploy=True)
def public_address(app_configs: type_of_apps, **kwargs: object) -> list[CheckMessage]:
    """Stripe sends people back to this address; guessed from a request's Host header it could be anybody's."""
    if settings.PUBLIC_BASE_URL:
        return []
    hint = "Set it to the address people use, like https://pivotal.example.com."
    return [checks.Warning("PUBLIC_BASE_URL is not set.", hint=hint, id="pivotal.W001")]


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _are_business_hours(text: str) -> bool:
    try:
        BusinessHours.parse(text)
    except ValueError:
        return False
    return True


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # bad characters, a folder, not found
        return False
    return True

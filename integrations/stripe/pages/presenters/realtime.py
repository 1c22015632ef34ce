"""The **Real-time changes** card: which way changes come, and what an endpoint of the account's own needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from integrations.models import StripeConnection
from integrations.stripe.api.events import TAKEN
from integrations.stripe.pages.addresses import endpoint_address

RECENT = timedelta(hours=24)  # an account may be quiet for a day


@dataclass(frozen=True, slots=True)
class Realtime:
    """What the card says; ``secrets`` are the last characters of those that are accepted, the old one first."""

    source: str
    is_polled: bool
    address: str
    event_types: tuple[str, ...]
    secrets: list[str]
    reads: int

    @property
    def is_rotating(self) -> bool:
        """Whether an old and a new secret are accepted."""
        return len(self.secrets) > 1


def present_realtime(request: HttpRequest, connection: StripeConnection, *, reads: int) -> Realtime:
    """The card of a connected mode."""
    secrets = [secret for secret in (connection.webhook_secret, connection.webhook_secret_next) if secret]
    return Realtime(
        source=source_of(connection, has_own=bool(secrets)),
        is_polled="event_read" in connection.permissions,
        address=endpoint_address(request, connection.mode),
        event_types=TAKEN,
        secrets=[secret[-4:] for secret in secrets],
        reads=reads,
    )


def source_of(connection: StripeConnection, *, has_own: bool) -> str:
    """The quickest way by which changes arrive now."""
    delivered = connection.webhook_at is not None and timezone.now() - connection.webhook_at < RECENT
    has_app = bool(getattr(settings, f"STRIPE_WEBHOOK_SECRET_{connection.mode.upper()}"))
    if delivered and has_own:
        return _("Your own webhook endpoint: changes arrive within seconds.")
    if delivered and has_app:
        return _("The webhook of the app: changes arrive within seconds.")
    if "event_read" in connection.permissions:
        return _("Polling: changes show within two minutes.")
    return _("The nightly run only: changes show the next morning. Allow reading events, or add an endpoint.")

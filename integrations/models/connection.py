"""A connection to Stripe: one for live mode, one for test mode, each with its own rows everywhere."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from customers.models import Environment
from integrations.fields import EncryptedTextField


class Mode(models.TextChoices):
    """Stripe's two worlds, which share nothing."""

    LIVE = "live", _("Live")
    TEST = "test", _("Test")


class ConnectionState(models.TextChoices):
    """The three states of the banner."""

    CONNECTED = "connected", _("Connected")
    REAUTHORIZE = "reauthorize", _("Reauthorize")
    DISCONNECTED = "disconnected", _("Disconnected")


class AuthKind(models.TextChoices):
    """How access was granted."""

    STRIPE_APP = "stripe_app", _("Stripe App")
    CONNECT = "connect", _("Connect")
    RESTRICTED_KEY = "restricted_key", _("Restricted key")


class StripeConnection(models.Model):
    """Our access to one mode of one Stripe account, its options, and when we last looked.

    ``permissions`` are the slugs the last probe found granted; ``can_expand`` whether answers may carry expanded
    objects. ``refresh_claimed_until`` serialises token refreshes without holding a lock across the network.
    A disconnected connection keeps its account, options, scope and mirror; only the secrets go.
    ``events_polled_at`` is the start of the last complete events poll and so the cursor of the next one;
    ``quiet_polls`` how many in a row found nothing. ``inbox_token`` and ``inbox_until`` are the lease of the one drain
    that works on this connection's inbox. ``webhook_at`` is the last delivery whose signature was valid.
    """

    mode = models.CharField(max_length=4, choices=Mode, unique=True)
    state = models.CharField(max_length=12, choices=ConnectionState, default=ConnectionState.DISCONNECTED)
    state_reason = models.CharField(max_length=255, blank=True, default="")
    auth_kind = models.CharField(max_length=14, choices=AuthKind, blank=True, default="")
    account_id = models.CharField(max_length=255, blank=True, default="", db_collation="C")
    account_name = models.CharField(max_length=255, blank=True, default="")

    access_token = EncryptedTextField(blank=True, default="", editable=False)
    refresh_token = EncryptedTextField(blank=True, default="", editable=False)
    token_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    refresh_claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    key_last4 = models.CharField(max_length=4, blank=True, default="")
    webhook_secret = EncryptedTextField(blank=True, default="", editable=False)
    webhook_secret_next = EncryptedTextField(blank=True, default="", editable=False)

    permissions = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    can_expand = models.BooleanField(default=True)

    match_personal_emails = models.BooleanField(_("Match personal emails"), default=False)
    billing_signal_only = models.BooleanField(_("Billing signal only"), default=True)

    connected_at = models.DateTimeField(null=True, blank=True)
    connected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    disconnected_at = models.DateTimeField(null=True, blank=True)
    last_full_sync_at = models.DateTimeField(_("Last full sync"), null=True, blank=True)
    last_incremental_update_at = models.DateTimeField(_("Last incremental update"), null=True, blank=True)
    last_look_at = models.DateTimeField(null=True, blank=True)

    events_polled_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_poll_at = models.DateTimeField(null=True, blank=True, editable=False)
    quiet_polls = models.PositiveSmallIntegerField(default=0, editable=False)
    webhook_at = models.DateTimeField(null=True, blank=True, editable=False)
    webhook_rejected_at = models.DateTimeField(null=True, blank=True, editable=False)
    inbox_token = models.UUIDField(null=True, blank=True, editable=False)
    inbox_until = models.DateTimeField(null=True, blank=True, editable=False)
    nightly_on = models.DateField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("Stripe connection")
        verbose_name_plural = _("Stripe connections")

    def __str__(self) -> str:
        return f"Stripe {self.mode}"

    @property
    def environment(self) -> str:
        """The customers this connection sees: live ones are production, test ones staging."""
        return Environment.PRODUCTION if self.mode == Mode.LIVE else Environment.STAGING

    @property
    def is_connected(self) -> bool:
        """Whether Stripe may be called."""
        return self.state == ConnectionState.CONNECTED

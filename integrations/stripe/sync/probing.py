"""What a connection may read, asked again after it was connected."""

from __future__ import annotations

from contextlib import closing

from integrations.errors import IntegrationError
from integrations.models import StripeConnection
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.factory import AT_ONCE, reader_for
from integrations.stripe.api.permissions import ProbeResult, probe
from integrations.stripe.sync import calls, catalog_reading, tokens
from integrations.stripe.sync.tokens import mode_of


def recheck_permissions(connection: StripeConnection) -> ProbeResult:
    """Ask again what the connection may read, after permissions were added in Stripe.

    Raises IntegrationError ``reauthorize``, which the connection then asks for, or ``stripe_unavailable``.
    """
    used: list[str] = []

    def token() -> str:
        used.append(tokens.access_token(connection))
        return used[-1]

    with (
        calls.listed(connection) as made,
        closing(reader_for(mode_of(connection), token, on_call=made.append, patience=AT_ONCE)) as reader,
    ):
        try:
            result = probe(reader)
            keep_permissions(connection, result)
            catalog_reading.read(connection, reader)
        except IntegrationError as error:
            if error.code == "reauthorize" and not tokens.is_renewed(connection, used[-1] if used else ""):
                tokens.ask_to_reauthorize(connection, error)
            raise
        return result


def probe_again(connection: StripeConnection, reader: StripeReader) -> bool:
    """Find out what the connection may read now; True when that is not what we thought."""
    before = (connection.permissions, connection.can_expand)
    keep_permissions(connection, probe(reader))
    return before != (connection.permissions, connection.can_expand)


def keep_permissions(connection: StripeConnection, result: ProbeResult) -> None:
    """Remember what a probe found."""
    connection.permissions = list(result.granted)
    connection.can_expand = result.can_expand
    connection.save(update_fields=["permissions", "can_expand"])

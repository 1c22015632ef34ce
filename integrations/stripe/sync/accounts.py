"""Whether access belongs to the account that is mirrored here (docs/architecture.md section 4 "Tables")."""

from __future__ import annotations

from integrations.errors import IntegrationError
from integrations.models import StripeConnection, StripeCustomer
from integrations.stripe.api.client import StripeReader
from integrations.stripe.api.objects import Account
from integrations.stripe.api.query import object_path

SAMPLED_IDS = 20


def require_same_account(connection: StripeConnection, reader: StripeReader, offered: Account) -> None:
    """A mode that mirrors one account accepts no other; the old mirror has to be deleted first.

    A key that cannot name its account is compared by reading up to 20 mirrored ids. Raises IntegrationError
    ``wrong_account`` with both names.
    """
    if not has_mirror(connection):
        return
    known = named(connection.account_name, connection.account_id)
    if offered.id and connection.account_id:
        if offered.id != connection.account_id:
            other = named(offered.display_name, offered.id)
            raise IntegrationError("wrong_account", f"Mirrored here: {known}. Offered: {other}.")
        return
    sample = StripeCustomer.objects.filter(connection=connection, deleted=False).order_by("-created")
    ids = list(sample.values_list("stripe_id", flat=True)[:SAMPLED_IDS])
    if ids and not any(exists(reader, stripe_id) for stripe_id in ids):
        raise IntegrationError("wrong_account", f"None of {len(ids)} customers of {known} exists in the one offered.")


def named(name: str, account_id: str) -> str:
    """An account as people know it."""
    return f"{name or 'an account'} ({account_id or 'id not known'})"


def exists(reader: StripeReader, stripe_id: str) -> bool:
    """Whether an account has a customer of this id, deleted or not."""
    try:
        reader.get(object_path("customers", stripe_id))
    except IntegrationError as error:
        if error.code != "record_gone":
            raise
        return False
    return True


def has_mirror(connection: StripeConnection) -> bool:
    """Whether customers of an account are mirrored for this connection."""
    return StripeCustomer.objects.filter(connection=connection).exists()

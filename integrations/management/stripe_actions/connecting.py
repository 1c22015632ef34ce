"""Connect, disconnect, scope and options on the command line."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations.stripe.sync import connections, disconnecting
from integrations.stripe.sync import scope as scopes
from integrations.stripe.sync.counts import Counts


def connect(command: BaseCommand, options: dict[str, Any]) -> None:
    """``connect``: the key comes from stdin, so that no process list or shell history has it."""
    key = sys.stdin.readline().strip()
    if not key:
        raise CommandError(
            "No key came on stdin. Try: manage.py stripe connect --mode live --restricted-key-stdin < key"
        )
    connection = connections.connect_by_key(options["mode"], key=key, account_id=options["account"], actor=None)
    name = connection.account_name or "the account"
    command.stderr.write(f"Connected {name} ({connection.account_id or 'id not known'}), {connection.mode}, read-only.")
    granted = len(connection.permissions)
    command.stderr.write(f"{granted} of 8 permissions. Next: manage.py stripe sync --mode {connection.mode}")


def disconnect(command: BaseCommand, options: dict[str, Any]) -> None:
    """``disconnect``: our access goes, values stay."""
    connection = connections.get(options["mode"])
    last4 = connection.key_last4
    disconnecting.disconnect(connection, actor=None)
    command.stderr.write("Disconnected. The access tokens are deleted; billing fields stay as they were, marked stale.")
    if last4:
        command.stderr.write(f"To end the access in Stripe too, delete the key ending in …{last4} there.")
    else:
        command.stderr.write("To end the access in Stripe too, uninstall the app under Settings > Installed apps.")


def scope(command: BaseCommand, options: dict[str, Any]) -> None:
    """``scope``: all subscriptions, or those of some products and lookup keys."""
    chosen = options["product"] or options["lookup_key"]
    if bool(options["all"]) == bool(chosen):
        raise CommandError("Say either --all, or --product and --lookup-key.")
    connection = connections.get(options["mode"])
    choices = scopes.choices(connection)
    known = {each.value for each in choices.products}, {each.value for each in choices.lookup_keys}
    for values, allowed, word in zip(
        (options["product"], options["lookup_key"]), known, ("product", "lookup key"), strict=True
    ):
        for value in values:
            if allowed and value not in allowed:
                raise CommandError(f"The account has no {word} {value}. Nothing was changed.")
    counts = scopes.save_scope(connection, products=options["product"], lookup_keys=options["lookup_key"], actor=None)
    say_counts(command, counts)


def set_options(command: BaseCommand, options: dict[str, Any]) -> None:
    """``set``: the two toggles; one that is not named stays."""
    connection = connections.get(options["mode"])
    personal, signal = options["match_personal_emails"], options["billing_signal_only"]
    if personal is None and signal is None:
        raise CommandError("Name a toggle: --match-personal-emails on|off, --billing-signal-only on|off.")
    counts = scopes.save_options(
        connection,
        match_personal_emails=connection.match_personal_emails if personal is None else personal == "on",
        billing_signal_only=connection.billing_signal_only if signal is None else signal == "on",
        actor=None,
    )
    say_counts(command, counts)


def say_counts(command: BaseCommand, counts: Counts) -> None:
    """The counts in one line."""
    command.stderr.write(
        f"{counts.matched} matched ({counts.ambiguous} of them ambiguous), {counts.unmatched} unmatched,"
        f" {counts.skipped} skipped, {counts.failed} failed"
        f" of {counts.stripe_customers} Stripe customers with a subscription in scope."
    )

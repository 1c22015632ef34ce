"""What ``manage.py stripe`` does, one function per action."""

from integrations.management.stripe_actions.adding_up import mrr
from integrations.management.stripe_actions.connecting import connect, disconnect, scope, set_options
from integrations.management.stripe_actions.reporting import calls, explain, status
from integrations.management.stripe_actions.syncing import poll, refresh, sync

__all__ = [
    "calls",
    "connect",
    "disconnect",
    "explain",
    "mrr",
    "poll",
    "refresh",
    "scope",
    "set_options",
    "status",
    "sync",
]

"""Who may do what with the integration (docs/architecture.md section 8)."""

from __future__ import annotations

from typing import Any

from customers.permissions import ADMIN, STAFF, grant

# Custom permissions are made by the models' Meta; these are Django's own per model.
CONNECT = "integrations.change_stripeconnection"  # connect, disconnect, scope, toggles, keys, run
READ_LOG = "integrations.view_syncrun"  # log and Retry this record
DECIDE = "integrations.add_matchdecision"  # ambiguous and unmatched decisions

INTEGRATION_PERMISSIONS: dict[str, tuple[str, ...]] = {
    ADMIN: (
        "view_stripeconnection",
        "change_stripeconnection",
        "view_syncrun",
        "add_syncrun",
        "view_syncissue",
        "change_syncissue",
        "add_matchdecision",
        "view_matchdecision",
        "view_stripecustomer",
        "view_stripesubscription",
        "view_stripeinvoice",
        "view_apicall",
        "view_auditentry",
        "view_workerheartbeat",
        "view_exchangerate",
        "add_exchangerate",
        "change_exchangerate",
        "delete_exchangerate",
    ),
    STAFF: (
        "view_stripeconnection",
        "view_syncrun",
        "view_syncissue",
        "change_syncissue",
        "add_matchdecision",
        "view_matchdecision",
        "view_stripecustomer",
        "view_stripesubscription",
        "view_stripeinvoice",
        "view_apicall",
        "view_exchangerate",
    ),
}


def grant_group_permissions(sender: Any, **kwargs: Any) -> None:
    """post_migrate: permissions exist only after the migrations of a fresh database."""
    if sender.label == "integrations":
        grant("integrations", INTEGRATION_PERMISSIONS)

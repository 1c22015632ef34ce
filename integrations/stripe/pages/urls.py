"""Addresses of Admin > Integrations > Stripe, and what the integration adds to a customer's page."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from integrations.stripe.pages.modes import ModeConverter
from integrations.stripe.pages.views import (
    connecting,
    customers,
    decisions,
    disconnecting,
    drift,
    link_list,
    lists,
    log,
    many,
    mrr,
    overview,
    queue,
    realtime,
    runs,
    scope,
    splitting,
    webhooks,
)

register_converter(ModeConverter, "stripe_mode")

app_name = "stripe"

MODE = "admin/integrations/stripe/<stripe_mode:mode>/"

urlpatterns: list[URLPattern] = [
    path("admin/integrations/stripe/", overview.integration, name="integration"),
    path("admin/integrations/stripe/callback/", connecting.callback, name="callback"),
    path("admin/integrations/stripe/what-we-store/", overview.what_we_store, name="what_we_store"),
    path(MODE, overview.integration, name="integration"),
    path(f"{MODE}connect/", connecting.connect, name="connect"),
    path(f"{MODE}connect-key/", connecting.connect_key, name="connect_key"),
    path(f"{MODE}permissions/", connecting.recheck, name="recheck"),
    path(f"{MODE}disconnect/", disconnecting.disconnect, name="disconnect"),
    path(f"{MODE}clear-billing/", disconnecting.clear_billing, name="clear_billing"),
    path(f"{MODE}delete-mirror/", disconnecting.delete_mirror, name="delete_mirror"),
    path(f"{MODE}scope/", scope.save, name="scope"),
    path(f"{MODE}scope/preview/", scope.preview, name="scope_preview"),
    path(f"{MODE}options/", scope.options, name="options"),
    path(f"{MODE}run/", runs.run, name="run_start"),
    path(f"{MODE}run/", runs.run, name="run_progress"),
    path(f"{MODE}run/<int:run_id>/cancel/", runs.cancel, name="run_cancel"),
    path(f"{MODE}matched/", lists.matched, name="matched"),
    path(f"{MODE}unmatched/", lists.unmatched, name="unmatched"),
    path(f"{MODE}skipped/", lists.skipped, name="skipped"),
    path(f"{MODE}unmatched/csv/", lists.unmatched_csv, name="unmatched_csv"),
    path(f"{MODE}skipped/csv/", lists.skipped_csv, name="skipped_csv"),
    path(f"{MODE}link/", queue.link, name="decide_link"),
    path(f"{MODE}link-suggested/", queue.link_suggested, name="decide_suggested"),
    path(f"{MODE}create-customers/", queue.create, name="decide_create"),
    path(f"{MODE}ignore/", queue.ignore, name="decide_ignore"),
    path(f"{MODE}links/", link_list.link_list, name="link_list"),
    path(f"{MODE}jobs/<int:job_id>/", many.job, name="job"),
    path(f"{MODE}ambiguous/", lists.ambiguous, name="ambiguous"),
    path(f"{MODE}mrr/", mrr.mrr, name="mrr"),
    path(f"{MODE}mrr/subscriptions/", mrr.subscriptions, name="mrr_subscriptions"),
    path(f"{MODE}ambiguous/keep-merged/", decisions.keep_merged, name="decide_keep_merged"),
    path(f"{MODE}ambiguous/<int:customer_id>/", decisions.group, name="ambiguous_group"),
    path(f"{MODE}ambiguous/<int:customer_id>/wins/", decisions.winner, name="decide_winner"),
    path(f"{MODE}ambiguous/<int:customer_id>/attach/", decisions.attach, name="decide_attach"),
    path(f"{MODE}ambiguous/<int:customer_id>/split/", splitting.split, name="decide_split"),
    path(f"{MODE}decisions/", decisions.taken, name="decisions"),
    path(f"{MODE}decisions/<int:decision_id>/undo/", decisions.undo, name="decide_undo"),
    path(f"{MODE}log/", log.log, name="log"),
    path(f"{MODE}log/<int:run_id>/", log.run_detail, name="run_detail"),
    path(f"{MODE}calls/", log.calls, name="calls"),
    path(f"{MODE}log/attempts/<int:attempt_id>/retry/", log.attempt_retry, name="attempt_retry"),
    path(f"{MODE}drift/", drift.drift, name="drift"),
    path(f"{MODE}notices/<int:notice_id>/dismiss/", drift.notice_dismiss, name="notice_dismiss"),
    path(f"{MODE}webhook-secret/", realtime.secret_add, name="secret_add"),
    path(f"{MODE}webhook-secret/finish-rotation/", realtime.rotation_finish, name="rotation_finish"),
    path(f"{MODE}webhook-secret/delete/", realtime.secrets_forget, name="secrets_forget"),
    path(f"{MODE}issues/retry/", log.issues_retry, name="issues_retry"),
    path(f"{MODE}issues/<int:issue_id>/retry/", log.issue_retry, name="issue_retry"),
    path("stripe/webhooks/<stripe_mode:mode>/", webhooks.app_endpoint, name="webhook"),
    path("stripe/webhooks/<stripe_mode:mode>/account/", webhooks.account_endpoint, name="account_webhook"),
    path("customers/<int:customer_id>/receipt/", customers.receipt, name="receipt"),
    path("customers/<int:customer_id>/decisions/", customers.decisions, name="customer_decisions"),
    path("customers/<int:customer_id>/resync/", customers.resync, name="resync"),
]

"""The integration page: the state of the connection and the one thing to do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from customers import totals
from customers.listing import url_of_environment
from integrations.models import (
    Mode,
    RunKind,
    RunState,
    StripeConnection,
    SyncRun,
    WorkerHeartbeat,
)
from integrations.stripe.api.permissions import PERMISSIONS, restricted_key_url
from integrations.stripe.api.presets import preset_for
from integrations.stripe.pages.addresses import redirect_address
from integrations.stripe.pages.forms import KeyForm, ScopeForm, SecretForm, saved_scope
from integrations.stripe.pages.modes import wire_mode
from integrations.stripe.pages.presenters.connection import (
    Stage,
    access_of,
    banner_of,
    matchable_customers,
    stage_of,
)
from integrations.stripe.pages.presenters.page import counts_of, render_page
from integrations.stripe.pages.presenters.rates import needed_old_rates, old_rates
from integrations.stripe.pages.presenters.realtime import present_realtime
from integrations.stripe.pages.presenters.reasons import SKIPPED_SHORT
from integrations.stripe.pages.presenters.runs import present, present_active, recent_runs
from integrations.stripe.pages.presenters.setup import present_setup
from integrations.stripe.sync import calls, connections, scope

RECENT_RUNS = 5
PREVIEWED = {RunState.SUCCEEDED, RunState.PARTIAL}  # one record that cannot be read does not hold up the setup


def render_overview(
    request: HttpRequest, mode: str, *, key_form: KeyForm | None = None, scope_form: ScopeForm | None = None
) -> HttpResponse:
    """The page; a form that was refused comes back with what is wrong with it."""
    connection, beside = connection_with_figures(mode)
    recent = list(recent_runs(connection, RECENT_RUNS))
    stage = stage_of(connection, recent)
    context: dict[str, Any] = {
        "stage": stage,
        "banner": banner_of(connection, stage, worker_age=beside.worker_age),
        "needed": [one for one in PERMISSIONS if one.needed],
        "improving": [one for one in PERMISSIONS if not one.needed],
    }
    if stage in (Stage.NEW, Stage.LEFT, Stage.REAUTHORIZE):
        context |= _ways_to_connect(request, connection, key_form)
    if stage == Stage.NEW:
        context |= {"customers": matchable_customers(connection), "import_url": import_address(request)}
    else:
        context |= _known(request, connection, beside, stage, recent, scope_form)
    return render_page(request, "stripe/integration.html", connection, context, tabs="stripe:integration")


@dataclass(frozen=True, slots=True)
class Beside:
    """Single figures that are read along with the connection: this month's reads, the age of the last heartbeat,
    and the day of the newest exchange rates where they are too old for what the account needs.
    """

    reads: int = 0
    worker_age: timedelta | None = None
    old_rates: date | None = None


def connection_with_figures(mode: str) -> tuple[StripeConnection, Beside]:
    """The connection of a mode and the figures beside it; one query once its row is there."""
    reads = calls.monthly_reads().filter(connection=OuterRef("pk")).values("reads")[:1]
    found: Any = (
        StripeConnection.objects.filter(mode=mode)
        .annotate(reads_this_month=Subquery(reads), worker_age=Subquery(WorkerHeartbeat.objects.youngest()))
        .annotate(old_rates=needed_old_rates())
        .first()
    )
    if found is None:
        return connections.get(mode), Beside(worker_age=WorkerHeartbeat.objects.age())
    return found, Beside(reads=found.reads_this_month or 0, worker_age=found.worker_age, old_rates=found.old_rates)


def _ways_to_connect(request: HttpRequest, connection: StripeConnection, form: KeyForm | None) -> dict[str, Any]:
    """The consent screen, where this server has an app for the mode, and the restricted key."""
    mode = Mode(connection.mode)
    other = Mode.TEST if mode == Mode.LIVE else Mode.LIVE
    return {
        "has_app": preset_for(wire_mode(mode)) is not None,
        "redirect_address": redirect_address(request),
        "key_form": form or KeyForm(mode=mode.value),
        "key_url": restricted_key_url(wire_mode(mode)),
        "other": StripeConnection.objects.filter(mode=other).first() or StripeConnection(mode=other),
        "setting_suffix": mode.value.upper(),
    }


def _known(
    request: HttpRequest,
    connection: StripeConnection,
    beside: Beside,
    stage: str,
    recent: list[SyncRun],
    form: ScopeForm | None,
) -> dict[str, Any]:
    """What there is to say about an account that was connected once."""
    counts = counts_of(request, connection)
    # While a run is active no other one can start, so an active one is the newest.
    active = present_active(connection, recent[0]) if recent else None
    ended = next((run for run in recent if not run.is_active), None)
    context: dict[str, Any] = {
        "counts": counts,
        "skipped_notes": [
            (SKIPPED_SHORT.get(reason, reason), number) for reason, number in counts.skipped_by_reason.items() if number
        ],
        "active": active,
        "last_run": present(ended) if ended and not active else None,
        "recent": [present(run) for run in recent],
        "access": access_of(connection),
        "old_rates": old_rates(beside.old_rates),
    }
    if stage != Stage.SETUP and request.user.has_perm("customers.view_customer"):
        # The list it leads to is everybody's: Admins and Staff see all customers.
        context["risk"] = totals.risk_totals(connection.environment)
        context["risk_url"] = url_of_environment(connection.environment, risk="on", whose="all")
    if stage == Stage.SETUP:
        previewed = any(run.kind == RunKind.PREVIEW and run.state in PREVIEWED for run in recent)
        context["setup"] = present_setup(connection, counts, previewed=previewed)
        context["import_url"] = import_address(request)
    if connection.is_connected:
        context |= {"realtime": present_realtime(request, connection, reads=beside.reads), "secret_form": SecretForm()}
        context |= _scope(request, connection, form, saves_at_once=stage == Stage.SETUP)
    return context


def import_address(request: HttpRequest) -> str:
    """Where customers are imported from a file; empty for who may not add any."""
    return reverse("admin:customers_customer_import") if request.user.has_perm("customers.add_customer") else ""


def _scope(
    request: HttpRequest, connection: StripeConnection, form: ScopeForm | None, *, saves_at_once: bool
) -> dict[str, Any]:
    """The scope form. Before the first sync there is nothing a change could take away, so it is saved at once."""
    shown = form or saved_scope(connection, scope.choices(connection))
    chosen = [choice.label for choice in (*shown.choices.products, *shown.choices.lookup_keys) if choice.chosen]
    return {
        "scope_form": shown,
        "scope_values": shown.shown_values(),
        "scope_label": ", ".join(chosen),
        "saves_at_once": saves_at_once,
        "scope_action": reverse("stripe:scope" if saves_at_once else "stripe:scope_preview", args=[connection.mode]),
        "personal_skipped": counts_of(request, connection).skipped_by_reason.get("personal_email", 0),
    }

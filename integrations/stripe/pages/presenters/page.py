"""What every page of Admin > Integrations > Stripe has: breadcrumb, mode tabs, what this person may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from integrations.models import Mode, StripeConnection
from integrations.permissions import CONNECT, READ_LOG
from integrations.stripe.sync.counts import KEPT_AS, Counts, count
from integrations.stripe.sync.kept import kept


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the mode tabs: the same page in that mode."""

    label: str
    url: str
    current: bool


def render_page(
    request: HttpRequest,
    template: str,
    connection: StripeConnection,
    context: Mapping[str, Any],
    *,
    here: str = "",
    tabs: str = "",
) -> HttpResponse:
    """Render a page below Stripe; ``here`` is its place in the breadcrumb, ``tabs`` the view its mode tabs lead to."""
    user = request.user
    known_connections(request)[connection.mode] = connection
    shared = {
        "connection": connection,
        "trail": trail(connection, here),
        "tabs": mode_tabs(connection, tabs) if tabs else [],
        "may_connect": user.has_perm(CONNECT),
        "may_read_log": user.has_perm(READ_LOG),
    }
    return render(request, template, {**shared, **context})


def trail(connection: StripeConnection, here: str = "") -> list[tuple[str, str]]:
    """The breadcrumb: Admin > Integrations > Stripe > ``here``; the last entry has no address."""
    stripe = reverse("stripe:integration", args=[connection.mode])
    above = [(_("Admin"), reverse("admin:index")), (_("Integrations"), reverse("stripe:integration"))]
    return [*above, (_("Stripe"), stripe), (here, "")] if here else [*above, (_("Stripe"), "")]


def mode_tabs(connection: StripeConnection, view_name: str) -> list[Tab]:
    """Live and Test, each leading to the same page."""
    return [Tab(str(mode.label), reverse(view_name, args=[mode.value]), mode.value == connection.mode) for mode in Mode]


def known_connections(request: HttpRequest) -> dict[str, StripeConnection]:
    """Connections this request has read already, by mode."""
    known: dict[str, StripeConnection] = request.__dict__.setdefault("_stripe_connections", {})
    return known


def counts_of(request: HttpRequest, connection: StripeConnection) -> Counts:
    """The counts of today's mirror, looked up once a request: page and sidebar show the same ones."""
    known: dict[str, Counts] = request.__dict__.setdefault("_stripe_counts", {})
    if connection.mode not in known:
        known[connection.mode] = kept(connection, KEPT_AS, count, Counts)
    return known[connection.mode]

"""The lists behind the counts, each opened by its card."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from customers.csv_export import stream
from integrations.models import ConnectionState, StripeConnection
from integrations.permissions import DECIDE, READ_LOG
from integrations.stripe.pages.access import admin_page, may
from integrations.stripe.pages.presenters import lists
from integrations.stripe.pages.presenters.ambiguous import present_groups
from integrations.stripe.pages.presenters.decisions import history
from integrations.stripe.pages.presenters.jobs import under_way
from integrations.stripe.pages.presenters.lists_csv import COLUMNS, csv_rows
from integrations.stripe.pages.presenters.page import counts_of, render_page
from integrations.stripe.sync import connections


@admin_page(READ_LOG)
@require_GET
def matched(request: HttpRequest, mode: str) -> HttpResponse:
    """Stripe customers that found their customer."""
    connection = connections.get(mode)
    context = {"listing": lists.matched(request, connection), "counts": counts_of(request, connection)}
    return render_page(request, "stripe/matched.html", connection, context, here=_("Matched"), tabs="stripe:matched")


@admin_page(READ_LOG)
@require_GET
def unmatched(request: HttpRequest, mode: str) -> HttpResponse:
    """Stripe customers without a customer, the most MRR at stake first."""
    connection = connections.get(mode)
    context = _waiting(request, connection, lists.UNMATCHED)
    return render_page(
        request, "stripe/unmatched.html", connection, context, here=_("Unmatched"), tabs="stripe:unmatched"
    )


@admin_page(READ_LOG)
@require_GET
def skipped(request: HttpRequest, mode: str) -> HttpResponse:
    """Stripe customers the rules leave out, by reason."""
    connection = connections.get(mode)
    context = _waiting(request, connection, lists.SKIPPED)
    return render_page(request, "stripe/skipped.html", connection, context, here=_("Skipped"), tabs="stripe:skipped")


def _waiting(request: HttpRequest, connection: StripeConnection, kind: lists.Kind) -> dict[str, Any]:
    may_decide = may(request, DECIDE) and connection.state != ConnectionState.DISCONNECTED
    filters = request.GET.copy()
    for cursor in ("after", "before"):
        filters.pop(cursor, None)
    return {
        "listing": lists.waiting(request, connection, kind, may_decide=may_decide),
        "kind": kind.name,
        "csv_url": f"{reverse(f'stripe:{kind.name}_csv', args=[connection.mode])}?{filters.urlencode()}",
        "counts": counts_of(request, connection),
        "may_decide": may_decide,
        "jobs": under_way(connection) if may_decide else [],
        "may_edit_personal": request.user.has_perm("customers.view_personaldomain"),
    }


@admin_page(READ_LOG)
@require_GET
def unmatched_csv(request: HttpRequest, mode: str) -> HttpResponseBase:
    """The unmatched ones that the filter finds, as CSV."""
    return _csv(request, connections.get(mode), lists.UNMATCHED)


@admin_page(READ_LOG)
@require_GET
def skipped_csv(request: HttpRequest, mode: str) -> HttpResponseBase:
    """The skipped ones that the filter finds, as CSV."""
    return _csv(request, connections.get(mode), lists.SKIPPED)


def _csv(request: HttpRequest, connection: StripeConnection, kind: lists.Kind) -> HttpResponseBase:
    found = lists.most_at_stake(connection, request.GET, kind)
    return stream(f"{kind.name}-{connection.mode}.csv", COLUMNS, csv_rows(connection, found))


@admin_page(READ_LOG)
@require_GET
def ambiguous(request: HttpRequest, mode: str) -> HttpResponse:
    """Groups that share a domain, side by side."""
    connection = connections.get(mode)
    context = {
        "page": present_groups(request, connection),
        "counts": counts_of(request, connection),
        "may_decide": may(request, DECIDE) and connection.state != ConnectionState.DISCONNECTED,
        "latest": history(request, connection) if may(request, DECIDE) else None,
    }
    return render_page(
        request, "stripe/ambiguous.html", connection, context, here=_("Ambiguous matches"), tabs="stripe:ambiguous"
    )

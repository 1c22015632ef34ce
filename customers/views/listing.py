"""The customer list and its CSV."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from customers import csv_export, presenters, selectors
from customers.listing import Listing
from customers.models import Environment
from customers.panels import registry
from customers.signals import exported
from customers.views.access import needs, person


@require_safe
@needs("customers.view_customer")
def customer_list(request: HttpRequest) -> HttpResponseBase:
    """One environment's customers: filtered, sorted, added up, a page at a time."""
    listing = Listing(person(request), request.GET)
    totals = listing.totals()
    page = listing.page(totals.customers, after=request.GET.get("after", ""), before=request.GET.get("before", ""))
    badges = registry.list_badges(request, page.rows)
    rows = presenters.rows(page.rows, badges, selectors.sharing(page.rows, listing.environment))
    context = {
        "listing": listing,
        "rows": rows,
        "saved_views": listing.saved_views(),
        "totals": totals,
        "environments": [
            (choice, listing.url(environment=choice.value), choice == listing.environment) for choice in Environment
        ],
        "may_import": person(request).is_staff and person(request).has_perm("customers.add_customer"),
        "is_staging": listing.environment == Environment.STAGING,
        "late_url": listing.url(pay="late"),
        "risk_url": listing.url(risk="on", sort=""),
        "next_url": listing.url(after=page.after) if page.after else "",
        "previous_url": listing.url(before=page.before) if page.before else "",
        "mine_url": listing.url(whose="mine"),
        "all_url": listing.url(whose="all"),
    }
    return render(request, "customers/list.html", context)


@require_safe
@needs("customers.view_customer")
def customer_csv(request: HttpRequest) -> HttpResponseBase:
    """Exactly what is filtered, in the order of the list, as CSV."""
    listing = Listing(person(request), request.GET)
    exported.send(sender=None, actor=person(request), subject="customers", details=listing.described())
    day = timezone.localdate().isoformat()
    return csv_export.stream(
        f"customers-{listing.environment}-{day}.csv",
        csv_export.CUSTOMER_COLUMNS,
        csv_export.customer_rows(listing.ordered()),
    )

"""The customer page and its history."""

from __future__ import annotations

from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from customers import csv_export, keyset, presenters
from customers.forms import ActivityFilterForm
from customers.listing import url_of_environment
from customers.models import Activity, Customer, Status
from customers.mrr_history import history_of
from customers.panels import registry
from customers.signals import exported
from customers.views.access import needs, open_customer, person

RECENT = 8
PAGE_SIZE = 100


@require_safe
@needs("customers.view_customer")
def detail(request: HttpRequest, customer_id: int | str, slug: str = "") -> HttpResponseBase:
    """A customer: the five facts, what an integration adds, recent history."""
    customer = open_customer(request, customer_id, *registry.related())
    prefetch_related_objects([customer], "domains")
    recent = list(customer.activities.select_related("actor")[: RECENT + 1])
    context = {
        "customer": customer,
        "trail": trail(customer),
        "facts": presenters.header_facts(customer, registry.header(request, customer)),
        "cards": registry.cards(request, customer),
        "footers": registry.footers(request, customer),
        "menu": registry.menu(request, customer),
        "days": presenters.days(recent[:RECENT]),
        "has_more_activity": len(recent) > RECENT,
        "history": history_of(customer, hide_rates=request.GET.get("rates") == "hidden"),
        "statuses": status_choices(customer),
        "domains": list(customer.domains.all()),
        "may_edit": request.user.has_perm("customers.change_customer"),
        "may_add_domains": request.user.has_perm("customers.add_customerdomain"),
    }
    return render(request, "customers/detail.html", context)


def trail(customer: Customer, *further: tuple[str, str]) -> list[tuple[str, str]]:
    """The breadcrumb of a page under a customer; the last entry has no address."""
    here = (customer.name, customer.get_absolute_url() if further else "")
    return [(_("Customers"), url_of_environment(customer.environment)), here, *further]


def status_choices(customer: Customer) -> list[tuple[str, str]]:
    """What the status menu offers: every status but the present one, archiving last."""
    labels = {
        Status.ACTIVE: _("Mark as active"),
        Status.AT_RISK: _("Mark as at risk"),
        Status.CHURNED: _("Mark as churned"),
        Status.ARCHIVED: _("Archive"),
    }
    return [(status.value, label) for status, label in labels.items() if status != customer.status]


@require_safe
@needs("customers.view_activity")
def activity(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """The whole history, filtered by actor, event and time."""
    customer = open_customer(request, customer_id)
    form = ActivityFilterForm(request.GET)
    page = keyset.page(
        form.narrow(history(customer)),
        [keyset.Key("at", descending=True), keyset.Key("id", descending=True)],
        size=PAGE_SIZE,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    context = {
        "customer": customer,
        "trail": trail(customer, (_("Activity"), "")),
        "form": form,
        "days": presenters.days(page.rows),
        "filters": form.query(),
        "after": page.after,
        "before": page.before,
    }
    return render(request, "customers/activity.html", context)


@require_safe
@needs("customers.view_activity")
def activity_csv(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """The history as filtered, as CSV."""
    customer = open_customer(request, customer_id)
    exported.send(sender=None, actor=person(request), subject=f"history of customer {customer.pk}", details={})
    found = ActivityFilterForm(request.GET).narrow(history(customer))
    return csv_export.stream(
        f"activity-{customer.pk}.csv",
        csv_export.ACTIVITY_COLUMNS,
        (csv_export.activity_cells(entry) for entry in found.iterator(chunk_size=2000)),
    )


def history(customer: Customer) -> QuerySet[Activity]:
    """Everything that happened to a customer, newest first."""
    return Activity.objects.filter(customer=customer).select_related("actor").order_by("-at", "-id")

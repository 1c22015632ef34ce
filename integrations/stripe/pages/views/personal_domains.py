"""The list of personal domains: add one, allow one, and see first what that would move."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from customers import personal_domains
from customers.domains import is_personal
from customers.models import PersonalDomain
from integrations.models import StripeConnection
from integrations.stripe.pages.access import admin_page, person
from integrations.stripe.pages.forms import PersonalDomainForm
from integrations.stripe.pages.presenters.page import render_page, trail
from integrations.stripe.sync import connections
from integrations.stripe.sync.personal_domains import preview

VIEW, ADD, DELETE = (f"customers.{verb}_personaldomain" for verb in ("view", "add", "delete"))


@admin_page(VIEW)
@require_GET
def personal(request: HttpRequest, mode: str) -> HttpResponse:
    """The workspace's changes to the packaged list, and a form for another one."""
    return _page(request, connections.get(mode), PersonalDomainForm())


@admin_page(ADD)
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, mode: str) -> HttpResponse:
    """What a change would move, from the address; a POST makes it."""
    connection = connections.get(mode)
    form = PersonalDomainForm(request.GET)
    if not form.is_valid():
        return _page(request, connection, form)
    entry, wanted = form.entry(), form.cleaned_data["personal"] == "on"
    entry.personal = wanted
    if request.method == "POST":
        personal_domains.save(entry, actor=person(request))
        said = _("%(domain)s is a personal domain now.") if wanted else _("%(domain)s is a company domain now.")
        messages.success(request, said % {"domain": entry.domain})
        return redirect("stripe:personal_domains", mode)
    overrides = PersonalDomain.objects.overrides()
    context = {
        "entry": entry,
        "moves": preview(entry.domain, lambda: personal_domains.save(_copy(entry), actor=None)),
        "stays": is_personal(entry.domain, **overrides) == wanted,
        "title": (_("%(domain)s becomes personal") if wanted else _("%(domain)s becomes a company domain"))
        % {"domain": entry.domain},
    }
    return _confirm(request, connection, context)


@admin_page(DELETE)
@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, mode: str, entry_id: int) -> HttpResponse:
    """What going back to the packaged list would move; a POST does it."""
    connection = connections.get(mode)
    entry = get_object_or_404(PersonalDomain, pk=entry_id)
    if request.method == "POST":
        personal_domains.delete([entry], actor=person(request))
        messages.success(request, _("%(domain)s is as the packaged list says again.") % {"domain": entry.domain})
        return redirect("stripe:personal_domains", mode)
    context = {
        "entry": entry,
        "moves": preview(entry.domain, lambda: personal_domains.delete([_copy(entry)], actor=None)),
        "stays": is_personal(entry.domain) == entry.personal,
        "title": _("%(domain)s as the packaged list says") % {"domain": entry.domain},
    }
    return _confirm(request, connection, context)


def _copy(entry: PersonalDomain) -> PersonalDomain:
    """What a preview may save: the entry itself must not remember a row that was rolled back."""
    return PersonalDomain(pk=entry.pk, domain=entry.domain, personal=entry.personal)


def _page(request: HttpRequest, connection: StripeConnection, form: PersonalDomainForm) -> HttpResponse:
    context = {
        "form": form,
        "entries": PersonalDomain.objects.all(),
        "may_add": request.user.has_perm(ADD),
        "may_remove": request.user.has_perm(DELETE),
    }
    return render_page(
        request, "stripe/personal_domains.html", connection, context, here=_("Personal domains"), tabs=""
    )


def _confirm(request: HttpRequest, connection: StripeConnection, context: dict[str, Any]) -> HttpResponse:
    above = reverse("stripe:personal_domains", args=[connection.mode])
    way = [*trail(connection, _("Confirm"))[:-1], (_("Personal domains"), above), (_("Confirm"), "")]
    return render_page(request, "stripe/personal_domain.html", connection, {**context, "back": above, "trail": way})

"""Saved views: keep what the list shows under a name, and forget it again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from customers.listing import Listing
from customers.models import SavedView
from customers.views.access import needs, person

MOST = 20


@require_POST
@needs("customers.view_customer")
def save(request: HttpRequest) -> HttpResponseBase:
    """Keep the filters, order and environment of the list under a name; the same name is written over."""
    user = person(request)
    listing = Listing(user, QueryDict(request.POST.get("query", "")[:2000]))
    name = " ".join(request.POST.get("name", "").split())[:40]
    known = SavedView.objects.filter(user=user)
    if not name:
        messages.error(request, _("A view needs a name."))
    elif known.exclude(name=name).count() >= MOST:
        messages.error(request, _("You have %(number)d views. Remove one first.") % {"number": MOST})
    else:
        SavedView.objects.update_or_create(user=user, name=name, defaults={"query": listing.saved_query()})
        messages.success(request, _("Saved as “%(name)s”.") % {"name": name})
    return redirect(listing.url())


@require_POST
@needs("customers.view_customer")
def remove(request: HttpRequest, view_id: int) -> HttpResponseBase:
    """Forget one of one's own views."""
    view = get_object_or_404(SavedView, pk=view_id, user=person(request))
    view.delete()
    messages.success(request, _("“%(name)s” was removed.") % {"name": view.name})
    return redirect(reverse("customers:list"))

"""The Admin sidebar: the integrations' own sections, then records and people of Django admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy

from customers.navigation import Entry, Section, sections

__all__ = ["Entry", "Section", "admin_sections"]

_RECORDS = (
    gettext_lazy("Records"),
    (
        ("customers", "customer"),
        ("customers", "personaldomain"),
        ("integrations", "stripecustomer"),
        ("integrations", "matchdecision"),
        ("integrations", "exchangerate"),
        ("integrations", "auditentry"),
    ),
)
_WORK = (
    gettext_lazy("Background work"),
    (
        ("integrations", "workerheartbeat"),
        ("django_q", "ormq"),
        ("django_q", "failure"),
        ("django_q", "schedule"),
    ),
)
_PEOPLE = (gettext_lazy("People"), (("auth", "user"), ("auth", "group"), ("axes", "accessattempt")))


def admin_sections(request: HttpRequest) -> list[Section]:
    """What this person may open; a section without an entry is left out."""
    own = [Section(str(title), _entries(request, models)) for title, models in (_RECORDS, _WORK, _PEOPLE)]
    return [*sections(request), *(section for section in own if section.entries)]


def _entries(request: HttpRequest, names: tuple[tuple[str, str], ...]) -> list[Entry]:
    """Registered models of these names that the person may view."""
    registered = {(model._meta.app_label, model._meta.model_name): options for model, options in _registry()}
    entries = []
    for app_label, model_name in names:
        options = registered.get((app_label, model_name))
        if options is not None and options.has_view_permission(request):
            label = str(options.model._meta.verbose_name_plural)
            url = reverse(f"admin:{app_label}_{model_name}_changelist")
            entries.append(Entry(label[:1].upper() + label[1:], url))
    return entries


def _registry() -> list[tuple[type[Model], Any]]:
    return list(admin.site._registry.items())

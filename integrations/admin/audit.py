"""Django admin of the audit log: who did what, filtered, and as CSV."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers import csv_export
from integrations import audit
from integrations.admin.read_only import ReadOnlyAdmin
from integrations.models import AuditAction, AuditEntry

AUDIT_COLUMNS = ("at", "who", "what", "mode", "of_what", "details", "request_id", "address")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what: filtered by deed, person and time, and as CSV. Nobody changes it, the database itself refuses."""

    list_display = ("at", "who", "action", "mode", "subject", "said", "address")
    list_display_links = None
    list_filter = ("action", "mode", "actor_name", "at")
    search_fields = ("subject__istartswith", "actor_name__istartswith", "request_id__startswith")
    search_help_text = _("The start of a name, of what it was done to, or of a request id")
    change_list_template = "admin/integrations/auditentry/change_list.html"

    @admin.display(description=_("who"), ordering="actor_name")
    def who(self, entry: AuditEntry) -> str:
        """The person, as they were called then."""
        if entry.action in (AuditAction.LOGIN_FAILED, AuditAction.LOCKED_OUT):
            return str(_("somebody not signed in"))
        return entry.actor_name or str(_("a command or Pivotal itself"))

    @admin.display(description=_("details"))
    def said(self, entry: AuditEntry) -> str:
        """The details as people read them: what was before stands before what is after."""
        return "; ".join(
            f"{name.replace('_', ' ')}: {readable(value) or '—'}"
            for name, value in sorted(entry.details.items(), reverse=True)
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list under its own name."""
        return super().changelist_view(request, {"title": _("Audit log"), **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        """The list's own, and its CSV."""
        csv = path("csv/", self.admin_site.admin_view(self.csv_view), name="integrations_auditentry_csv")
        return [csv, *super().get_urls()]

    def csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """What is filtered, as CSV; taking it out is recorded too."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:  # a filter that does not exist: back to the list, which says so
            return redirect("admin:integrations_auditentry_changelist")
        audit.record(
            AuditAction.EXPORT, actor=request.user, subject="audit log", details={"filters": request.GET.urlencode()}
        )
        rows = (audit_cells(entry) for entry in found.iterator(chunk_size=2000))
        return csv_export.stream(f"audit-{timezone.localdate().isoformat()}.csv", AUDIT_COLUMNS, rows)


def readable(value: Any) -> str:
    """A value of an entry's details: lists and before-and-after in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {readable(inner) or '—'}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(readable(inner) for inner in value)
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def audit_cells(entry: AuditEntry) -> tuple[Any, ...]:
    """An entry as the columns of its CSV."""
    details = json.dumps(entry.details, sort_keys=True, ensure_ascii=False) if entry.details else ""
    return (
        entry.at, entry.actor_name, entry.action, entry.mode, entry.subject, details, entry.request_id, entry.address,
    )  # fmt: skip

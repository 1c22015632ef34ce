"""Django admin of the workers: which machines do the background work."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integrations.admin.read_only import ReadOnlyAdmin
from integrations.models import WorkerHeartbeat
from integrations.models.heartbeat import SILENT_AFTER


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(ReadOnlyAdmin):
    """The workers: which machines do the background work, and when each last finished a piece of it."""

    list_display = ("name", "at", "seems")
    list_display_links = None
    ordering = ("name",)

    @admin.display(description=_("seems"))
    def seems(self, worker: WorkerHeartbeat) -> str:
        """In a word."""
        silent = timezone.now() - worker.at
        return str(_("at work")) if silent < SILENT_AFTER else str(_("silent"))

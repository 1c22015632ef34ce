"""The project's own app and its admin."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PivotalConfig(AppConfig):
    """Registers the system checks and the names of columns; has no models."""

    name = "pivotal"
    label = "pivotal"

    def ready(self) -> None:
        """Django calls this once the apps are loaded."""
        from pivotal import (
            checks,  # noqa: F401 (importing registers them)
            column_names,
        )

        column_names.translate()


class PivotalAdminConfig(AdminConfig):
    """Django admin with our site in place of the stock one; `@admin.register` finds it."""

    default_site = "pivotal.admin_site.PivotalAdminSite"

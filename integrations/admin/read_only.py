"""What most of the admin is: something to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest


class ReadOnly:
    """Nobody adds, changes or deletes here; what may be seen goes by the model's view permission."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows come from Stripe or from the pages of the integration."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """What Stripe said stays as it was said."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The mirror is deleted as a whole, on the disconnect page."""
        return False


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin[Any]):
    """A changelist and a page per row, without a full count of a huge table."""

    show_full_result_count = False
    list_per_page = 50

"""Django admin of people and groups: the stock pages with boxes to tick, every change of them in the audit log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import ManyToManyField
from django.http import HttpRequest

from integrations import audit
from integrations.models import AuditAction

VERBS = {ADDITION: "added", CHANGE: "changed", DELETION: "deleted"}


class Ticked:
    """Groups and permissions are boxes to tick: the stock two lists have labels that a screen reader skips."""

    filter_horizontal: Any = ()
    formfield_overrides: Any = {ManyToManyField: {"widget": forms.CheckboxSelectMultiple}}


class Recorded:
    """Records in the audit log what the stock admin logs of itself, in the same transaction."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Somebody was added."""
        _record(request, obj, ADDITION, message)
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Somebody was changed, a new password included; saved without a change is none."""
        if message:
            _record(request, obj, CHANGE, message)
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        """These are about to be deleted."""
        people = list(queryset)
        for each in people:
            _record(request, each, DELETION, [])
        return super().log_deletions(request, people)  # type: ignore[misc]


admin.site.unregister([User, Group])  # the stock pages, which importing them above has registered


@admin.register(User)
class RecordedUserAdmin(Ticked, Recorded, UserAdmin):
    """People; when they came is nobody's to set."""

    readonly_fields = ("last_login", "date_joined")


@admin.register(Group)
class RecordedGroupAdmin(Ticked, Recorded, GroupAdmin):
    """Groups, which carry the permissions."""


def _record(request: HttpRequest, obj: User | Group, flag: int, message: Any) -> None:
    details = {"what": VERBS[flag], **_fields(message)}
    if isinstance(obj, User):
        details |= {"groups": sorted(obj.groups.values_list("name", flat=True)), "rights": _rights(obj)}
    audit.record(AuditAction.PEOPLE, actor=request.user, subject=str(obj), details=details)


def _fields(message: Any) -> dict[str, Any]:
    """The names of the fields a form changed, or what the stock admin says instead: never a value."""
    if isinstance(message, str):
        return {"fields": message}
    named = [field for part in message for change in part.values() for field in change.get("fields", [])]
    return {"fields": named} if named else {}


def _rights(user: User) -> list[str]:
    held = {"active": user.is_active, "admin pages": user.is_staff, "owner": user.is_superuser}
    return [name for name, has in held.items() if has]

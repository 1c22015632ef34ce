"""Who may do what on the CRM side (docs/architecture.md section 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, Permission, User

from customers.models import Customer
from customers.models.customer import CustomerQuerySet

ADMIN, MEMBER, STAFF = "Admin", "Member", "Staff"
GROUPS = (ADMIN, MEMBER, STAFF)

# Django permission code names per group; integrations add theirs in integrations.permissions.
CUSTOMER_PERMISSIONS: dict[str, tuple[str, ...]] = {
    ADMIN: (
        "add_customer",
        "change_customer",
        "view_customer",
        "delete_customer",
        "view_activity",
        "view_mrrpoint",
        "add_customerdomain",
        "change_customerdomain",
        "view_customerdomain",
        "delete_customerdomain",
        "add_personaldomain",
        "change_personaldomain",
        "view_personaldomain",
        "delete_personaldomain",
    ),
    MEMBER: ("change_customer", "view_customer", "view_activity", "view_mrrpoint"),
    STAFF: (
        "add_customer",
        "change_customer",
        "view_customer",
        "view_activity",
        "view_mrrpoint",
        "add_customerdomain",
        "change_customerdomain",
        "view_customerdomain",
        "delete_customerdomain",
        "view_personaldomain",
    ),
}


@dataclass(frozen=True, slots=True)
class Needed:
    """What a view asks of a person; ``docs/permissions.md`` is written from it."""

    permission: str
    staff: bool = False


def declare(view: Callable[..., Any], needed: Needed) -> None:
    """Write on a guarded view what it asks; decorators around it carry it on."""
    vars(view)["needed"] = needed


def needed_by(view: Callable[..., Any]) -> Needed | None:
    """What a view asks; None for one without a guard of ours."""
    found = vars(view).get("needed")
    return found if isinstance(found, Needed) else None


type_of_user = AbstractBaseUser | AnonymousUser | User


def grant(app_label: str, table: dict[str, tuple[str, ...]]) -> None:
    """Add the permissions of ``table`` to the product's groups; safe to repeat."""
    for name, codenames in table.items():
        group, _created = Group.objects.get_or_create(name=name)
        group.permissions.add(*Permission.objects.filter(content_type__app_label=app_label, codename__in=codenames))


def grant_group_permissions(sender: Any, app_config: Any = None, **kwargs: Any) -> None:
    """post_migrate: permissions do not exist yet inside a migration on a fresh database, so they are granted after."""
    if sender.label == "customers":
        grant("customers", CUSTOMER_PERMISSIONS)


def sees_only_own(user: type_of_user) -> bool:
    """Whether ``user`` may open only customers they own: Members, when DEFAULT_ACCESS is ``assigned``."""
    return settings.DEFAULT_ACCESS == "assigned" and not getattr(user, "is_staff", False)


def visible_customers(user: type_of_user) -> CustomerQuerySet:
    """The customers ``user`` may open; nobody who is not signed in and permitted sees any."""
    if not user.is_authenticated or not isinstance(user, User) or not user.has_perm("customers.view_customer"):
        return Customer.objects.none()
    if sees_only_own(user):
        return Customer.objects.filter(owner=user)
    return Customer.objects.all()

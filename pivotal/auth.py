"""Who is signed in and what they may do, in one look-up.

Django's own backend asks three times for each request: for the person, for their permissions, for their groups'.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission, User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, Value
from django.db.models.functions import Concat


class PermissionsWithUser(ModelBackend):
    """Reads the person of a session together with everything they were granted.

    Permissions are as old as the person that was read, which lives as long as one request.
    """

    def get_user(self, user_id: Any) -> User | None:
        """The person, if they are still active; asking what they may do asks nothing more."""
        user: Any = _with_granted().filter(pk=user_id).first()
        if user is None or not self.user_can_authenticate(user):
            return None
        if not user.is_superuser:  # a superuser may do everything, granted or not
            user._user_perm_cache = set(user.granted)
            user._group_perm_cache = set(user.granted_by_groups)
        found: User = user
        return found


@cache  # put together once, not for each request
def _with_granted() -> QuerySet[Any]:
    mine = _named(Permission.objects.filter(user=OuterRef("pk")))
    of_groups = _named(Permission.objects.filter(group__user=OuterRef("pk")))
    return User.objects.annotate(granted=ArraySubquery(mine), granted_by_groups=ArraySubquery(of_groups))


def _named(permissions: QuerySet[Permission]) -> QuerySet[Any, Any]:
    """Permissions as Django writes them: ``app.codename``."""
    name = Concat("content_type__app_label", Value("."), "codename")
    return permissions.order_by().annotate(granted_name=name).values("granted_name")

"""The three kinds of people the pages are made for (docs/architecture.md section 8)."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group, User

from customers.permissions import ADMIN, MEMBER, STAFF

PASSWORD = "pivotal-demo"  # noqa: S105 (printed on the screen; the demo listens on this machine only)


@dataclass(frozen=True, slots=True)
class Person:
    """A login of the demo."""

    username: str
    first_name: str
    last_name: str
    group: str
    is_staff: bool
    is_owner: bool
    does: str


ADMIN_PERSON = Person("admin", "Ada", "Admin", ADMIN, True, True, "connects Stripe, sets the scope, runs syncs")
PEOPLE = (
    ADMIN_PERSON,
    Person("staff", "Stef", "Staff", STAFF, True, False, "decides ambiguous matches in Admin"),
    Person("csm", "Cem", "Success", MEMBER, False, False, "reads the customer header"),
)


def ensure() -> None:
    """Create those who are missing; somebody who exists keeps their password."""
    for person in PEOPLE:
        user, created = User.objects.get_or_create(
            username=person.username,
            defaults={
                "first_name": person.first_name,
                "last_name": person.last_name,
                "email": f"{person.username}@pivotal.example",
                "is_staff": person.is_staff,
                "is_superuser": person.is_owner,
            },
        )
        if created:
            user.set_password(PASSWORD)
            user.save(update_fields=["password"])
            user.groups.add(Group.objects.get(name=person.group))

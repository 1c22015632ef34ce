"""The logins that the demo prints work, and stay as their owners left them."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User

from pivotal.demo import people

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("person", people.PEOPLE, ids=lambda person: person.username)
def test_everybody_can_log_in(person: people.Person) -> None:
    people.ensure()
    user = authenticate(username=person.username, password=people.PASSWORD)
    assert isinstance(user, User)
    assert (user.is_staff, user.is_superuser) == (person.is_staff, person.is_owner)
    assert list(user.groups.values_list("name", flat=True)) == [person.group]


def test_a_second_start_keeps_a_changed_password() -> None:
    people.ensure()
    user = User.objects.get(username="csm")
    user.set_password("my own")
    user.save()
    people.ensure()
    assert authenticate(username="csm", password="my own")

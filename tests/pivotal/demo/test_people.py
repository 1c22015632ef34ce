"""The logins that the demo prints work, and stay as their owners left them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from pivotal.demo import people

pytestmark = pytest.mark.django_db


def logs_in(username: str, password: str) -> bool:
    """Whether the login form lets them in."""
    client = Client()
    client.post(reverse("login"), {"username": username, "password": password})
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("person", people.PEOPLE, ids=lambda person: person.username)
def test_everybody_can_log_in(person: people.Person) -> None:
    people.ensure()
    assert logs_in(person.username, people.PASSWORD)
    user = User.objects.get(username=person.username)
    assert (user.is_staff, user.is_superuser) == (person.is_staff, person.is_owner)
    assert list(user.groups.values_list("name", flat=True)) == [person.group]


def test_a_second_start_keeps_a_changed_password() -> None:
    people.ensure()
    user = User.objects.get(username="csm")
    user.set_password("my own")
    user.save()
    people.ensure()
    assert logs_in("csm", "my own")

"""Login, the way into Admin, and the pages that belong to no app."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from customers.permissions import ADMIN, MEMBER, STAFF
from pivotal import views
from pivotal.context import product
from pivotal.version import version

pytestmark = pytest.mark.django_db


def somebody(group: str, *, is_staff: bool = False) -> User:
    user = User.objects.create_user(group.lower(), password="correct horse", is_staff=is_staff)
    user.groups.add(Group.objects.get(name=group))
    return user


def menus(user: User) -> object:
    request = RequestFactory().get("/")
    request.user = user
    return product(request)["menus"]


def test_the_root_leads_to_the_customers(client: Client) -> None:
    assert client.get("/")["Location"] == "/customers/"


def test_admin_sends_strangers_to_the_products_login(client: Client) -> None:
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0] == "/login/?next=/admin/"


def test_admin_login_does_not_lead_to_another_site(client: Client) -> None:
    client.force_login(somebody(STAFF, is_staff=True))
    assert client.get("/admin/login/?next=https://evil.example/")["Location"] == "/admin/"


def test_a_csm_in_admin_is_told_no_instead_of_going_round_in_circles(client: Client) -> None:
    client.force_login(somebody(MEMBER))
    assert client.get("/admin/", follow=True).status_code == HTTPStatus.FORBIDDEN


def test_logging_in_leads_where_the_person_was_going(client: Client) -> None:
    somebody(STAFF, is_staff=True)
    response = client.post("/login/?next=/admin/", {"username": "staff", "password": "correct horse"})
    assert response["Location"] == "/admin/"


def test_logging_out_of_admin_leads_to_the_products_login(client: Client) -> None:
    client.force_login(somebody(STAFF, is_staff=True))
    assert client.post("/admin/logout/")["Location"] == "/login/"


def test_logging_out_by_a_link_is_refused(client: Client) -> None:
    client.force_login(somebody(MEMBER))
    assert client.get("/logout/").status_code == HTTPStatus.METHOD_NOT_ALLOWED


@pytest.mark.parametrize(
    ("group", "is_staff", "expected"),
    [
        (ADMIN, True, {"customers": True, "admin": True, "integrations": True}),
        (STAFF, True, {"customers": True, "admin": True, "integrations": True}),
        (MEMBER, False, {"customers": True, "admin": False, "integrations": False}),
        # Groups alone do not open Admin.
        (ADMIN, False, {"customers": True, "admin": False, "integrations": False}),
    ],
)
def test_menus_show_what_the_person_may_open(group: str, is_staff: bool, expected: dict[str, bool]) -> None:
    assert menus(somebody(group, is_staff=is_staff)) == expected


def test_the_context_needs_no_user() -> None:
    assert product(RequestFactory().get("/"))["menus"] == {"customers": False, "admin": False, "integrations": False}


def test_the_version_is_the_projects() -> None:
    assert version().count(".") == 2


def test_an_unknown_address_is_answered_in_the_products_look(client: Client) -> None:
    response = client.get("/nowhere/")
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert b"<html" in response.content


def test_a_server_error_is_answered_without_the_database(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    request = RequestFactory().get("/customers/")
    with django_assert_num_queries(0):
        assert views.server_error(request).status_code == HTTPStatus.INTERNAL_SERVER_ERROR

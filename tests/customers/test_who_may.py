"""Who may open and do what on the customer pages, as a table (docs/architecture.md section 8)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from customers.models import Customer
from tests.factories import (
    AdminFactory,
    CustomerDomainFactory,
    CustomerFactory,
    OwnerFactory,
    StaffFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

PEOPLE: dict[str, Any] = {
    "nobody": None,
    "no group": lambda: UserFactory(group=""),
    "member": UserFactory,
    "staff": StaffFactory,
    "admin": AdminFactory,
    "owner": OwnerFactory,
}
EVERYBODY_IN = {"member", "staff", "admin", "owner"}
STAFF_UP = {"staff", "admin", "owner"}

TABLE = [
    ("GET", "/customers/", EVERYBODY_IN),
    ("GET", "/customers/export.csv", EVERYBODY_IN),
    ("GET", "/customers/{id}", EVERYBODY_IN),
    ("GET", "/customers/{id}-slug", EVERYBODY_IN),
    ("GET", "/customers/{id}/activity", EVERYBODY_IN),
    ("GET", "/customers/{id}/activity.csv", EVERYBODY_IN),
    ("GET", "/customers/{id}/edit", EVERYBODY_IN),
    ("POST", "/customers/{id}/edit", EVERYBODY_IN),
    ("POST", "/customers/{id}/status", EVERYBODY_IN),
    ("POST", "/customers/views/", EVERYBODY_IN),
    ("GET", "/customers/daily-mail", EVERYBODY_IN),
    ("POST", "/customers/daily-mail", EVERYBODY_IN),
    ("GET", "/customers/new", STAFF_UP),
    ("POST", "/customers/new", STAFF_UP),
    ("POST", "/customers/{id}/domains", STAFF_UP),
    ("POST", "/customers/{id}/domains/{domain}/remove", STAFF_UP),
    ("GET", "/admin/customers/customer/", STAFF_UP),
    ("GET", "/admin/customers/activity/", STAFF_UP),
    ("GET", "/admin/customers/personaldomain/", STAFF_UP),
    ("GET", "/admin/customers/personaldomain/add/", {"admin", "owner"}),
]


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize(("method", "path", "allowed"), TABLE)
def test_each_page_is_open_to_those_who_may(who: str, method: str, path: str, allowed: set[str]) -> None:
    extra = CustomerDomainFactory()
    client = Client()
    make = PEOPLE[who]
    if make:
        client.force_login(make())
    response = client.generic(method, path.format(id=extra.customer_id, domain=extra.pk))
    if who in allowed:
        assert response.status_code in (200, 302)
        assert not response.get("Location", "").startswith("/login")
    elif who == "nobody":
        assert response.status_code == 302
        assert response["Location"].startswith(("/login/", "/admin/login/"))
    else:
        assert response.status_code in (302, 403)
        assert response.status_code == 403 or response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("path", ["", "/edit", "/activity", "/activity.csv"])
def test_with_assigned_access_other_peoples_customers_do_not_exist_for_a_member(path: str, settings: Any) -> None:
    settings.DEFAULT_ACCESS = "assigned"
    member = UserFactory()
    mine, theirs = CustomerFactory(owner=member), CustomerFactory(owner=UserFactory())
    client = Client()
    client.force_login(member)
    assert client.get(f"/customers/{mine.pk}{path}").status_code == 200
    assert client.get(f"/customers/{theirs.pk}{path}").status_code == 404


def test_with_assigned_access_a_member_cannot_change_other_peoples_customers(settings: Any) -> None:
    settings.DEFAULT_ACCESS = "assigned"
    theirs = CustomerFactory(owner=UserFactory())
    client = Client()
    client.force_login(UserFactory())
    assert client.post(f"/customers/{theirs.pk}/status", {"status": "churned"}).status_code == 404
    assert Customer.objects.get().status == "active"


@pytest.mark.parametrize("path", ["/customers/", "/customers/export.csv", "/customers/{id}"])
def test_reading_pages_refuse_to_be_posted_to(path: str) -> None:
    client = Client()
    client.force_login(AdminFactory())
    assert client.post(path.format(id=CustomerFactory().pk)).status_code == 405


@pytest.mark.parametrize("path", ["/customers/{id}/status", "/customers/{id}/domains"])
def test_writing_pages_refuse_to_be_read(path: str) -> None:
    client = Client()
    client.force_login(AdminFactory())
    assert client.get(path.format(id=CustomerFactory().pk)).status_code == 405


def test_menus_show_only_what_a_person_may_open() -> None:
    client = Client()
    client.force_login(UserFactory())
    html = client.get("/customers/").content.decode()
    assert ">Customers</a>" in html
    assert "/admin/" not in html

"""Saved views: a person's own names for what the list was narrowed to."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from customers.models import SavedView
from customers.views import saved_views
from tests.factories import AdminFactory, CustomerFactory

pytestmark = pytest.mark.django_db
SAVE = "/customers/views/"


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(AdminFactory())
    return client


def test_a_view_brings_its_filters_order_and_environment_back(client: Client) -> None:
    CustomerFactory(name="Late", billed=True, payment_status="failing")
    CustomerFactory(name="Paid", billed=True)
    client.post(SAVE, {"name": " Late  payers ", "query": "pay=late&sort=name&environment=production&after=xyz"})
    [(view, url, is_current)] = client.get("/customers/").context["saved_views"]
    assert (view.name, is_current) == ("Late payers", False)
    page = client.get(url)
    assert [row.customer.name for row in page.context["rows"]] == ["Late"]
    assert page.context["listing"].sort == "name"
    assert page.context["saved_views"][0][2]
    assert "after" not in url


def test_what_the_list_does_not_understand_is_not_saved(client: Client) -> None:
    client.post(SAVE, {"name": "Odd", "query": "pay=nonsense&colour=blue&plan=-"})
    assert SavedView.objects.get().query == "plan=-"


def test_the_same_name_is_written_over(client: Client) -> None:
    for query in ("pay=late", "pay=paid"):
        client.post(SAVE, {"name": "Mine", "query": query})
    assert SavedView.objects.get().query == "pay=paid"


def test_a_view_needs_a_name(client: Client) -> None:
    page = client.post(SAVE, {"name": "  ", "query": "pay=late"}, follow=True)
    assert "A view needs a name." in page.text
    assert page.redirect_chain == [("/customers/?pay=late", 302)]
    assert not SavedView.objects.exists()


def test_there_is_an_end_to_them(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MOST", 1)
    client.post(SAVE, {"name": "One", "query": "pay=late"})
    page = client.post(SAVE, {"name": "Two", "query": "pay=paid"}, follow=True)
    assert "Remove one first." in page.text
    client.post(SAVE, {"name": "One", "query": "pay=paid"})
    assert [(view.name, view.query) for view in SavedView.objects.all()] == [("One", "pay=paid")]


def test_views_are_ones_own(client: Client) -> None:
    theirs = SavedView.objects.create(user=AdminFactory(), name="Theirs", query="pay=late")
    assert client.get("/customers/").context["saved_views"] == []
    assert client.post(f"/customers/views/{theirs.pk}/remove").status_code == 404
    assert SavedView.objects.filter(pk=theirs.pk).exists()


def test_a_view_is_removed(client: Client) -> None:
    client.post(SAVE, {"name": "Gone", "query": "pay=late"})
    client.post(f"/customers/views/{SavedView.objects.get().pk}/remove")
    assert not SavedView.objects.exists()


def test_more_views_cost_no_more_queries(client: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    user = client.get("/customers/").wsgi_request.user
    SavedView.objects.bulk_create(SavedView(user=user, name=f"View {number}") for number in range(15))
    with django_assert_max_num_queries(14):
        client.get("/customers/")

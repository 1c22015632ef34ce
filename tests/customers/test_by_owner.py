"""The list by owner, read owner by owner, is the list sorted by the names of owners, on every page and both ways."""

from __future__ import annotations

import random

import pytest
from django.contrib.auth.models import User

from customers import by_owner, keyset, selectors
from customers.keyset import Page
from customers.models import Customer, Environment, Status
from customers.models.customer import CustomerQuerySet
from tests.factories import CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db

SIZE = 4


def place(page: Page[Customer]) -> tuple[list[tuple[int, User | None]], str, str]:
    """Its rows and what its cursors say, without when they were signed."""
    return [(row.pk, row.owner) for row in page.rows], page.after.partition(":")[0], page.before.partition(":")[0]


def both(found: CustomerQuerySet, sort: str, after: str = "", before: str = "") -> Page[Customer]:
    """A page read the simple way, which the other way must equal."""
    keys = selectors.sort_keys(sort, worst_first=False)
    simple = keyset.page(selectors.annotated(found, sort), keys, size=SIZE, after=after, before=before)
    assert place(by_owner.page(found, keys, size=SIZE, after=after, before=before)) == place(simple)
    return simple


@pytest.fixture
def owners() -> list[User]:
    names = [("Ann", "Lee"), ("ann", "LEE"), ("Zoë", ""), ("", ""), ("Émile", "Zola"), ("Bo", "Ek")]
    people = [
        UserFactory(first_name=first, last_name=last, username=f"user{number}")
        for number, (first, last) in enumerate(names)
    ]
    same = {"first_name": "Twin", "last_name": "One"}
    # Two people sorted by the same text: name and user name run together.
    return [*people, UserFactory(**same, username="TWIN"), UserFactory(**{**same, "last_name": "OneT"}, username="win")]


@pytest.mark.parametrize("sort", ["owner", "-owner"])
@pytest.mark.parametrize("seed", range(3))
def test_every_page_is_the_one_of_the_sorted_list(owners: list[User], sort: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 (a repeatable mess)
    for _each in range(40):
        CustomerFactory(owner=chance.choice([None, None, *owners]), status=chance.choice(Status.values))
    CustomerFactory(owner=owners[0], environment=Environment.STAGING)
    for chosen in ({}, {"status": "all"}, {"owner": "none"}, {"owner": str(owners[0].pk)}, {"status": "archived"}):
        found = selectors.filtered(Customer.objects.all(), Environment.PRODUCTION, chosen)
        seen, page = 0, both(found, sort)
        while page.after:
            seen += len(page.rows)
            page = both(found, sort, after=page.after)
        assert seen + len(page.rows) == found.count()
        while page.before:
            page = both(found, sort, before=page.before)


def test_twins_are_mixed_by_the_numbers_of_their_customers(owners: list[User]) -> None:
    *_others, one, other = owners
    for owner in (one, other, one, other, other, one):
        CustomerFactory(owner=owner, status=Status.ACTIVE)

    page = both(selectors.filtered(Customer.objects.all(), Environment.PRODUCTION, {}), "owner")

    assert [row.owner for row in page.rows] == [one, other, one, other]


def test_a_cursor_of_somebody_who_was_renamed_still_leads_on(owners: list[User]) -> None:
    for owner in (None, owners[2], owners[2], None, owners[2], owners[2], owners[5]):
        CustomerFactory(owner=owner, status=Status.ACTIVE)
    found = selectors.filtered(Customer.objects.all(), Environment.PRODUCTION, {})
    for sort in ("owner", "-owner"):
        after = both(found, sort).after
        User.objects.filter(pk=owners[2].pk).update(first_name="Aaron" if sort == "owner" else "Zyz")
        both(found, sort, after=after)


@pytest.mark.parametrize("sort", ["owner", "-owner"])
def test_behind_the_last_one_with_an_owner_nobodys_follow(sort: str, owners: list[User]) -> None:
    User.objects.exclude(pk=owners[0].pk).delete()
    for owner in (None, None, owners[0], owners[0], owners[0], owners[0], None):
        CustomerFactory(owner=owner, status=Status.ACTIVE)
    found = selectors.filtered(Customer.objects.all(), Environment.PRODUCTION, {})
    page = both(found, sort)
    both(found, sort, after=page.after)
    User.objects.update(first_name="Zzz")
    both(found, sort, after=page.after)
    both(found, sort, before=page.after)

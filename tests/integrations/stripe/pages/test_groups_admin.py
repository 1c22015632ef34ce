"""Ambiguous matches in Django admin: one row per group, filters, and many kept merged at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from customers.models import Environment
from integrations.models import LastVisit, MatchDecision, Mode, StripeConnection, StripeCustomer
from integrations.stripe.sync import decisions, derive
from tests.factories import (
    AdminFactory,
    CustomerFactory,
    OwnerFactory,
    StaffFactory,
    StripeConnectionFactory,
    UserFactory,
)
from tests.integrations.stripe.sync.deciding import group, subscriber
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db

LIST = reverse("admin:integrations_ambiguousgroup_changelist")


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


def names(client: Client, **query: str) -> list[str]:
    """The customers of the rows, in their order."""
    return [row.name for row in client.get(LIST, query).context["cl"].result_list]


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_a_row_says_what_there_is_to_decide(staff: Client, live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)

    said = text(staff.get(LIST))

    for part in ("Acme", "acme.com", "2 Stripe customers", rows[0].name, "New", "$300", "1 group, 2 Stripe customers"):
        assert part in said
    assert reverse("stripe:ambiguous_group", args=["live", acme.pk]) in said


def test_the_most_mrr_comes_first_and_other_orders_are_a_click(staff: Client, live: StripeConnection) -> None:
    group(live, 2, domain="small.com")
    group(live, 4, domain="zlarge.com")
    derive_all(live)

    assert names(staff) == ["Zlarge", "Small"]
    assert names(staff, o="1") == ["Small", "Zlarge"]


def test_only_the_mode_asked_for_is_listed(staff: Client, live: StripeConnection) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    group(live, 2)
    CustomerFactory(name="Staging", domain="staging.com", environment=Environment.STAGING)
    for n in range(2):
        subscriber(f"a{n}@staging.com", test)
    for connection in (live, test):
        derive_all(connection)

    assert names(staff) == ["Acme"]
    assert names(staff, mode="test") == ["Staging"]


def test_a_mode_that_was_never_connected_lists_nothing(staff: Client) -> None:
    assert names(staff) == []
    assert names(staff, news="visit", kind="customers") == []


def test_what_was_decided_is_no_longer_listed_until_it_changes(staff: Client, live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    group(live, 2, domain="undecided.com")
    derive_all(live)
    decisions.keep_merged(connection=live, customer_ids=[acme.pk], reason="One", actor=None, seen=None)
    assert names(staff) == ["Undecided"]

    newcomer = subscriber("new@acme.com", live)
    derive.refreshed(live, {newcomer.stripe_id}, as_of=None)

    assert names(staff, news="changed") == ["Acme"]
    assert "1 newcomer since “Keep merged”" in text(staff.get(LIST))


def test_the_two_kinds_can_be_told_apart(staff: Client, live: StripeConnection) -> None:
    group(live, 2)
    group(live, 1, domain="twinpeaks.coop")
    CustomerFactory(domain="twinpeaks.coop")
    derive_all(live)

    assert names(staff, kind="stripe") == ["Acme"]
    assert names(staff, kind="customers") == ["Twinpeaks"]


def test_new_since_my_last_visit_goes_by_the_visit_before_this_one(client: Client, live: StripeConnection) -> None:
    sam = StaffFactory()
    client.force_login(sam)
    group(live, 2, domain="old.com")
    derive_all(live)
    assert names(client, news="visit") == ["Old"]
    LastVisit.objects.filter(user=sam).update(at=timezone.now() - timedelta(hours=5))
    StripeCustomer.objects.update(ambiguous_since=timezone.now() - timedelta(hours=9))
    group(live, 2, domain="young.com")
    derive_all(live)

    assert names(client, news="visit") == ["Young"]
    assert names(client, news="visit") == ["Young"]
    assert sorted(names(client)) == ["Old", "Young"]


def test_a_search_finds_customer_domain_and_stripe_id(staff: Client, live: StripeConnection) -> None:
    _acme, rows = group(live, 2)
    group(live, 2, domain="other.com")
    derive_all(live)

    for query in ("acm", "acme.com", rows[1].stripe_id):
        assert names(staff, q=query) == ["Acme"]


def test_many_groups_are_kept_merged_with_one_reason(staff: Client, live: StripeConnection) -> None:
    customers = [group(live, 2, domain=f"many{n}.com")[0] for n in range(3)]
    derive_all(live)

    page = staff.post(
        LIST, {"action": "keep_merged", "_selected_action": [customer.pk for customer in customers]}, follow=True
    )
    assert "Keep 3 groups merged" in text(page)
    assert not MatchDecision.objects.exists()
    address = page.redirect_chain[-1][0]
    staff.post(address, {"seen": page.context["seen"], "reason": "All one"})

    assert MatchDecision.objects.count() == 3
    assert names(staff) == []


def test_all_that_the_list_finds_can_be_chosen_within_reason(
    staff: Client, live: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.admin.groups.AT_ONCE", 1)
    for n in range(2):
        group(live, 2, domain=f"many{n}.com")
    derive_all(live)
    chosen = {"action": "keep_merged", "_selected_action": ["1"], "select_across": "1"}

    assert "Choose at most 1 groups at once" in text(staff.post(LIST, chosen, follow=True))


def test_the_queries_do_not_grow_with_groups_and_members(staff: Client, live: StripeConnection) -> None:
    def queries() -> int:
        with CaptureQueriesContext(database) as captured:
            staff.get(LIST)
        return len(captured)

    group(live, 2, domain="first.com")
    derive_all(live)
    staff.get(LIST)
    few = queries()
    for n in range(5):
        group(live, 4, domain=f"more{n}.com")
    derive_all(live)
    assert queries() == few


@pytest.mark.parametrize(
    ("person", "allowed"),
    [
        (lambda: None, False),
        (lambda: UserFactory(group=""), False),
        (UserFactory, False),
        (lambda: UserFactory(is_staff=True), False),
        (StaffFactory, True),
        (AdminFactory, True),
        (OwnerFactory, True),
    ],
    ids=["nobody", "no group", "member", "member in the admin", "staff", "admin", "owner"],
)
def test_the_list_its_rows_and_its_action_are_for_those_who_decide(
    client: Client, live: StripeConnection, person: Any, allowed: bool
) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)
    user = person()
    if user:
        client.force_login(user)
    row = reverse("admin:integrations_ambiguousgroup_change", args=[acme.pk])
    chosen = {"action": "keep_merged", "_selected_action": [acme.pk]}
    answers = [client.get(LIST), client.get(row), client.post(LIST, chosen)]

    into = reverse("stripe:decide_keep_merged", args=["live"])
    if allowed:
        assert answers[0].status_code == 200
        assert answers[1]["Location"] == reverse("stripe:ambiguous_group", args=["live", acme.pk])
        assert answers[2]["Location"].startswith(into)
    else:
        for answer in answers:
            assert answer.status_code in (302, 403)
            assert into not in answer.get("Location", "")
            assert "ambiguous/" not in answer.get("Location", "").replace("ambiguousgroup", "")


def test_nobody_adds_changes_or_deletes_a_group(client: Client, live: StripeConnection) -> None:
    client.force_login(OwnerFactory())
    acme, _rows = group(live, 2)
    assert client.get(reverse("admin:integrations_ambiguousgroup_add")).status_code == 403
    delete = reverse("admin:integrations_ambiguousgroup_delete", args=[acme.pk])
    assert client.post(delete, {"post": "yes"}).status_code in (302, 403)
    acme.refresh_from_db()

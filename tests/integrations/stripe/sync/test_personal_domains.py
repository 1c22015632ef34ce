"""What a change to the list of personal domains would move, and that asking changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from customers import personal_domains
from customers.models import Activity, CustomerDomain, PersonalDomain
from integrations.models import ConnectionState, Mode, StripeConnection
from integrations.stripe.sync.personal_domains import Move, preview
from tests.factories import CustomerDomainFactory, CustomerFactory, StripeConnectionFactory
from tests.integrations.stripe.sync.deciding import mrr, subscriber
from tests.integrations.stripe.sync.derived import derive_all, outcome

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def add(domain: str, *, personal: bool = True) -> Any:
    return lambda: personal_domains.save(PersonalDomain(domain=domain, personal=personal))


def test_adding_counts_whom_it_skips_in_both_modes_and_changes_nothing(live: StripeConnection) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    acme = CustomerFactory(domain="isp.example")
    matched = subscriber("jane@isp.example", live)
    subscriber("bob@isp.example", live)
    subscriber("eve@isp.example", test)
    for connection in (live, test):
        derive_all(connection)

    moves = preview("isp.example", add("isp.example"))

    assert moves.moves == [Move("live", "Matched", "Skipped", 2), Move("test", "Unmatched", "Skipped", 1)]
    assert (moves.moved, moves.stripe_customers, moves.addresses) == (3, 3, 0)
    assert (outcome(matched)[1], mrr(acme), PersonalDomain.objects.count()) == ("domain", 200, 0)


def test_what_was_shown_is_what_saving_does(live: StripeConnection, django_capture_on_commit_callbacks: Any) -> None:
    acme = CustomerFactory(domain="isp.example")
    row = subscriber("jane@isp.example", live)
    derive_all(live)
    [move] = preview("isp.example", add("isp.example")).moves
    with django_capture_on_commit_callbacks(execute=True):
        add("isp.example")()
    assert (move.after, outcome(row)[:2], mrr(acme)) == ("Skipped", ("skipped", "personal_email"), 0)
    with django_capture_on_commit_callbacks(execute=True):
        personal_domains.delete(list(PersonalDomain.objects.all()))
    assert (outcome(row)[1], mrr(acme)) == ("domain", 100)


def test_allowing_counts_addresses_that_get_shorter_and_leaves_them_whole(live: StripeConnection) -> None:
    jane = CustomerFactory(domain="jane@gmail.com")
    CustomerDomainFactory(domain="bob@gmail.com")
    row = subscriber("jane@gmail.com", live)
    derive_all(live)

    moves = preview("gmail.com", add("gmail.com", personal=False))

    assert (moves.moves, moves.addresses) == ([Move("live", "Skipped", "Matched", 1)], 2)
    jane.refresh_from_db()
    assert (jane.domain, outcome(row)[1]) == ("jane@gmail.com", "personal_email")
    assert CustomerDomain.objects.get().domain == "bob@gmail.com"
    assert not Activity.objects.filter(field="domain").exists()


def test_a_domain_nobody_has_moves_nobody(live: StripeConnection) -> None:
    moves = preview("nobody.example", add("nobody.example"))
    assert (moves.moves, moves.stripe_customers) == ([], 0)


def test_a_disconnected_mode_is_left_out(live: StripeConnection) -> None:
    subscriber("jane@isp.example", live)
    derive_all(live)
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)
    assert preview("isp.example", add("isp.example")).moves == []

"""Deciding on the pages: the effect before, one reason, the next group after, and what changed meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Customer, Environment
from integrations.models import MatchDecision, Mode, StripeConnection, StripeCustomer
from integrations.stripe.sync import decisions, derive
from tests.factories import CustomerFactory, StaffFactory, StripeConnectionFactory, UserFactory
from tests.integrations.stripe.sync.deciding import group, mrr, subscriber
from tests.integrations.stripe.sync.derived import derive_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory(first_name="Sam", last_name="Staff"))
    return client


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def url(view: str, *arguments: Any, **query: str) -> str:
    address = reverse(f"stripe:{view}", args=["live", *arguments])
    return address + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")


def confirmed(client: Client, address: str, *, reason: str = "Same company", **fields: str) -> Any:
    """Open the page that confirms, and send what it shows back with a reason."""
    page = client.get(address)
    return client.post(address, {"seen": page.context["seen"], "reason": reason, **fields}, follow=True)


def test_the_page_shows_the_header_before_and_after_and_decides_nothing(staff: Client, live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)

    said = text(staff.get(url("decide_winner", acme.pk, stripe=rows[0].stripe_id)))

    for part in ("This one wins", "$300", "$100", "Nothing is decided yet", "matched 2 → 1", "skipped 0 → 1"):
        assert part in said
    assert not MatchDecision.objects.exists()


def test_a_reason_is_asked_for(staff: Client, live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)

    response = confirmed(staff, url("decide_keep_merged", ids=str(acme.pk)), reason="  ")

    assert "This field is required" in text(response)
    assert not MatchDecision.objects.exists()


def test_after_a_decision_the_next_group_opens_and_the_last_one_is_all_clear(
    staff: Client, live: StripeConnection
) -> None:
    small, _rows = group(live, 2, domain="small.com")
    large, _rows = group(live, 3, domain="large.com")
    derive_all(live)

    first = confirmed(staff, url("decide_keep_merged", ids=str(large.pk)))
    assert first.redirect_chain == [(url("ambiguous_group", small.pk), 302)]
    assert "1 group is left" in text(first)

    last = confirmed(staff, url("decide_keep_merged", ids=str(small.pk)))
    assert last.redirect_chain == [(url("ambiguous"), 302)]
    assert "All clear: 2 groups, $900 decided" in text(last)


def test_the_decision_is_in_the_header_right_after(staff: Client, live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)
    confirmed(staff, url("decide_keep_merged", ids=str(acme.pk)))

    said = text(staff.get(acme.get_absolute_url()))

    assert "2 Stripe customers kept merged by Sam Staff on" in said
    assert "Same company" in said
    assert "nobody has decided yet" not in said


def test_what_changed_meanwhile_is_said_and_nothing_is_decided(staff: Client, live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    address = url("decide_winner", acme.pk, stripe=rows[0].stripe_id)
    page = staff.get(address)
    newcomer = subscriber("new@acme.com", live, name="Acme Newcomer")
    derive.refreshed(live, {newcomer.stripe_id}, as_of=None)

    response = staff.post(address, {"seen": page.context["seen"], "reason": "Why"})

    assert response.status_code == 409
    said = text(response)
    assert "This changed while you were looking" in said
    assert "Joined: Acme Newcomer" in said
    assert 'value="Why"' in said
    assert not MatchDecision.objects.exists()
    assert confirmed(staff, address).status_code == 200
    assert MatchDecision.objects.count() == 1


def test_somebody_else_who_decided_meanwhile_is_named(staff: Client, live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)
    address = url("decide_keep_merged", ids=str(acme.pk))
    page = staff.get(address)
    kim = StaffFactory(first_name="Kim", last_name="Lee")
    decisions.keep_merged(connection=live, customer_ids=[acme.pk], reason="Mine", actor=kim, seen=None)

    response = staff.post(address, {"seen": page.context["seen"], "reason": "Why"}, follow=True)

    assert "Kept merged by Kim Lee" in text(response)
    assert MatchDecision.objects.count() == 1


def test_a_split_is_chosen_named_and_confirmed(staff: Client, live: StripeConnection) -> None:
    acme, rows = group(live, 3)
    derive_all(live)
    StripeCustomer.objects.filter(pk=rows[1].pk).update(name="Acme Labs")

    choose = text(staff.get(url("decide_split", acme.pk)))
    assert choose.count('type="checkbox"') == 3
    address = url("decide_split", acme.pk, member=rows[1].stripe_id)
    preview = staff.get(address)
    form = preview.context["proposal"].new_customer
    assert (form["name"].value(), form["domain"].value()) == ("Acme Labs", "acme.com")
    assert "New customer: Acme Labs" in text(preview)

    confirmed(staff, address, name="Labs", domain="labs.com")

    labs = Customer.objects.get(domain="labs.com")
    assert (labs.name, mrr(labs), mrr(acme)) == ("Labs", 200, 400)


def test_choosing_nobody_or_everybody_is_no_split(staff: Client, live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    everybody = "&member=".join(row.stripe_id for row in rows)

    assert "not none and not all" in text(staff.get(url("decide_split", acme.pk, member=everybody)))


def test_a_domain_that_cannot_be_is_said_beside_its_field(staff: Client, live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    address = url("decide_split", acme.pk, member=rows[0].stripe_id, domain="not a domain")

    response = staff.get(address)

    assert response.context["proposal"].new_customer.errors["domain"]
    assert response.context["preview"] is None


def test_of_two_customers_with_a_domain_each_can_have_it(staff: Client, live: StripeConnection) -> None:
    north, _rows = group(live, 1, domain="twinpeaks.coop")
    south = CustomerFactory(name="South", domain="twinpeaks.coop")
    derive_all(live)
    said = text(staff.get(url("ambiguous")))
    assert "Attach to South" in said
    assert f"Attach to {north.name}" in said

    confirmed(staff, url("decide_attach", north.pk, to=str(south.pk)))

    assert (mrr(north), mrr(south)) == (0, 100)


def test_an_undo_has_a_page_like_any_decision(staff: Client, live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    derive_all(live)
    confirmed(staff, url("decide_winner", acme.pk, stripe=rows[0].stripe_id))
    decision = MatchDecision.objects.get()

    said = text(confirmed(staff, url("decide_undo", decision.pk), reason="A mistake"))

    assert "Undoes “Winner chosen”" in said
    assert mrr(acme) == 300
    again = text(staff.get(url("decide_undo", decision.pk), follow=True))
    assert "undone already" in again


def test_the_history_says_who_decided_what_when_and_why(staff: Client, live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    other, _rows = group(live, 2, domain="other.com")
    derive_all(live)
    confirmed(staff, url("decide_winner", acme.pk, stripe=rows[0].stripe_id), reason="The old one is a pilot")
    confirmed(staff, url("decide_keep_merged", ids=str(other.pk)), reason="One contract")

    of_acme = text(staff.get(reverse("stripe:customer_decisions", args=[acme.pk])))
    of_loser = text(staff.get(url("decisions", stripe=rows[1].stripe_id)))
    everything = text(staff.get(url("decisions")))

    for said in (of_acme, of_loser):
        assert "The old one is a pilot" in said
        assert "Sam Staff" in said
        assert "One contract" not in said
    assert "One contract" in everything


def test_a_member_reads_the_history_and_cannot_undo(client: Client, live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)
    decisions.keep_merged(connection=live, customer_ids=[acme.pk], reason="One contract", actor=None, seen=None)
    client.force_login(UserFactory())

    said = text(client.get(reverse("stripe:customer_decisions", args=[acme.pk])))

    assert "One contract" in said
    assert "/undo/" not in said


def test_a_newcomer_to_a_decided_set_is_named_with_the_decision(staff: Client, live: StripeConnection) -> None:
    acme, _rows = group(live, 2)
    derive_all(live)
    decisions.keep_merged(connection=live, customer_ids=[acme.pk], reason="One contract", actor=None, seen=None)
    newcomer = subscriber("new@acme.com", live, name="Acme Newcomer")
    derive.refreshed(live, {newcomer.stripe_id}, as_of=None)

    said = text(staff.get(url("ambiguous")))

    assert "New: Acme Newcomer." in said
    assert "Kept merged by" in said


def test_many_groups_are_shown_as_lines_and_decided_with_one_reason(staff: Client, live: StripeConnection) -> None:
    customers = [group(live, 2, domain=f"many{n}.com")[0] for n in range(6)]
    derive_all(live)
    address = url("decide_keep_merged", ids=",".join(str(customer.pk) for customer in customers))

    page = staff.get(address)
    assert "6 headers change" in text(page)
    response = confirmed(staff, address, reason="All one contract")

    assert "All clear: 6 groups, $1,800 decided" in text(response)
    assert set(MatchDecision.objects.values_list("reason", flat=True)) == {"All one contract"}


def test_no_id_of_the_other_mode_or_environment_opens_anything(staff: Client, live: StripeConnection) -> None:
    test = StripeConnectionFactory(mode=Mode.TEST)
    staging = CustomerFactory(domain="acme.com", environment=Environment.STAGING)
    stranger = subscriber("a@acme.com", test)
    subscriber("b@acme.com", test)
    derive_all(test)
    acme, rows = group(live, 2)
    derive_all(live)
    [decided] = decisions.keep_merged(connection=test, customer_ids=[staging.pk], reason="Why", actor=None, seen=None)

    for address in (
        url("ambiguous_group", staging.pk),
        url("decide_keep_merged", ids=str(staging.pk)),
        url("decide_winner", staging.pk, stripe=rows[0].stripe_id),
        url("decide_winner", acme.pk, stripe=stranger.stripe_id),
        url("decide_attach", acme.pk, to=str(staging.pk)),
        url("decide_split", staging.pk),
        url("decide_undo", decided.decision.pk),
        url("decisions", stripe=stranger.stripe_id),
    ):
        assert staff.get(address).status_code == 404, address
    for address in (url("decide_undo", decided.decision.pk), url("decide_keep_merged", ids=str(staging.pk))):
        assert staff.post(address, {"reason": "Why", "seen": ""}).status_code == 404
    assert text(staff.get(url("decide_split", acme.pk, member=stranger.stripe_id))).count("checkbox") == 2
    assert MatchDecision.objects.count() == 1


def test_hostile_names_and_reasons_stay_text(staff: Client, live: StripeConnection) -> None:
    acme, rows = group(live, 2)
    StripeCustomer.objects.filter(pk=rows[0].pk).update(name="<script>alert(1)</script>")
    derive_all(live)
    confirmed(staff, url("decide_winner", acme.pk, stripe=rows[0].stripe_id), reason="<img src=x onerror=alert(1)>")

    for address in (url("decisions"), acme.get_absolute_url(), reverse("stripe:customer_decisions", args=[acme.pk])):
        said = text(staff.get(address))
        assert "<script>alert" not in said
        assert "<img src=x" not in said

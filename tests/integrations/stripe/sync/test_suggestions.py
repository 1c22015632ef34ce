"""Suggestions for Stripe customers without a customer: which, why, in what order, and at what cost."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from customers.models import PersonalDomain
from integrations.models import DecisionKind, MemberEffect, StripeConnection, StripeCustomer
from integrations.stripe.sync.suggestions import Evidence, Suggestion, first_to_link, suggest
from tests.factories import (
    CustomerDomainFactory,
    CustomerFactory,
    StripeConnectionFactory,
    StripeCustomerFactory,
    decide,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def row(connection: StripeConnection, email: str = "", **fields: Any) -> StripeCustomer:
    return StripeCustomerFactory(connection=connection, email=email, **{"name": "", **fields})


def suggested(connection: StripeConnection, found: StripeCustomer) -> list[Suggestion]:
    return suggest(connection, [found]).get(found.stripe_id, [])


def said(connection: StripeConnection, found: StripeCustomer) -> list[tuple[str, Evidence, str]]:
    return [(each.name, each.evidence, each.detail) for each in suggested(connection, found)]


def test_a_sub_domain_leads_to_the_customer_above_it(live: StripeConnection) -> None:
    CustomerFactory(name="Fernbank", domain="fernbank.com")
    assert said(live, row(live, "billing@pay.eu.fernbank.com")) == [
        ("Fernbank", Evidence.PARENT_DOMAIN, "fernbank.com")
    ]


def test_the_nearest_parent_comes_first(live: StripeConnection) -> None:
    CustomerFactory(name="Above", domain="fernbank.com")
    CustomerFactory(name="Nearest", domain="eu.fernbank.com")
    assert [name for name, _evidence, _detail in said(live, row(live, "a@pay.eu.fernbank.com"))][:1] == ["Nearest"]


def test_a_domain_leads_to_customers_on_its_sub_domains_and_not_to_one_that_only_ends_alike(
    live: StripeConnection,
) -> None:
    CustomerFactory(name="Fernbank Europe", domain="eu.fernbank.com")
    CustomerFactory(name="Other", domain="notfernbank.com")
    CustomerFactory(name="Another", domain="eu-fernbank.com")
    assert said(live, row(live, "billing@fernbank.com")) == [
        ("Fernbank Europe", Evidence.SUB_DOMAIN, "eu.fernbank.com")
    ]


def test_two_companies_below_one_public_suffix_have_nothing_in_common(live: StripeConnection) -> None:
    CustomerFactory(domain="ospreyoutdoor.co.uk")
    assert said(live, row(live, "ap@ospreyretail.co.uk")) == []


def test_an_extra_domain_leads_to_its_customer(live: StripeConnection) -> None:
    CustomerDomainFactory(domain="fernbank.com", customer=CustomerFactory(name="Fernbank Group", domain="fb.com"))
    [found] = suggested(live, row(live, "billing@eu.fernbank.com"))
    assert (found.name, found.evidence, found.is_extra) == ("Fernbank Group", Evidence.PARENT_DOMAIN, True)


@pytest.mark.parametrize("personal", ["gmail.com", "isp.example"])
def test_a_personal_domain_above_another_says_nothing(live: StripeConnection, personal: str) -> None:
    PersonalDomain.objects.create(domain="isp.example")
    CustomerFactory(domain=personal)
    assert said(live, row(live, f"a@eu.{personal}")) == []


def test_an_archived_customer_with_the_domain_is_named_as_archived(live: StripeConnection) -> None:
    CustomerFactory(name="Maple Court Dental", domain="maple.com", status="archived")
    [found] = suggested(live, row(live, "office@maple.com"))
    assert (found.name, found.evidence, found.archived) == ("Maple Court Dental", Evidence.SAME_DOMAIN, True)
    assert first_to_link([found]) is None


def test_a_link_that_is_suspended_leads_back_to_its_customer(live: StripeConnection) -> None:
    found = row(live, "a@acme.com", match_state="unmatched", match_reason="pin_suspended")
    archived = CustomerFactory(name="Acme", domain="other.com", status="archived")
    decide(DecisionKind.PIN, {found: MemberEffect.PINNED}, to=archived)
    assert said(live, found) == [("Acme", Evidence.LINKED_BEFORE, "")]


def test_a_similar_name_is_scored(live: StripeConnection) -> None:
    CustomerFactory(name="Osprey Retail", domain="ospreyretail.com")
    CustomerFactory(name="Osprey Outdoor", domain="ospreyoutdoor.com")
    [found] = suggested(live, row(live, "ap@ospreyretail.co.uk", name="Osprey Retail Group"))
    assert (found.name, found.evidence, found.score) == ("Osprey Retail", Evidence.NAME, 91)


def test_the_right_name_is_found_among_very_many_that_share_a_word(live: StripeConnection) -> None:
    for number in range(120):
        CustomerFactory(name=f"Meridian Number {number}")
    CustomerFactory(name="Meridian Cold Chain Ltd")
    [found] = suggested(live, row(live, "a@b.com", name="Meridian Cold Chain Holding"))
    assert found.name == "Meridian Cold Chain Ltd"


@pytest.mark.parametrize("name", ["", "—", "'; DROP TABLE", "a:* & b", "\\", "x" * 5000, "¡ñ! (|&"])
def test_a_name_from_stripe_cannot_break_the_query(live: StripeConnection, name: str) -> None:
    CustomerFactory(name="Somebody")
    assert said(live, row(live, "a@b.com", name=name)) == []


def test_a_stripe_customer_on_the_same_address_or_domain_leads_to_its_customer(live: StripeConnection) -> None:
    linden = CustomerFactory(name="Linden", domain="linden.example")
    row(live, "finance@lindenpay.io", name="Linden GmbH", customer=linden, match_state="matched")
    row(live, "jane@gmail.com", name="Jane", customer=linden, match_state="matched")
    assert said(live, row(live, "finance@lindenpay.io")) == [("Linden", Evidence.SAME_ADDRESS, "finance@lindenpay.io")]
    assert said(live, row(live, "ap@lindenpay.io")) == [("Linden", Evidence.SAME_COMPANY, "Linden GmbH")]
    assert said(live, row(live, "jane@gmail.com")) == [("Linden", Evidence.SAME_ADDRESS, "jane@gmail.com")]
    assert said(live, row(live, "bob@gmail.com")) == []


def test_nobody_of_the_other_environment_or_mode_is_suggested(live: StripeConnection) -> None:
    staging = CustomerFactory(name="Fernbank", domain="fernbank.com", environment="staging")
    CustomerDomainFactory(domain="fernbank.org", customer=staging)
    other = StripeConnectionFactory(mode="test")
    row(other, "a@eu.fernbank.com", customer=staging, match_state="matched")
    found = row(live, "a@eu.fernbank.com", name="Fernbank")
    assert said(live, found) == []
    assert [name for name, _evidence, _detail in said(other, row(other, "b@eu.fernbank.com"))] == ["Fernbank"]


def test_stronger_evidence_comes_first_and_a_customer_only_once(live: StripeConnection) -> None:
    CustomerFactory(name="Fernbank", domain="fernbank.com")
    CustomerFactory(name="Fernbank Analytics", domain="elsewhere.com")
    found = said(live, row(live, "a@eu.fernbank.com", name="Fernbank Analytics"))
    assert [(name, evidence) for name, evidence, _detail in found] == [
        ("Fernbank", Evidence.PARENT_DOMAIN),
        ("Fernbank Analytics", Evidence.NAME),
    ]


def test_the_number_of_queries_grows_with_nothing(live: StripeConnection) -> None:
    rows = []

    def queries(number: int) -> int:
        for _ in range(number):
            name = f"Company {CustomerFactory(domain=f'c{len(rows)}.com').pk}"
            rows.append(row(live, f"a@eu.c{len(rows)}.com", name=name))
        with CaptureQueriesContext(database) as captured:
            suggest(live, rows)
        return len(captured)

    assert queries(2) == queries(20) <= 8

"""The editable list of personal domains: what an entry does to customers, and what is announced."""

from __future__ import annotations

import pytest
from django.test import Client

from customers import personal_domains, services
from customers.models import Activity, PersonalDomain
from tests.customers.announced import Committing, listening
from tests.factories import AdminFactory, CustomerDomainFactory, CustomerFactory

pytestmark = pytest.mark.django_db


def test_an_allowed_domain_shortens_the_addresses_that_were_kept_whole(
    django_capture_on_commit_callbacks: Committing,
) -> None:
    jane = CustomerFactory(domain="jane@123.com")
    other = CustomerFactory(domain="jane@gmail.com")
    person = AdminFactory()
    with listening(django_capture_on_commit_callbacks) as announced:
        personal_domains.save(PersonalDomain(domain="123.com", personal=False), actor=person)
    jane.refresh_from_db()
    other.refresh_from_db()
    assert (jane.domain, other.domain) == ("123.com", "jane@gmail.com")
    assert ("production", frozenset({"jane@123.com", "123.com"}), frozenset({jane.pk})) in announced.heard
    entry = Activity.objects.get()
    assert (entry.actor, entry.field, entry.old, entry.new) == (person, "domain", "jane@123.com", "123.com")


def test_of_two_extra_domains_that_become_one_the_older_stays() -> None:
    first = CustomerDomainFactory(domain="jane@123.com")
    second = CustomerDomainFactory(domain="bob@123.com")
    personal_domains.save(PersonalDomain(domain="123.com", personal=False))
    first.refresh_from_db()
    assert first.domain == "123.com"
    assert not second.customer.domains.exists()
    assert set(Activity.objects.values_list("customer_id", "event_type", "old", "new")) == {
        (first.customer_id, "customer.domain_changed", "jane@123.com", "123.com"),
        (second.customer_id, "customer.domain_removed", "bob@123.com", ""),
    }


def test_an_extra_domain_that_becomes_the_customers_own_is_dropped() -> None:
    customer = CustomerFactory(domain="123.com")
    CustomerDomainFactory(customer=customer, domain="jane@123.com")
    personal_domains.save(PersonalDomain(domain="123.com", personal=False))
    assert not customer.domains.exists()


def test_a_domain_that_ends_alike_is_left_alone() -> None:
    customer = CustomerFactory(domain="jane@a.mailbox.org")
    personal_domains.save(PersonalDomain(domain="a.mailbox.org", personal=True))
    other = CustomerFactory(domain="jane@a.mailbox.org")
    personal_domains.save(PersonalDomain(domain="mailbox.org", personal=False))
    other.refresh_from_db()
    assert (other.domain, customer.domain) == ("jane@a.mailbox.org", "a.mailbox.org")


def test_an_entry_moved_to_another_domain_is_announced_for_both(
    django_capture_on_commit_callbacks: Committing,
) -> None:
    entry = PersonalDomain.objects.create(domain="isp.example")
    entry.domain = "other.example"
    with listening(django_capture_on_commit_callbacks) as announced:
        personal_domains.save(entry)
    assert {environment for environment, _domains, _ids in announced.heard} == {"production", "staging"}
    assert {domains for _environment, domains, _ids in announced.heard} == {frozenset({"isp.example", "other.example"})}


def test_an_entry_taken_back_shortens_nothing_that_the_packaged_list_keeps() -> None:
    customer = CustomerFactory(domain="jane@gmail.com")
    personal_domains.save(PersonalDomain(domain="gmail.com", personal=True))
    personal_domains.delete(list(PersonalDomain.objects.all()))
    customer.refresh_from_db()
    assert customer.domain == "jane@gmail.com"
    assert not PersonalDomain.objects.exists()


def test_an_extra_domain_that_is_another_customers_own_is_refused_by_name() -> None:
    CustomerFactory(name="Acme Corp", domain="acme.com")
    with pytest.raises(services.ValidationError, match=r"acme\.com is the domain of Acme Corp\. Take it away there"):
        services.add_domain(CustomerFactory(), "acme.com", actor=None)


@pytest.mark.parametrize("owner", [{"status": "archived"}, {"environment": "staging"}])
def test_an_extra_domain_may_be_that_of_an_archived_customer_or_of_the_other_environment(owner: dict[str, str]) -> None:
    CustomerFactory(domain="acme.com", **owner)
    customer = CustomerFactory()
    services.add_domain(customer, "acme.com", actor=None)
    assert customer.domains.get().domain == "acme.com"


def test_in_admin_a_refused_change_leaves_the_extra_domain_as_it_was(client: Client) -> None:
    client.force_login(AdminFactory())
    CustomerFactory(name="Acme Corp", domain="acme.com")
    extra = CustomerDomainFactory(domain="kept.com")
    customer = extra.customer
    sent = {
        "name": customer.name, "domain": customer.domain, "environment": "production", "status": "active", "owner": "",
        "domains-TOTAL_FORMS": 1, "domains-INITIAL_FORMS": 1, "domains-0-id": extra.pk,
        "domains-0-customer": customer.pk, "domains-0-domain": "acme.com",
    }  # fmt: skip
    response = client.post(f"/admin/customers/customer/{customer.pk}/change/", sent, follow=True)
    assert "Acme.com is the domain of Acme Corp." in response.content.decode()
    assert list(customer.domains.values_list("domain", flat=True)) == ["kept.com"]

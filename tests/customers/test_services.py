"""Writes to customers: validated, recorded, announced once."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from customers import personal_domains, services
from customers.models import Activity, Customer, CustomerDomain, PersonalDomain
from tests.customers.announced import Committing, listening
from tests.factories import CustomerDomainFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db


def changes_of(customer: Customer) -> list[tuple[str, str, str]]:
    return list(customer.activities.order_by("id").values_list("field", "old", "new"))


def test_a_new_customer_is_normalised_recorded_and_announced(
    django_capture_on_commit_callbacks: Committing,
) -> None:
    person = UserFactory()
    with listening(django_capture_on_commit_callbacks) as announced:
        customer = services.create_customer(actor=person, name="  Acme ", domain="https://WWW.Acme.com/about")
    customer.refresh_from_db()
    assert (customer.name, customer.domain) == ("Acme", "acme.com")
    assert announced.heard == [("production", frozenset({"acme.com"}), frozenset({customer.pk}))]
    entry = customer.activities.get()
    assert (entry.event_type, entry.actor) == ("customer.created", person)


def test_a_customer_made_by_a_provider_says_so() -> None:
    customer = services.create_customer(actor=None, source="stripe", name="Acme", domain="acme.com")
    entry = customer.activities.get()
    assert customer.created_by_source == "stripe"
    assert (entry.actor_type, entry.origin) == (Activity.ActorType.INTEGRATION, "Stripe")


def test_a_customer_without_a_name_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        services.create_customer(actor=None, name="   ", domain="acme.com")
    assert "name" in refused.value.message_dict


def test_a_billing_field_cannot_be_set_by_people() -> None:
    with pytest.raises(TypeError, match="mrr"):
        services.update_customer(CustomerFactory(), actor=None, mrr=5)  # type: ignore[call-arg]


def test_changed_fields_are_recorded_with_old_and_new() -> None:
    ann, ben = UserFactory(first_name="Ann", last_name="Lee"), UserFactory(first_name="Ben", last_name="Ott")
    customer = CustomerFactory(name="Acme", owner=ann)
    assert services.update_customer(customer, actor=ben, name="Acme Corp", owner=ben) == ["name", "owner"]
    assert changes_of(customer) == [("name", "Acme", "Acme Corp"), ("owner", "Ann Lee", "Ben Ott")]
    assert customer.name == "Acme Corp"


def test_saving_what_is_there_already_records_nothing() -> None:
    customer = CustomerFactory(name="Acme", domain="acme.com")
    assert services.update_customer(customer, actor=None, name="Acme", domain="ACME.com.") == []
    assert changes_of(customer) == []


def test_two_people_changing_different_fields_lose_nothing() -> None:
    customer = CustomerFactory(name="Acme", domain="acme.com")
    stale = Customer.objects.get(pk=customer.pk)
    services.update_customer(customer, actor=None, name="Acme Corp")
    services.update_customer(stale, actor=None, domain="acme.io")
    customer.refresh_from_db()
    assert (customer.name, customer.domain) == ("Acme Corp", "acme.io")


def test_name_and_owner_are_not_announced(django_capture_on_commit_callbacks: Committing) -> None:
    customer = CustomerFactory()
    with listening(django_capture_on_commit_callbacks) as announced:
        services.update_customer(customer, actor=None, name="Other", owner=UserFactory())
    assert announced.heard == []


def test_a_new_domain_announces_the_old_one_too(django_capture_on_commit_callbacks: Committing) -> None:
    customer = CustomerFactory(domain="old.com")
    CustomerDomainFactory(customer=customer, domain="extra.com")
    with listening(django_capture_on_commit_callbacks) as announced:
        services.update_customer(customer, actor=None, domain="new.com")
    domains = frozenset({"old.com", "new.com", "extra.com"})
    assert announced.heard == [("production", domains, frozenset({customer.pk}))]


def test_churning_is_not_announced_but_archiving_and_coming_back_are(
    django_capture_on_commit_callbacks: Committing,
) -> None:
    customer = CustomerFactory(domain="acme.com")
    with listening(django_capture_on_commit_callbacks) as announced:
        services.set_status(customer, "churned", actor=None)
    assert announced.heard == []
    for status in ("archived", "active"):
        with listening(django_capture_on_commit_callbacks) as announced:
            services.set_status(customer, status, actor=None)
        assert announced.heard == [("production", frozenset({"acme.com"}), frozenset({customer.pk}))]


def test_a_status_change_is_its_own_kind_of_event() -> None:
    customer = CustomerFactory()
    services.set_status(customer, "at_risk", actor=None)
    assert customer.activities.get().event_type == "customer.status_changed"


def test_an_unknown_status_is_refused() -> None:
    customer = CustomerFactory()
    with pytest.raises(ValidationError):
        services.set_status(customer, "sleeping", actor=None)
    customer.refresh_from_db()
    assert customer.status == "active"


def test_a_move_takes_extra_domains_along_and_tells_both_environments(
    django_capture_on_commit_callbacks: Committing,
) -> None:
    customer = CustomerFactory(domain="acme.com")
    extra = CustomerDomainFactory(customer=customer, domain="acme.de")
    with listening(django_capture_on_commit_callbacks) as announced:
        services.update_customer(customer, actor=None, environment="staging")
    extra.refresh_from_db()
    assert extra.environment == "staging"
    both = frozenset({"acme.com", "acme.de"})
    assert announced.heard == [
        ("production", both, frozenset({customer.pk})),
        ("staging", both, frozenset({customer.pk})),
    ]


def test_a_move_onto_a_taken_extra_domain_is_refused_as_a_whole() -> None:
    CustomerDomainFactory(customer=CustomerFactory(environment="staging", name="Other"), domain="acme.de")
    customer = CustomerFactory()
    extra = CustomerDomainFactory(customer=customer, domain="acme.de")
    with pytest.raises(ValidationError, match="Other"):
        services.update_customer(customer, actor=None, environment="staging")
    customer.refresh_from_db()
    extra.refresh_from_db()
    assert (customer.environment, extra.environment) == ("production", "production")


def test_an_extra_domain_is_normalised_recorded_and_announced(
    django_capture_on_commit_callbacks: Committing,
) -> None:
    customer = CustomerFactory(domain="acme.com")
    with listening(django_capture_on_commit_callbacks) as announced:
        extra = services.add_domain(customer, "https://Acme.DE/", actor=None)
    assert extra.domain == "acme.de"
    assert announced.heard == [("production", frozenset({"acme.de"}), frozenset({customer.pk}))]
    assert changes_of(customer) == [("domains", "", "acme.de")]


@pytest.mark.parametrize("domain", ["acme.com", "taken.com", "no domain", "  ", "127.0.0.1"])
def test_an_extra_domain_that_cannot_be_is_refused(domain: str) -> None:
    CustomerDomainFactory(customer=CustomerFactory(name="Other"), domain="taken.com")
    customer = CustomerFactory(domain="acme.com")
    with pytest.raises(ValidationError):
        services.add_domain(customer, domain, actor=None)
    assert not customer.domains.exists()


def test_the_other_environment_may_have_the_same_extra_domain() -> None:
    CustomerDomainFactory(customer=CustomerFactory(environment="staging"), domain="acme.de")
    services.add_domain(CustomerFactory(), "acme.de", actor=None)
    assert CustomerDomain.objects.filter(domain="acme.de").count() == 2


def test_removing_an_extra_domain_announces_it(django_capture_on_commit_callbacks: Committing) -> None:
    extra = CustomerDomainFactory(domain="acme.de")
    with listening(django_capture_on_commit_callbacks) as announced:
        services.remove_domain(extra, actor=None)
    assert announced.heard == [("production", frozenset({"acme.de"}), frozenset({extra.customer_id}))]
    assert not CustomerDomain.objects.exists()


def test_archiving_many_announces_once(django_capture_on_commit_callbacks: Committing) -> None:
    customers = [CustomerFactory(domain=f"c{n}.com") for n in range(3)]
    with listening(django_capture_on_commit_callbacks) as announced:
        assert services.archive_customers(customers, actor=None) == 3
    numbers = frozenset(customer.pk for customer in customers)
    assert announced.heard == [("production", frozenset({"c0.com", "c1.com", "c2.com"}), numbers)]
    assert Activity.objects.filter(field="status", new="archived").count() == 3


def test_a_deleted_customer_announces_its_domains(django_capture_on_commit_callbacks: Committing) -> None:
    customer = CustomerFactory(domain="acme.com")
    CustomerDomainFactory(customer=customer, domain="acme.de")
    number = customer.pk
    with listening(django_capture_on_commit_callbacks) as announced:
        services.delete_customers([customer])
    assert announced.heard == [("production", frozenset({"acme.com", "acme.de"}), frozenset({number}))]


def test_the_personal_list_is_announced_in_both_environments(
    django_capture_on_commit_callbacks: Committing,
) -> None:
    with listening(django_capture_on_commit_callbacks) as announced:
        personal_domains.save(PersonalDomain(domain="Mail.Example"))
    assert [environment for environment, _domains, _ids in announced.heard] == ["production", "staging"]
    assert announced.heard[0][1] == frozenset({"mail.example"})

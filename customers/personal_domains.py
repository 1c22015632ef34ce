"""Changes to the list of personal e-mail domains, and what follows from one (docs/rules.md section 2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Reverse

from customers import services
from customers.announcements import Announcements, announce_everywhere
from customers.domains import normalise
from customers.models import Activity, Customer, CustomerDomain, Environment, PersonalDomain
from customers.models.domain import Overrides
from customers.signals import personal_domains_changed


def save(domain: PersonalDomain, *, actor: User | None = None) -> None:
    """Call a domain personal, or a company's, and let everybody on it match again.

    What customers carry as whole addresses on it is brought into the form of the new list. Raises ValidationError.
    """
    with transaction.atomic():
        before = PersonalDomain.objects.filter(pk=domain.pk).first()
        domain.save()
        concerned = sorted({domain.domain, *([before.domain] if before else [])})
        _announce([before] if before else [], [domain], actor)
        _follow(concerned, actor)


def delete(domains: Sequence[PersonalDomain], *, actor: User | None = None) -> None:
    """Go back to what the packaged list says about these domains."""
    with transaction.atomic():
        PersonalDomain.objects.filter(pk__in=[domain.pk for domain in domains]).delete()
        _announce(domains, [], actor)
        _follow([domain.domain for domain in domains], actor)


def addresses_on(domains: Iterable[str]) -> tuple[QuerySet[Customer], QuerySet[CustomerDomain]]:
    """Customers, and extra domains, that are whole addresses on one of these domains."""
    ends = [f"@{domain}"[::-1] for domain in domains]
    found = Q(pk__in=[])
    for end in ends:
        found |= Q(backwards__startswith=end)
    everywhere = Customer.objects.filter(environment__in=Environment.values)
    customers = everywhere.annotate(backwards=Reverse("domain")).filter(found)
    extra = CustomerDomain.objects.filter(environment__in=Environment.values)
    aliases = extra.annotate(backwards=Reverse("domain")).filter(found).select_related("customer")
    return customers.order_by("pk"), aliases.order_by("pk")


def _announce(before: Sequence[PersonalDomain], after: Sequence[PersonalDomain], actor: User | None) -> None:
    """Tell which entries were there and which are; one that was saved as it was is none."""
    was, now = _said(before), _said(after)
    changed = {name: (was.get(name, ""), now.get(name, "")) for name in sorted({*was, *now})}
    changed = {name: values for name, values in changed.items() if values[0] != values[1]}
    if changed:
        personal_domains_changed.send(sender=None, actor=actor, domains=changed)


def _said(entries: Sequence[PersonalDomain]) -> dict[str, str]:
    return {entry.domain: "personal" if entry.personal else "company" for entry in entries}


def _follow(domains: Sequence[str], actor: User | None) -> None:
    """Bring addresses on ``domains`` into the form of today's list, and announce what that and the list change."""
    announcements = Announcements()
    overrides = PersonalDomain.objects.overrides()
    customers, aliases = addresses_on(domains)
    _renormalise_customers(customers, overrides, actor, announcements)
    _renormalise_aliases(aliases, overrides, actor, announcements)
    announcements.send()
    announce_everywhere(domains)


def _renormalise_customers(
    customers: QuerySet[Customer], overrides: Overrides, actor: User | None, announcements: Announcements
) -> None:
    changed, entries = [], []
    for customer in customers.select_for_update(of=("self",)):
        stored = normalise(customer.domain, **overrides)
        if stored == customer.domain:
            continue
        before = services.snapshot(customer)
        customer.domain = stored
        changed.append(customer)
        entries += services.field_changes(before, customer, ["domain"], actor=actor, origin="Personal domains")
        announcements.add(customer.environment, domains=[before.domain, stored], customer_id=customer.pk)
    Customer.objects.bulk_update(changed, ["domain"], batch_size=500)
    Activity.objects.bulk_create(entries, batch_size=500)


def _renormalise_aliases(
    aliases: QuerySet[CustomerDomain], overrides: Overrides, actor: User | None, announcements: Announcements
) -> None:
    """Of several that become the same one, the oldest stays: an extra domain is unique within its environment."""
    for alias in aliases.select_for_update(of=("self",)):
        stored, before = normalise(alias.domain, **overrides), alias.domain
        if stored == before:
            continue
        is_taken = CustomerDomain.objects.filter(environment=alias.environment, domain=stored).exists()
        if is_taken or stored == alias.customer.domain:
            alias.delete()
        else:
            alias.save()
        services.record(
            alias.customer,
            "customer.domain_removed" if is_taken else "customer.domain_changed",
            actor=actor,
            field="domains",
            old=before,
            new="" if is_taken else stored,
            origin="Personal domains",
        )
        announcements.add(alias.environment, domains=[before, stored], customer_id=alias.customer_id)

"""What an edit means for matching: collected over a whole operation, announced once per environment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from customers.models import Customer, CustomerDomain, Environment, Status
from customers.signals import announce


class Announcements:
    """Collects what one operation changed for matching, and announces it once per environment."""

    def __init__(self) -> None:
        self._domains: defaultdict[str, set[str]] = defaultdict(set)
        self._ids: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, environment: str, *, domains: Iterable[str], customer_id: int) -> None:
        """Note the domains and the customer concerned in ``environment``."""
        self._domains[environment].update(domains)
        self._ids[environment].add(customer_id)

    def send(self) -> None:
        """Announce after the commit; nothing collected announces nothing."""
        for environment in sorted(self._ids):
            announce(environment, domains=self._domains[environment], ids=self._ids[environment])


def collect(
    announcements: Announcements, before: Customer, after: Customer, changed: Iterable[str], extra: Iterable[str]
) -> None:
    """Note what an edit means for matching: old and new domains, in the old and in the new environment.

    Name, owner and a status on this side of archiving mean nothing.
    """
    names = set(changed)
    archived = Status.ARCHIVED in (before.status, after.status) and "status" in names
    if not (archived or names & {"domain", "environment"}):
        return
    domains = [before.domain, after.domain, *extra]
    for environment in {before.environment, after.environment}:
        announcements.add(environment, domains=domains, customer_id=after.pk)


def note_all(announcements: Announcements, customers: Iterable[Customer]) -> None:
    """Note several customers with their domains and extra domains, in one query."""
    concerned = list(customers)
    extra: defaultdict[int, list[str]] = defaultdict(list)
    known = CustomerDomain.objects.filter(customer_id__in=[customer.pk for customer in concerned])
    for number, domain in known.values_list("customer_id", "domain"):
        extra[number].append(domain)
    for customer in concerned:
        domains = [customer.domain, *extra[customer.pk]]
        announcements.add(customer.environment, domains=domains, customer_id=customer.pk)


def announce_everywhere(domains: Sequence[str]) -> None:
    """Announce domains in every environment: the list of personal ones is one for all."""
    for environment in Environment.values:
        announce(environment, domains=domains, ids=())

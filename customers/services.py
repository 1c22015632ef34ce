"""Every write to a customer by people and imports: validated, recorded as activity, announced once.

Billing fields are no business of this module: an integration's roll-up writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict, Unpack

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from customers.announcements import Announcements, collect, note_all
from customers.models import Activity, Customer, CustomerDomain, Status
from customers.signals import announce


class Changes(TypedDict, total=False):
    """What people may set on a customer."""

    name: str
    domain: str
    owner: User | None
    environment: str
    status: str


EDITABLE = ("name", "domain", "owner", "environment", "status")


def create_customer(
    *, actor: User | None, source: str = "", origin: str = "", announced: bool = True, **fields: Unpack[Changes]
) -> Customer:
    """Create a customer and return it; ``source`` names the provider it comes from, empty for a person.

    ``announced=False`` is for a caller that matches the new customer itself. Raises ValidationError.
    """
    customer = Customer(created_by_source=source, **_plain(fields))
    with transaction.atomic():
        customer.full_clean(exclude=["owner"])
        customer.save()
        record(customer, "customer.created", actor=actor, source=source, origin=origin, new=customer.name)
        if announced:
            announce(customer.environment, domains=[customer.domain], ids=[customer.pk])
    return customer


def update_customer(
    customer: Customer, *, actor: User | None, origin: str = "", **changes: Unpack[Changes]
) -> list[str]:
    """Change fields of a customer, and return the names of those that really changed.

    The row is locked and read afresh, so that two people changing different fields lose nothing; ``customer`` gets the
    new values. Each changed field is one activity entry. A move to another environment takes the extra domains along.
    Raises ValidationError, and Customer.DoesNotExist when it was deleted meanwhile.
    """
    with transaction.atomic():
        current = Customer.objects.select_for_update(of=("self",)).select_related("owner").get(pk=customer.pk)
        before = snapshot(current)
        for name, value in _plain(changes).items():
            setattr(current, name, value)
        current.full_clean(exclude=["owner"])
        changed = [name for name in EDITABLE if getattr(before, name) != getattr(current, name)]
        if changed:
            extra = move_domains(current) if "environment" in changed else extra_domains(current)
            current.save(update_fields=[*changed, "updated_at"])
            Activity.objects.bulk_create(field_changes(before, current, changed, actor=actor, origin=origin))
            announcements = Announcements()
            collect(announcements, before, current, changed, extra)
            announcements.send()
    for name in (*EDITABLE, "updated_at"):
        setattr(customer, name, getattr(current, name))
    return changed


def set_status(customer: Customer, status: str, *, actor: User | None) -> bool:
    """Set the status; returns whether it changed. Archiving takes the customer out of matching, anything else back in.

    Raises ValidationError for a status that does not exist.
    """
    return bool(update_customer(customer, actor=actor, status=status))


def archive_customers(customers: Iterable[Customer], *, actor: User | None) -> int:
    """Archive several at once, announced once; returns how many were not archived before."""
    numbers = [customer.pk for customer in customers]
    announcements = Announcements()
    with transaction.atomic():
        found = list(
            Customer.objects.select_for_update().filter(pk__in=numbers).exclude(status=Status.ARCHIVED).order_by("pk")
        )
        entries = []
        for customer in found:
            before = snapshot(customer)
            customer.status = Status.ARCHIVED
            entries += field_changes(before, customer, ["status"], actor=actor)
        Customer.objects.bulk_update(found, ["status"])
        Activity.objects.bulk_create(entries)
        note_all(announcements, found)
        announcements.send()
    return len(found)


def delete_customers(customers: Sequence[Customer]) -> None:
    """Delete for good, history included, and let what matched them match again."""
    announcements = Announcements()
    with transaction.atomic():
        note_all(announcements, customers)
        Customer.objects.filter(pk__in=[customer.pk for customer in customers]).delete()
        announcements.send()


def add_domain(customer: Customer, domain: str, *, actor: User | None) -> CustomerDomain:
    """Give the customer an extra domain to match on.

    Raises ValidationError when it is no domain, the customer's own already, or one of another customer of the
    environment: two customers may share a domain only as their own.
    """
    extra = CustomerDomain(customer=customer, domain=domain)
    with transaction.atomic():
        extra.clean()
        if not extra.domain:
            raise ValidationError({"domain": _("Type a domain like acme.com.")})
        if extra.domain == customer.domain:
            raise ValidationError({"domain": _("%(domain)s is the customer's domain already.") % {"domain": domain}})
        refuse_taken(customer, [extra.domain])
        refuse_owned(customer, extra.domain)
        _save_unique(extra)
        record(customer, "customer.domain_added", actor=actor, field="domains", new=extra.domain)
        announce(customer.environment, domains=[extra.domain], ids=[customer.pk])
    return extra


def remove_domain(extra: CustomerDomain, *, actor: User | None) -> None:
    """Take an extra domain away again."""
    customer = extra.customer
    with transaction.atomic():
        extra.delete()
        record(customer, "customer.domain_removed", actor=actor, field="domains", old=extra.domain)
        announce(customer.environment, domains=[extra.domain], ids=[customer.pk])


def snapshot(customer: Customer) -> Customer:
    """A detached copy of what people may edit, to compare with afterwards."""
    return Customer(pk=customer.pk, **{name: getattr(customer, name) for name in EDITABLE})


def field_changes(
    before: Customer, after: Customer, changed: Iterable[str], *, actor: User | None, origin: str = ""
) -> list[Activity]:
    """One entry per changed field, with old and new as people read them."""
    return [
        Activity(
            customer=after,
            actor=actor,
            actor_type=Activity.ActorType.USER,
            event_type="customer.status_changed" if name == "status" else "customer.field_changed",
            field=name,
            old=readable(getattr(before, name)),
            new=readable(getattr(after, name)),
            origin=origin,
        )
        for name in changed
    ]


def record(
    customer: Customer,
    event_type: str,
    *,
    actor: User | None,
    source: str = "",
    field: str = "",
    old: str = "",
    new: str = "",
    origin: str = "",
) -> Activity:
    """Write one activity entry; ``source`` makes it an integration's rather than a person's."""
    by_integration = actor is None and bool(source)
    return Activity.objects.create(
        customer=customer,
        actor=actor,
        actor_type=Activity.ActorType.INTEGRATION if by_integration else Activity.ActorType.USER,
        event_type=event_type,
        field=field,
        old=old,
        new=new,
        origin=origin or source.capitalize(),
    )


def readable(value: Any) -> str:
    """A field's value in an activity entry: people by their name, nothing as an empty text."""
    if isinstance(value, User):
        return value.get_full_name() or value.get_username()
    return "" if value is None else str(value)


def extra_domains(customer: Customer) -> list[str]:
    """The extra domains of a customer."""
    return list(customer.domains.values_list("domain", flat=True))


def move_domains(customer: Customer) -> list[str]:
    """Let the extra domains follow the customer's environment, and return them.

    Raises ValidationError when another customer there has one of them.
    """
    moved = extra_domains(customer)
    refuse_taken(customer, moved)
    customer.domains.update(environment=customer.environment)
    return moved


def refuse_taken(customer: Customer, domains: Iterable[str]) -> None:
    """Raise ValidationError when one of ``domains`` is an extra domain already in the customer's environment."""
    taken = (
        CustomerDomain.objects.filter(environment=customer.environment, domain__in=list(domains))
        .select_related("customer")
        .first()
    )
    if taken is not None:
        sentence = _("%(domain)s is an extra domain of %(customer)s already.")
        raise ValidationError({"domain": sentence % {"domain": taken.domain, "customer": taken.customer.name}})


def refuse_owned(customer: Customer, domain: str) -> None:
    """Raise ValidationError when ``domain`` is another customer's own in the environment; archived ones own none."""
    others = Customer.objects.in_environment(customer.environment).matchable().exclude(pk=customer.pk)
    owner = others.filter(domain=domain).order_by("pk").first()
    if owner is not None:
        sentence = _("%(domain)s is the domain of %(customer)s. Take it away there first.")
        raise ValidationError({"domain": sentence % {"domain": domain, "customer": owner.name}})


def _save_unique(extra: CustomerDomain) -> None:
    """Save; somebody who was faster with the same domain is a ValidationError like any other."""
    try:
        with transaction.atomic():
            extra.save()
    except IntegrityError as error:
        raise ValidationError({"domain": _("%(domain)s was just taken.") % {"domain": extra.domain}}) from error


def _plain(changes: Changes) -> dict[str, Any]:
    """The changes as keyword arguments, with surrounding blanks of texts dropped.

    Raises TypeError for a field that nobody may set here.
    """
    unknown = set(changes) - set(EDITABLE)
    if unknown:
        raise TypeError(f"Not editable: {', '.join(sorted(unknown))}.")
    return {name: value.strip() if isinstance(value, str) else value for name, value in changes.items()}

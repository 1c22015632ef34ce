"""Customers in and out as tables: one resource behind the commands and Django admin (docs/architecture.md section 7).

Rows update by ``id`` where one is given, else by (environment, domain, name), else create. A row that cannot be read is
refused on its own. Statements per batch stay constant, and matching is told once, after everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any
from unicodedata import category

import tablib
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from import_export import fields, widgets
from import_export.instance_loaders import BaseInstanceLoader
from import_export.results import Result

from customers.announcements import Announcements, collect
from customers.csv_export import safe, unprotected
from customers.domains import normalise
from customers.import_report import ReportedResource
from customers.models import Activity, Customer, CustomerDomain, Environment, PersonalDomain, Status
from customers.services import EDITABLE, extra_domains, field_changes, refuse_taken, snapshot
from customers.table_cells import FlagsWidget, MomentWidget, MoneyWidget, OwnerWidget

BATCH = 1000
EXPORTED = (
    "id", "name", "domain", "environment", "status", "plan", "mrr", "payment_status", "billing_started_at",
    "stripe_customer_id", "owner", "plan_label", "billing_source", "billing_as_of", "billing_flags",
)  # fmt: skip


class CustomerLoader(BaseInstanceLoader):
    """Finds the customers a table is about with two queries per thousand rows, and remembers those it is creating."""

    def __init__(self, resource: CustomerResource, dataset: tablib.Dataset) -> None:
        super().__init__(resource, dataset)
        self.by_id: dict[int, Customer] = {}
        self.by_key: dict[tuple[str, str, str], Customer] = {}
        rows = [resource.tidy(row) for row in dataset.dict]
        for start in range(0, len(rows), BATCH):
            self._load(rows[start : start + BATCH])

    def _load(self, rows: list[dict[str, str]]) -> None:
        numbers = [int(row["id"]) for row in rows if row.get("id", "").isdecimal()]
        known = Customer.objects.select_related("owner").order_by("-id")
        for customer in known.filter(pk__in=[number for number in numbers if number < 2**63]):
            self.by_id[customer.pk] = customer
        names = {row.get("name", "") for row in rows if not row.get("id") and not has_controls(row.get("name", ""))}
        for customer in known.filter(name__in=names):  # newest first, so that the oldest of several wins
            same = self.by_id.setdefault(customer.pk, customer)
            self.by_key[_key(same)] = same

    def get_instance(self, row: dict[str, str]) -> Customer | None:
        """The customer of a row, one the same table is about to create included."""
        if number := row.get("id", ""):
            found = self.by_id.get(int(number)) if number.isdecimal() else None
            if found is None:
                raise ValidationError({"id": _("There is no customer %(id)s.") % {"id": number}})
            return found
        return self.by_key.get((row["environment"], row.get("domain", ""), row.get("name", "")))

    def remember(self, customer: Customer) -> None:
        """A later row of the same table finds what an earlier one creates or renames."""
        self.by_key.setdefault(_key(customer), customer)


def has_controls(text: str) -> bool:
    """Whether something in it is no text: line ends, NUL, halves of a character."""
    return any(category(character) in ("Cc", "Cs") for character in text)


def _key(customer: Customer) -> tuple[str, str, str]:
    return (customer.environment, customer.domain, customer.name)


def _shown(name: str, widget: widgets.Widget | None = None) -> fields.Field:
    """A column that is exported and never read back."""
    return fields.Field(attribute=name, column_name=name, widget=widget, readonly=True)


class CustomerResource(ReportedResource):
    """The table of customers.

    ``actor`` is who imports (nobody on the command line), ``environment`` where new rows go without a column of that
    name, ``origin`` what the activity entries say. After an import ``created``, ``updated`` and ``unchanged`` count
    rows; a table that was only tried out counts and writes nothing.
    """

    owner = fields.Field(attribute="owner", column_name="owner", widget=OwnerWidget())
    plan = _shown("plan")
    plan_label = _shown("plan_label")
    mrr = _shown("mrr", MoneyWidget())
    payment_status = _shown("payment_status")
    billing_started_at = _shown("billing_started_at", MomentWidget())
    stripe_customer_id = _shown("stripe_customer_id")
    billing_source = _shown("billing_source")
    billing_as_of = _shown("billing_as_of", MomentWidget())
    billing_flags = _shown("billing_flags", FlagsWidget())

    class Meta:
        model = Customer
        fields = EXPORTED
        export_order = EXPORTED
        import_id_fields = ()
        instance_loader_class = CustomerLoader
        use_bulk = True
        batch_size = BATCH

    def __init__(
        self,
        *,
        actor: User | None = None,
        environment: str = Environment.PRODUCTION,
        origin: str = "Import",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.actor, self.environment, self.origin = actor, environment, origin
        self.created = self.updated = self.unchanged = 0
        self._new: list[Customer] = []
        self._edited: list[tuple[Customer, Customer, list[str]]] = []
        self._before: Customer | None = None
        self._loader: CustomerLoader | None = None
        self._overrides = PersonalDomain.objects.overrides()

    def export_field(self, field: fields.Field, instance: Customer, **kwargs: Any) -> Any:
        """A cell that no spreadsheet runs as a formula."""
        return safe(super().export_field(field, instance, **kwargs))

    def get_queryset(self) -> QuerySet[Customer]:
        """Everything, with owners."""
        return super().get_queryset().select_related("owner").order_by("pk")

    def get_import_fields(self) -> list[fields.Field]:
        """What is read back: everything that is not only shown."""
        return [field for field in super().get_import_fields() if not field.readonly]

    def get_bulk_update_fields(self) -> list[str]:
        """Only what people edit: a stale billing figure must never overwrite a fresh one."""
        return [*EDITABLE, "updated_at"]

    def before_import(self, dataset: tablib.Dataset, **kwargs: Any) -> None:
        """Column names in lower case, and the people there are."""
        dataset.headers = [str(header or "").strip().lower() for header in dataset.headers or []]
        self.fields["owner"].widget.load()

    def tidy(self, row: Mapping[str, Any]) -> dict[str, str]:
        """A row as texts without surrounding blanks, its domain in the form it is stored in where it is one.

        The environment of the import stands in where a row that is not found by its id names none.
        """
        tidied = {
            str(name): "" if value is None else unprotected(str(value).strip()).strip() for name, value in row.items()
        }
        for name in ("environment", "status"):
            if name in tidied:
                tidied[name] = tidied[name].lower()
        if not tidied.get("id") and not tidied.get("environment"):
            tidied["environment"] = str(self.environment)
        with suppress(ValueError):
            tidied["domain"] = normalise(tidied.get("domain", ""), **self._overrides)
        if "domain" not in row:
            tidied.pop("domain")
        return tidied

    def before_import_row(self, row: MutableMapping[str, Any], **kwargs: Any) -> None:
        """Refuse what is wrong before anything is set, so that a refused row leaves no trace; blanks keep what is."""
        row.update(self.tidy(row))
        errors = self._objections(row)
        if errors:
            raise ValidationError(errors)
        for name in ("environment", "status"):
            if row.get(name) == "":
                del row[name]

    def _objections(self, row: Mapping[str, str]) -> dict[str, str]:
        errors: dict[str, str] = {}
        if not row.get("name") and ("name" in row or not row.get("id")):
            errors["name"] = _("A customer needs a name.")
        for name, limit in (("name", 255), ("domain", 320)):
            text = row.get(name, "")
            if len(text) > limit:
                errors[name] = _("Longer than %(limit)d characters.") % {"limit": limit}
            elif has_controls(text):
                errors[name] = _("Contains control characters.")
        for name, choices in (("status", Status.values), ("environment", Environment.values)):
            if row.get(name) and row[name] not in choices:
                said = {"value": row[name], "choices": ", ".join(choices)}
                errors[name] = _("“%(value)s” is none of %(choices)s.") % said
        for name, read in (("domain", self._read_domain), ("owner", self.fields["owner"].widget.clean)):
            try:
                read(row.get(name, ""))
            except ValueError as error:
                errors.setdefault(name, str(error))
        return errors

    def _read_domain(self, domain: str) -> str:
        return normalise(domain, **self._overrides)

    def after_init_instance(self, instance: Customer, new: bool, row: Mapping[str, str], **kwargs: Any) -> None:
        """Keep the values from before; a move to another environment has to be free for the extra domains."""
        self._before = None if new else snapshot(instance)
        target = row.get("environment", instance.environment)
        if instance.pk and target != instance.environment:
            moved = Customer(pk=instance.pk, environment=target)
            refuse_taken(moved, extra_domains(instance))

    def _changed(self, instance: Customer) -> list[str]:
        before = self._before
        return [name for name in EDITABLE if before and getattr(before, name) != getattr(instance, name)]

    def skip_row(
        self, instance: Customer, original: Customer | None, row: Any, import_validation_errors: Any = None
    ) -> bool:
        """A row that changes nothing is counted and not written."""
        if import_validation_errors or self._before is None or self._changed(instance):
            return False
        self.unchanged += 1
        self.updated += 1
        return True

    def save_instance(self, instance: Customer, is_create: bool, row: Any, **kwargs: Any) -> None:
        """Queue the row for the next batch; one that changes a customer still waiting in it is in it already."""
        instance.updated_at = timezone.now()
        if is_create or instance.pk is not None:
            super().save_instance(instance, is_create, row, **kwargs)
        if is_create:
            self.created += 1
            self._new.append(instance)
            self._remember(instance)
        else:
            self.updated += 1
            self._note_edit(instance)

    def _note_edit(self, instance: Customer) -> None:
        if self._before is not None and instance.pk is not None:
            self._edited.append((self._before, snapshot(instance), self._changed(instance)))

    def _remember(self, instance: Customer) -> None:
        if self._loader is not None:
            self._loader.remember(instance)

    def get_instance(self, instance_loader: CustomerLoader, row: dict[str, str]) -> Customer | None:
        """The customer of a row, if there is one."""
        self._loader = instance_loader
        return instance_loader.get_instance(row)

    def after_import(self, dataset: tablib.Dataset, result: Result, **kwargs: Any) -> None:
        """Write the activity, move extra domains along, and announce once. (The parent would reset the id sequence.)"""
        if self._is_dry_run(kwargs):
            return
        by_user = Activity.ActorType.USER
        entries = [
            Activity(
                customer=customer, actor=self.actor, actor_type=by_user, event_type="customer.created",
                new=customer.name, origin=self.origin,
            )
            for customer in self._new
        ]  # fmt: skip
        for before, after, changed in self._edited:
            entries += field_changes(before, after, changed, actor=self.actor, origin=self.origin)
        Activity.objects.bulk_create(entries, batch_size=BATCH)
        self._move_domains()
        self._announce()

    def _move_domains(self) -> None:
        for environment in Environment.values:
            moved = [
                after.pk for _before, after, changed in self._edited
                if "environment" in changed and after.environment == environment
            ]  # fmt: skip
            if moved:
                CustomerDomain.objects.filter(customer_id__in=moved).update(environment=environment)

    def _announce(self) -> None:
        extra: defaultdict[int, list[str]] = defaultdict(list)
        numbers = [after.pk for _before, after, _changed in self._edited]
        known = CustomerDomain.objects.filter(customer_id__in=numbers) if numbers else CustomerDomain.objects.none()
        for number, domain in known.values_list("customer_id", "domain"):
            extra[number].append(domain)
        announcements = Announcements()
        for customer in self._new:
            announcements.add(customer.environment, domains=[customer.domain], customer_id=customer.pk)
        for before, after, changed in self._edited:
            collect(announcements, before, after, changed, extra[after.pk])
        announcements.send()


class PlainCustomerResource(CustomerResource):
    """The same without a comparison of every row to show; for the commands."""

    class Meta(CustomerResource.Meta):
        skip_diff = True

    def export_field(self, field: fields.Field, instance: Customer, **kwargs: Any) -> Any:
        """A cell as it is: what reads the commands is no spreadsheet."""
        return super(CustomerResource, self).export_field(field, instance, **kwargs)

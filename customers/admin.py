"""Customers in Django admin: the same services, the same table in and out, billing fields to look at only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.forms import BaseModelFormSet, ModelForm
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportMixin
from import_export.formats import base_formats

from customers import personal_domains, services
from customers.models import Activity, Customer, CustomerDomain, MrrPoint, PersonalDomain
from customers.resources import CustomerResource
from customers.signals import exported

if TYPE_CHECKING:
    CustomerAdminBase = admin.ModelAdmin[Customer]
    DomainInlineBase = admin.TabularInline[CustomerDomain, Customer]
    PersonalDomainAdminBase = admin.ModelAdmin[PersonalDomain]
    ReadOnlyAdminBase = admin.ModelAdmin[Any]
else:
    CustomerAdminBase = PersonalDomainAdminBase = ReadOnlyAdminBase = admin.ModelAdmin
    DomainInlineBase = admin.TabularInline

BILLING_FIELDS = ("plan_label", "plan", "mrr", "payment_status", "billing_started_at", "stripe_customer_id")


class DomainInline(DomainInlineBase):
    """The extra domains of a customer."""

    model = CustomerDomain
    fields = ("domain",)
    extra = 0


@admin.register(Customer)
class CustomerAdmin(ImportExportMixin, CustomerAdminBase):
    """Customers; every write goes through the services, so that activity and matching follow."""

    resource_classes = [CustomerResource]
    formats = [base_formats.CSV]
    export_formats = [base_formats.CSV, base_formats.JSON]
    skip_export_form = True

    list_display = ("name", "domain", "environment", "status", "plan_label", "mrr", "payment_status", "owner")
    list_filter = ("environment", "status", "payment_status", "billing_source")
    list_select_related = ("owner",)
    search_fields = ("name__istartswith", "domain__startswith", "stripe_customer_id__startswith")
    search_help_text = _("The beginning of a name, a domain or a Stripe id")
    show_full_result_count = False
    list_per_page = 50
    readonly_fields = (*BILLING_FIELDS, "billing_source", "billing_as_of", "created_by_source")
    fieldsets = (
        (None, {"fields": ("name", "domain", "environment", "status", "owner")}),
        (_("Billing, filled in by an integration"), {"fields": readonly_fields}),
    )
    inlines = (DomainInline,)
    actions = ("archive",)

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Activity entries of an import name the person."""
        return {**super().get_import_resource_kwargs(request, **kwargs), "actor": request.user}

    def export_action(self, request: HttpRequest) -> Any:
        """The export of what is filtered; a filter that does not exist leads back to the list, as it does there."""
        try:
            return super().export_action(request)
        except IncorrectLookupParameters:
            return redirect("admin:customers_customer_changelist")

    def get_export_data(self, file_format: Any, request: HttpRequest, queryset: Any, **kwargs: Any) -> Any:
        """An export is announced, so that it can be recorded."""
        exported.send(
            sender=None, actor=_person(request), subject="customers", details={"page": "admin", "rows": len(queryset)}
        )
        return super().get_export_data(file_format, request, queryset, **kwargs)

    def save_model(self, request: HttpRequest, obj: Customer, form: ModelForm[Customer], change: bool) -> None:
        """Create or update through the services."""
        actor = _person(request)
        values = {name: form.cleaned_data[name] for name in services.EDITABLE if name in form.cleaned_data}
        if change:
            services.update_customer(obj, actor=actor, **values)
        else:
            obj.pk = services.create_customer(actor=actor, **values).pk
            obj.refresh_from_db()

    def save_formset(self, request: HttpRequest, form: Any, formset: BaseModelFormSet[Any, Any], change: bool) -> None:
        """Extra domains through the services too; one that is taken is said and left out."""
        actor = _person(request)
        formset.save(commit=False)
        for extra in formset.deleted_objects:
            services.remove_domain(extra, actor=actor)
        for extra, _changed in getattr(formset, "changed_objects", []):
            self._add(request, extra, instead_of=CustomerDomain.objects.get(pk=extra.pk))
        for extra in formset.new_objects:
            self._add(request, extra)

    def _add(self, request: HttpRequest, extra: CustomerDomain, *, instead_of: CustomerDomain | None = None) -> None:
        """Add an extra domain; one that is refused leaves the one it was to replace in place."""
        actor = _person(request)
        try:
            with transaction.atomic():
                if instead_of is not None:
                    services.remove_domain(instead_of, actor=actor)
                services.add_domain(extra.customer, extra.domain, actor=actor)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What a deletion takes along: history belongs to the customer and needs no permission of its own."""
        deleted, counts, _needed, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: Customer) -> None:
        """Delete, and let what matched it match again."""
        services.delete_customers([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        """Delete several."""
        services.delete_customers(list(queryset))

    @admin.action(description=_("Archive the selected customers"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        """Take several out of matching."""
        count = services.archive_customers(queryset, actor=_person(request))
        messages.success(request, _("%(count)d archived.") % {"count": count})


@admin.register(PersonalDomain)
class PersonalDomainAdmin(PersonalDomainAdminBase):
    """The workspace's changes to the list of personal e-mail domains."""

    list_display = ("domain", "personal")
    list_filter = ("personal",)
    search_fields = ("domain__startswith",)

    def save_model(self, request: HttpRequest, obj: PersonalDomain, form: Any, change: bool) -> None:
        """Save, and let the customers of the domain match again."""
        personal_domains.save(obj, actor=_person(request))

    def delete_model(self, request: HttpRequest, obj: PersonalDomain) -> None:
        """Back to what the packaged list says."""
        personal_domains.delete([obj], actor=_person(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PersonalDomain]) -> None:
        """Several at once."""
        personal_domains.delete(list(queryset), actor=_person(request))


class ReadOnlyAdmin(ReadOnlyAdminBase):
    """To look at only: history is never edited."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes."""
        return False


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    """What changed on customers."""

    list_display = ("at", "customer", "event_type", "field", "old", "new", "actor", "actor_type", "origin")
    list_filter = ("actor_type", "event_type", "field")
    list_select_related = ("customer", "actor")
    search_fields = ("customer__name__istartswith",)
    date_hierarchy = None


@admin.register(MrrPoint)
class MrrPointAdmin(ReadOnlyAdmin):
    """MRR over time."""

    list_display = ("at", "customer", "mrr", "cause")
    list_filter = ("cause",)
    list_select_related = ("customer",)


def _person(request: HttpRequest) -> User:
    """The signed-in person; the admin lets nobody else in."""
    assert isinstance(request.user, User)  # noqa: S101 (admin_view has refused everybody else)
    return request.user

"""Django admin of the integrations' tables: everything Stripe told us is read-only; exchange rates are edited here."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers import csv_export
from integrations import audit
from integrations.models import (
    ApiCall,
    AuditAction,
    AuditEntry,
    BillingSummary,
    ExchangeRate,
    MatchDecision,
    MatchDecisionMember,
    RateSource,
    StripeConnection,
    StripeCustomer,
    StripeInvoice,
    StripePrice,
    StripeProduct,
    StripeSubscription,
    SyncIssue,
    SyncRun,
    WorkerHeartbeat,
)
from integrations.models.heartbeat import SILENT_AFTER


class ReadOnly:
    """Nobody adds, changes or deletes here; what may be seen goes by the model's view permission."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows come from Stripe or from the pages of the integration."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """What Stripe said stays as it was said."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The mirror is deleted as a whole, on the disconnect page."""
        return False


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin[Any]):
    """A changelist and a page per row, without a full count of a huge table."""

    show_full_result_count = False
    list_per_page = 50


class MirrorAdmin(ReadOnlyAdmin):
    """A mirror table, found by the start of an id."""

    list_filter: ClassVar[tuple[str, ...]] = ("connection",)
    list_select_related: ClassVar[tuple[str, ...]] = ("connection",)
    search_fields: ClassVar[tuple[str, ...]] = ("stripe_id__startswith",)
    search_help_text = _("The start of a Stripe id")
    ordering = ("-pk",)


@admin.register(StripeConnection)
class StripeConnectionAdmin(ReadOnlyAdmin):
    """State and timestamps; the secrets are on no page."""

    list_display = ("mode", "state", "account_name", "account_id", "last_full_sync_at", "last_look_at")


@admin.register(StripeCustomer)
class StripeCustomerAdmin(MirrorAdmin):
    """Stripe customers and where matching put them."""

    list_display = ("stripe_id", "connection", "name", "email", "match_state", "match_reason", "customer")
    list_filter = ("connection", "standing", "match_state", "match_reason")
    list_select_related = ("connection", "customer")
    search_fields = ("stripe_id__startswith", "email_domain__startswith", "email_address__startswith")
    search_help_text = _("The start of a Stripe id, a domain or an address")


@admin.register(StripeSubscription)
class StripeSubscriptionAdmin(MirrorAdmin):
    """Subscriptions with their MRR."""

    list_display = ("stripe_id", "connection", "customer_id", "status", "plan_label", "currency", "mrr")
    list_filter = ("connection", "status")
    search_fields = ("stripe_id__startswith", "customer_id__startswith")


@admin.register(StripeInvoice)
class StripeInvoiceAdmin(MirrorAdmin):
    """Invoices a payment status may rest on."""

    list_display = ("stripe_id", "connection", "number", "customer_id", "status", "created")
    list_filter = ("connection", "status")
    search_fields = ("stripe_id__startswith", "customer_id__startswith", "number__startswith")


@admin.register(StripePrice)
class StripePriceAdmin(MirrorAdmin):
    """Prices with tiers and currency options."""

    list_display = ("stripe_id", "connection", "product_id", "lookup_key")


@admin.register(StripeProduct)
class StripeProductAdmin(MirrorAdmin):
    """Products."""

    list_display = ("stripe_id", "connection", "name")


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    """Runs."""

    list_display = ("pk", "connection", "kind", "state", "started_at", "finished_at", "matched", "unmatched", "skipped")
    list_filter = ("connection", "kind", "state")
    list_select_related = ("connection",)


@admin.register(SyncIssue)
class SyncIssueAdmin(ReadOnlyAdmin):
    """Records that need, or needed, attention."""

    list_display = ("object_id", "connection", "object_type", "code", "severity", "state", "last_seen_at")
    list_filter = ("connection", "state", "severity", "code")
    list_select_related = ("connection",)
    search_fields = ("object_id__startswith", "stripe_customer_id__startswith")


@admin.register(ApiCall)
class ApiCallAdmin(ReadOnlyAdmin):
    """The last calls to Stripe."""

    list_display = ("at", "connection", "method", "path", "status", "duration_ms")
    list_filter = ("connection", "method", "status")
    list_select_related = ("connection",)


@admin.register(BillingSummary)
class BillingSummaryAdmin(ReadOnlyAdmin):
    """Why the billing fields of a customer say what they say."""

    list_display = ("customer", "connection", "live_subscriptions", "computed_at")
    list_filter = ("connection",)
    list_select_related = ("customer", "connection")


class MemberInline(ReadOnly, admin.TabularInline[MatchDecisionMember, MatchDecision]):
    """What a decision says about each Stripe customer."""

    model = MatchDecisionMember
    extra = 0


@admin.register(MatchDecision)
class MatchDecisionAdmin(ReadOnlyAdmin):
    """Decisions are append-only; undoing one is a new one, never an edit here."""

    list_display = ("pk", "connection", "kind", "actor", "created_at", "reason")
    list_filter = ("connection", "kind")
    list_select_related = ("connection", "actor")
    inlines = (MemberInline,)


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(ReadOnlyAdmin):
    """The workers: which machines do the background work, and when each last finished a piece of it."""

    list_display = ("name", "at", "seems")
    list_display_links = None
    ordering = ("name",)

    @admin.display(description=_("seems"))
    def seems(self, worker: WorkerHeartbeat) -> str:
        """In a word."""
        silent = timezone.now() - worker.at
        return str(_("at work")) if silent < SILENT_AFTER else str(_("silent"))


AUDIT_COLUMNS = ("at", "who", "what", "mode", "of_what", "details", "request_id", "address")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what: filtered by deed, person and time, and as CSV. Nobody changes it, the database itself refuses."""

    list_display = ("at", "who", "action", "mode", "subject", "said", "address")
    list_display_links = None
    list_filter = ("action", "mode", "actor_name", "at")
    search_fields = ("subject__istartswith", "actor_name__istartswith", "request_id__startswith")
    search_help_text = _("The start of a name, of what it was done to, or of a request id")
    change_list_template = "admin/integrations/auditentry/change_list.html"

    @admin.display(description=_("who"), ordering="actor_name")
    def who(self, entry: AuditEntry) -> str:
        """The person, as they were called then."""
        return entry.actor_name or str(_("a command or Pivotal itself"))

    @admin.display(description=_("details"))
    def said(self, entry: AuditEntry) -> str:
        """The details as people read them: what was before stands before what is after."""
        return "; ".join(
            f"{name.replace('_', ' ')}: {readable(value)}"
            for name, value in sorted(entry.details.items(), reverse=True)
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list under its own name."""
        return super().changelist_view(request, {"title": _("Audit log"), **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        """The list's own, and its CSV."""
        csv = path("csv/", self.admin_site.admin_view(self.csv_view), name="integrations_auditentry_csv")
        return [csv, *super().get_urls()]

    def csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """What is filtered, as CSV; taking it out is recorded too."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:  # a filter that does not exist: back to the list, which says so
            return redirect("admin:integrations_auditentry_changelist")
        audit.record(
            AuditAction.EXPORT, actor=request.user, subject="audit log", details={"filters": request.GET.urlencode()}
        )
        rows = (audit_cells(entry) for entry in found.iterator(chunk_size=2000))
        return csv_export.stream(f"audit-{timezone.localdate().isoformat()}.csv", AUDIT_COLUMNS, rows)


def readable(value: Any) -> str:
    """A value of an entry's details: lists and before-and-after in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {readable(inner) or '—'}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(readable(inner) for inner in value)
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def audit_cells(entry: AuditEntry) -> tuple[Any, ...]:
    """An entry as the columns of its CSV."""
    details = json.dumps(entry.details, sort_keys=True, ensure_ascii=False) if entry.details else ""
    return (
        entry.at, entry.actor_name, entry.action, entry.mode, entry.subject, details, entry.request_id, entry.address,
    )  # fmt: skip


class ExchangeRateForm(forms.ModelForm[ExchangeRate]):
    """A rate somebody enters: so many US dollars for one unit of the currency."""

    class Meta:
        model = ExchangeRate
        fields = ("currency", "date", "usd_per_unit")

    def clean_currency(self) -> str:
        """Three letters, in the case Stripe uses; US dollars need no rate."""
        currency: str = self.cleaned_data["currency"].strip().lower()
        if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
            raise forms.ValidationError(_("A currency has three letters, like NGN."))
        if currency == "usd":
            raise forms.ValidationError(_("US dollars need no rate."))
        return currency

    def clean(self) -> dict[str, Any] | None:
        """An admin's row holds USD per unit, greater than zero, once a day and currency."""
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("usd_per_unit"):
            self.add_error("usd_per_unit", _("Enter how many US dollars one unit is worth."))
        self.instance.source = RateSource.ADMIN
        currency, date = cleaned.get("currency"), cleaned.get("date")
        if currency and date:
            same_day = ExchangeRate.objects.filter(source=RateSource.ADMIN, currency=currency, date=date)
            if same_day.exclude(pk=self.instance.pk).exists():
                self.add_error("date", _("There is a rate of this day for this currency already; change that one."))
        return cleaned


@admin.register(ExchangeRate)
class ExchangeRateAdmin(admin.ModelAdmin[ExchangeRate]):
    """Rates of the ECB are read-only; an admin's rate wins over them. A new set reaches the figures at once."""

    form = ExchangeRateForm
    list_display = ("currency", "date", "source", "usd_per_unit", "units_per_euro", "entered_by")
    list_filter = ("source", "date")
    list_select_related = ("entered_by",)
    search_fields = ("currency__istartswith",)
    date_hierarchy = "date"

    def has_change_permission(self, request: HttpRequest, obj: ExchangeRate | None = None) -> bool:
        """Only what an admin entered can be changed."""
        return super().has_change_permission(request, obj) and (obj is None or obj.source == RateSource.ADMIN)

    def has_delete_permission(self, request: HttpRequest, obj: ExchangeRate | None = None) -> bool:
        """Only what an admin entered can be deleted."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.source == RateSource.ADMIN)

    def get_readonly_fields(self, request: HttpRequest, obj: ExchangeRate | None = None) -> tuple[str, ...]:
        """Which currency and day a rate is of stays; a wrong one is deleted and entered again."""
        return ("currency", "date") if obj else ()

    def save_model(
        self, request: HttpRequest, obj: ExchangeRate, form: forms.ModelForm[ExchangeRate], change: bool
    ) -> None:
        """Remember who entered it, and recompute what it touches."""
        obj.source = RateSource.ADMIN
        obj.entered_by_id = request.user.pk
        super().save_model(request, obj, form, change)

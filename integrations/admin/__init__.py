"""Django admin of the integrations' tables: everything Stripe told us is read-only; exchange rates are edited here."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integrations.admin.audit import AuditEntryAdmin
from integrations.admin.decisions import MatchDecisionAdmin
from integrations.admin.groups import AmbiguousGroupAdmin
from integrations.admin.people import RecordedGroupAdmin, RecordedUserAdmin
from integrations.admin.read_only import ReadOnlyAdmin
from integrations.admin.workers import WorkerHeartbeatAdmin
from integrations.models import (
    ApiCall,
    BillingSummary,
    ExchangeRate,
    RateSource,
    StripeConnection,
    StripeCustomer,
    StripeInvoice,
    StripePrice,
    StripeProduct,
    StripeSubscription,
    SyncIssue,
    SyncRun,
)
from integrations.stripe.sync import rates

__all__ = [
    "AmbiguousGroupAdmin",
    "AuditEntryAdmin",
    "MatchDecisionAdmin",
    "RecordedGroupAdmin",
    "RecordedUserAdmin",
    "WorkerHeartbeatAdmin",
]


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


class ExchangeRateForm(forms.ModelForm[ExchangeRate]):
    """A rate somebody enters: so many US dollars for one unit of the currency."""

    class Meta:
        model = ExchangeRate
        fields = ("currency", "date", "usd_per_unit")
        help_texts = {
            "currency": _("Three letters, like NGN."),
            "date": _("The day the rate is of; it is shown beside every figure. Of several the newest counts."),
            "usd_per_unit": _("How many US dollars one unit is worth: 0.00065 for NGN, not 1,540."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "date" in self.fields:
            self.fields["date"].initial = timezone.localdate

    def clean_currency(self) -> str:
        """Three letters, in the case Stripe uses; US dollars need no rate."""
        currency: str = self.cleaned_data["currency"].strip().lower()
        if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
            raise forms.ValidationError(_("A currency has three letters, like NGN."))
        if currency == "usd":
            raise forms.ValidationError(_("US dollars need no rate."))
        return currency

    def clean_date(self) -> datetime.date:
        """A rate is of a day that has come; one of a later day would count today already."""
        date: datetime.date = self.cleaned_data["date"]
        if date > timezone.localdate():
            raise forms.ValidationError(_("This day has not come yet."))
        return date

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
        self._expect_right_way_round(cleaned)
        return cleaned

    def _expect_right_way_round(self, cleaned: dict[str, Any]) -> None:
        """Where the ECB quotes the currency, a rate that is far from its own was most likely turned over."""
        entered, currency = cleaned.get("usd_per_unit"), cleaned.get("currency") or self.instance.currency
        if not entered or not currency:
            return
        quoted = rates.load_ecb().get(currency)
        if quoted and not quoted.usd_per_unit / 2 < entered < quoted.usd_per_unit * 2:
            says = _("The ECB says 1 %(currency)s is %(rate)s US dollars. Is this the wrong way round?")
            worth = f"{quoted.usd_per_unit:.6g}"
            self.add_error("usd_per_unit", says % {"currency": currency.upper(), "rate": worth})


@admin.register(ExchangeRate)
class ExchangeRateAdmin(admin.ModelAdmin[ExchangeRate]):
    """Rates of the ECB are read-only; an admin's rate wins over them. The worker takes a new one to the figures."""

    form = ExchangeRateForm
    list_display = ("code", "date", "source", "worth", "entered_by")
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
        """Remember who entered it, and say what follows."""
        obj.source = RateSource.ADMIN
        obj.entered_by_id = request.user.pk
        super().save_model(request, obj, form, change)
        self._say_what_follows(request, [obj.currency])

    def delete_model(self, request: HttpRequest, obj: ExchangeRate) -> None:
        """Say what follows."""
        super().delete_model(request, obj)
        self._say_what_follows(request, [obj.currency])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ExchangeRate]) -> None:
        """Say what follows."""
        currencies = sorted(set(queryset.values_list("currency", flat=True)))
        super().delete_queryset(request, queryset)
        self._say_what_follows(request, currencies)

    def _say_what_follows(self, request: HttpRequest, currencies: Sequence[str]) -> None:
        """The worker converts again; nobody waits for it at a form."""
        codes = ", ".join(currency.upper() for currency in currencies)
        if codes:
            self.message_user(
                request,
                _("What is billed in %(codes)s is being converted again; the figures follow within a minute.")
                % {"codes": codes},
                messages.INFO,
            )

    @admin.display(description=_("currency"), ordering="currency")
    def code(self, obj: ExchangeRate) -> str:
        """The currency as people write it."""
        return obj.currency.upper()

    @admin.display(description=_("rate"))
    def worth(self, obj: ExchangeRate) -> str:
        """What the rate says, without trailing zeros."""
        if obj.usd_per_unit is not None:
            return f"1 {obj.currency.upper()} = {obj.usd_per_unit.normalize():f} USD"
        units = obj.units_per_euro
        return f"1 EUR = {units.normalize():f} {obj.currency.upper()}" if units is not None else ""

"""Match decisions in Django admin: append-only, with a row per Stripe customer."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from integrations.admin.read_only import ReadOnly, ReadOnlyAdmin
from integrations.models import MatchDecision, MatchDecisionMember


class MemberInline(ReadOnly, admin.TabularInline[MatchDecisionMember, MatchDecision]):
    """What a decision says about each Stripe customer."""

    model = MatchDecisionMember
    extra = 0
    verbose_name = _("Member")
    verbose_name_plural = _("Members")
    fields = ("stripe_customer_id", "effect", "customer", "created_customer")


@admin.register(MatchDecision)
class MatchDecisionAdmin(ReadOnlyAdmin):
    """Decisions are append-only; undoing one is a new one, never an edit here."""

    list_display = ("pk", "connection", "kind", "actor", "created_at", "reason")
    list_filter = ("connection", "kind")
    list_select_related = ("connection", "actor")
    search_fields = ("members__stripe_customer_id__startswith", "reason__icontains")
    search_help_text = _("The start of a Stripe id, or words of the reason")
    inlines = (MemberInline,)

"""Ambiguous matches in Django admin: one row per group, the most MRR first, many kept merged at once.

A row opens the comparison on the pages of the integration, and so does the action: they show the effect on the headers
and ask one reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers import wording
from integrations.admin.read_only import ReadOnlyAdmin
from integrations.models import AmbiguousGroup, Mode, StripeConnection
from integrations.permissions import DECIDE
from integrations.stripe.sync import groups
from integrations.stripe.sync.counts import count
from integrations.stripe.sync.match import SEVERAL_CUSTOMERS

CENT = Decimal("0.01")
NAMED = 4
BY_STAKE = ("-stake", "pk")
AT_ONCE = 400


def mode_of(request: HttpRequest) -> str:
    """The mode the list is about; live unless the address says test."""
    return Mode.TEST if request.GET.get("mode") == Mode.TEST else Mode.LIVE


def connection_of(request: HttpRequest) -> StripeConnection | None:
    """The connection of that mode, read once a request; None when it was never connected."""
    kept: dict[str, StripeConnection | None] = request.__dict__.setdefault("_ambiguous_connection", {})
    mode = mode_of(request)
    if mode not in kept:
        kept[mode] = StripeConnection.objects.filter(mode=mode).first()
    return kept[mode]


class ModeFilter(admin.SimpleListFilter):
    """Live or test; never both at once."""

    title = gettext_lazy("mode")
    parameter_name = "mode"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The two modes."""
        return [(mode.value, mode.label) for mode in Mode]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Live is chosen when nothing is."""
        for value, label in self.lookup_choices:
            yield {
                "selected": (self.value() or Mode.LIVE.value) == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[AmbiguousGroup]) -> QuerySet[AmbiguousGroup]:
        """The list is of one mode already."""
        return queryset


class NewsFilter(admin.SimpleListFilter):
    """What came since somebody last looked, or since somebody last decided."""

    title = gettext_lazy("news")
    parameter_name = "news"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """New to me, and new to a decision."""
        return [
            ("visit", gettext_lazy("New since my last visit")),
            ("changed", gettext_lazy("Changed since the last decision")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AmbiguousGroup]) -> QuerySet[AmbiguousGroup]:
        """Groups flagged after the visit before this one; groups that a decision knew in another shape."""
        connection = connection_of(request)
        if connection is None or self.value() is None:
            return queryset
        if self.value() == "changed":
            return queryset.filter(pk__in=groups.decided_before(connection))
        before = request.__dict__.get("_visited_before")
        if before is None:
            return queryset
        return queryset.filter(
            Exists(groups.flagged(connection).filter(customer_id=OuterRef("pk"), ambiguous_since__gt=before))
        )


class KindFilter(admin.SimpleListFilter):
    """Several Stripe customers on one customer, or one domain on several customers."""

    title = gettext_lazy("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The two kinds (docs/rules.md section 2.6)."""
        return [
            ("stripe", gettext_lazy("Several Stripe customers, one customer")),
            ("customers", gettext_lazy("One domain, several customers")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AmbiguousGroup]) -> QuerySet[AmbiguousGroup]:
        """Groups with, or without, a member whose domain is on several customers."""
        connection = connection_of(request)
        if connection is None or self.value() is None:
            return queryset
        contested = Exists(
            groups.flagged(connection).filter(customer_id=OuterRef("pk"), ambiguous_kind=SEVERAL_CUSTOMERS)
        )
        return queryset.filter(contested if self.value() == "customers" else ~contested)


class GroupList(ChangeList):
    """Gives each row of a page its members and its news, in a constant number of queries."""

    def _get_default_ordering(self) -> Sequence[Any]:
        """What the arrow in the table's head goes by."""
        return BY_STAKE

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, then everybody in its groups at once."""
        super().get_results(request)
        connection = connection_of(request)
        rows: list[Any] = list(self.result_list)
        members = groups.members_of(connection, [row.pk for row in rows]) if connection else {}
        news = groups.news(connection, members) if connection else {}
        for row in rows:
            row.of_group, row.news = members.get(row.pk, []), news.get(row.pk, groups.News(None))
            row.mode = mode_of(request)
        self.result_list = rows


@admin.register(AmbiguousGroup)
class AmbiguousGroupAdmin(ReadOnlyAdmin):
    """One row per group. Whoever may decide sees it."""

    list_display = ("customer", "who", "state", "waiting", "at_stake")
    list_display_links = None
    list_filter = (NewsFilter, KindFilter, ModeFilter)
    search_fields = ("name__icontains", "domain__startswith", "stripe_customers__stripe_id__startswith")
    search_help_text = gettext_lazy("Customer, domain or Stripe id")
    list_max_show_all = AT_ONCE
    actions = ("keep_merged",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The groups of one mode."""
        connection = connection_of(request)
        if connection is None:
            return AmbiguousGroup.objects.none()
        return groups.groups(connection).order_by(*BY_STAKE)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """By what is at stake, once there is a mode to have stakes in."""
        return BY_STAKE if connection_of(request) else ("pk",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that knows its groups."""
        return GroupList

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may decide."""
        return request.user.has_perm(DECIDE)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may decide finds it in the sidebar."""
        return request.user.has_perm(DECIDE)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """What the action asks."""
        return request.user.has_perm(DECIDE)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list; looking at it is a visit."""
        if self.has_view_permission(request) and isinstance(request.user, User):
            request.__dict__["_visited_before"] = groups.visit(request.user)
        return super().changelist_view(
            request, {"title": _("Ambiguous matches"), **_sum(request), **(extra_context or {})}
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A group is compared on the page of the integration."""
        if not object_id.isdigit() or not self.has_view_permission(request):
            return super().change_view(request, object_id, form_url, extra_context)
        return HttpResponseRedirect(reverse("stripe:ambiguous_group", args=[mode_of(request), int(object_id)]))

    @admin.action(description=gettext_lazy("Keep merged"), permissions=["decide"])
    def keep_merged(self, request: HttpRequest, queryset: QuerySet[AmbiguousGroup]) -> HttpResponse | None:
        """Ask one reason for all of them, on the page that shows the headers."""
        ids = list(queryset.values_list("pk", flat=True)[: AT_ONCE + 1])
        if len(ids) > AT_ONCE:
            messages.warning(request, _("Choose at most %(number)s groups at once.") % {"number": AT_ONCE})
            return None
        address = reverse("stripe:decide_keep_merged", args=[mode_of(request)])
        return HttpResponseRedirect(f"{address}?ids={','.join(map(str, ids))}")

    @admin.display(description=gettext_lazy("Customer"), ordering="name")
    def customer(self, row: Any) -> SafeString:
        """The customer, leading to the comparison."""
        address = reverse("stripe:ambiguous_group", args=[row.mode, row.pk])
        return format_html('<a href="{}">{}</a><span class="table__sub">{}</span>', address, row.name, row.domain)

    @admin.display(description=gettext_lazy("Members"), ordering="members")
    def who(self, row: Any) -> SafeString:
        """How many Stripe customers, and which."""
        number = len(row.of_group)
        names = [(each.name or each.email or each.stripe_id)[:40] for each in row.of_group[:NAMED]]
        more = ["…"] if number > NAMED else []
        text = ngettext("%(n)s Stripe customer", "%(n)s Stripe customers", number) % {"n": wording.number(number)}
        return format_html('{}<span class="table__sub">{}</span>', text, ", ".join(names + more))

    @admin.display(description=gettext_lazy("Since the last decision"))
    def state(self, row: Any) -> SafeString:
        """New, or changed since somebody decided."""
        decision = row.news.decision
        if decision is None:
            return _badge("note", _("New"), _("Nobody has decided yet"))
        told = {"what": decision.get_kind_display(), "day": wording.day(decision.created_at)}
        if row.news.winner_ended:
            return _badge("past_due", _("Changed"), _("The winner's billing ended, “%(what)s” of %(day)s") % told)
        number = len(row.news.newcomers)
        if not number:
            return _badge("past_due", _("Changed"), _("Since “%(what)s” of %(day)s") % told)
        text = ngettext(
            "%(n)s newcomer since “%(what)s” of %(day)s", "%(n)s newcomers since “%(what)s” of %(day)s", number
        )
        return _badge("past_due", _("Changed"), text % {"n": wording.number(number), **told})

    @admin.display(description=gettext_lazy("Waiting"), ordering="since")
    def waiting(self, row: Any) -> SafeString | str:
        """How long nobody has decided."""
        if row.since is None:
            return "—"
        age = max(timezone.now() - row.since, timedelta(0))
        return format_html('<time title="{}">{}</time>', wording.absolute(row.since), wording.rough_span(age))

    @admin.display(description=gettext_lazy("MRR"), ordering="stake")
    def at_stake(self, row: Any) -> str:
        """What is at stake, a lower bound where the figure leaves something out."""
        sign = "≥ " if "incomplete" in row.billing_flags else ""
        return f"{sign}{wording.money(row.stake.quantize(CENT))}"


def _badge(status: str, label: str, more: str) -> SafeString:
    badge = render_to_string("components/badge.html", {"status": status, "label": label})
    return format_html('{}<span class="table__sub">{}</span>', badge, more)


def _sum(request: HttpRequest) -> dict[str, Any]:
    """What waits altogether, below the title."""
    connection = connection_of(request)
    if connection is None:
        return {}
    counts = count(connection)
    if not counts.ambiguous:
        return {"subtitle": _("All clear")}
    text = ngettext(
        "%(groups)s group, %(members)s Stripe customers, %(mrr)s MRR",
        "%(groups)s groups, %(members)s Stripe customers, %(mrr)s MRR",
        counts.ambiguous_groups,
    )
    return {
        "subtitle": text
        % {
            "groups": wording.number(counts.ambiguous_groups),
            "members": wording.number(counts.ambiguous),
            "mrr": wording.money(counts.ambiguous_mrr.quantize(CENT)),
        }
    }

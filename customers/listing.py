"""One look at the customer list: what the address asks for, worked out once for the page and for its CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers import by_owner, forms, keyset, permissions, selectors, totals
from customers.filter_choices import choices_in
from customers.keyset import Key, Page
from customers.models import Customer, Environment, SavedView
from customers.models.customer import CustomerQuerySet

COLUMNS = {
    "name": gettext_lazy("Name"),
    "plan": gettext_lazy("Plan"),
    "mrr": gettext_lazy("MRR"),
    "risk": gettext_lazy("At risk"),
    "payment": gettext_lazy("Payment status"),
    "since": gettext_lazy("Billed since"),
    "owner": gettext_lazy("Owner"),
}


def url_of_environment(environment: str, **filters: str) -> str:
    """The list of one environment; production needs no parameter."""
    if environment != Environment.PRODUCTION:
        filters = {"environment": environment, **filters}
    address = reverse("customers:list")
    return f"{address}?{urlencode(filters)}" if filters else address


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set, and the address without it."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Column:
    """A sortable column: its address turns the order round when it is the current one."""

    name: str
    label: str
    url: str
    direction: str  # ascending, descending, or empty when the list is sorted by another one

    @property
    def css(self) -> str:
        """Figures stand at the right, names get room."""
        return {"mrr": "figure", "risk": "figure", "name": "col-name"}.get(self.name, "")

    @property
    def means(self) -> str:
        """The name of what explains it (`pivotal.figures`); empty where the label says it all."""
        explained = {
            "mrr": "mrr",
            "risk": "at_risk",
            "plan": "plan",
            "payment": "payment_status",
            "since": "billed_since",
        }
        return explained.get(self.name, "")


class Listing:
    """The list as ``query`` asks for it and ``user`` may see it.

    ``environment`` is production unless staging is asked for; Members start on their own customers. What the address
    says and the list does not understand counts as not said.
    """

    def __init__(self, user: User, query: QueryDict) -> None:
        self.user = user
        self.query = query
        asked = query.get("environment", "")
        self.environment = Environment(asked) if asked in Environment.values else Environment.PRODUCTION
        self.only_own = permissions.sees_only_own(user)
        starts_own = not user.is_staff
        self.whose = "mine" if self.only_own else query.get("whose", "mine" if starts_own else "all")
        self.form = forms.FilterForm(query, choices=choices_in(self.environment))
        self.chosen: dict[str, Any] = self.form.chosen()
        self.sort = selectors.parse_sort(query.get("sort", ""), at_risk=self.shows_risk)
        visible = permissions.visible_customers(user)
        if self.is_mine:
            visible = visible.filter(owner=user)
        self.found: CustomerQuerySet
        self.found, self._parts = selectors.searched(visible, self.environment, self.chosen)

    @property
    def is_mine(self) -> bool:
        """Whether only the person's own customers are shown."""
        return self.whose == "mine"

    @property
    def is_everybodys(self) -> bool:
        """Whether everybody's customers are shown."""
        return not self.is_mine

    @property
    def shows_risk(self) -> bool:
        """Whether only customers at risk are shown, each with what is and why."""
        return "risk" in self.chosen

    @property
    def worst_first(self) -> bool:
        """Whether a filter on changes decides the order."""
        return "changed" in self.chosen

    @property
    def since(self) -> datetime | None:
        """The moment the filter on changes looks back to."""
        return selectors.since_of(self.chosen["changed"]) if self.worst_first else None

    def totals(self) -> totals.Totals:
        """The sums over what was found."""
        if self.is_mine:
            return totals.totals(self._parts)
        return totals.of_list(self._parts, self.environment, self.chosen)

    def keys(self) -> list[Key]:
        """The sort keys."""
        return selectors.sort_keys(self.sort, worst_first=self.worst_first)

    def sorted(self) -> CustomerQuerySet:
        """What was found, ready to be sorted by :meth:`keys`."""
        return selectors.annotated(self.found, self.sort, since=self.since)

    def ordered(self) -> CustomerQuerySet:
        """What was found, in order."""
        return self.sorted().order_by(*(f"-{key.name}" if key.descending else key.name for key in self.keys()))

    def page(self, number: int, *, after: str, before: str) -> Page[Customer]:
        """The page after or before a cursor, else the first one, of ``number`` customers in all."""
        keys, size = self.keys(), selectors.PAGE_SIZE
        if keys[0].name == "owner_key" and number > by_owner.FEW:
            return by_owner.page(self.found, keys, size=size, after=after, before=before)
        # Owners in a query of their own: a join can lead the database away from the order of the index.
        customers = self.sorted().select_related(None).prefetch_related("owner")
        return keyset.page(customers, keys, size=size, after=after, before=before)

    def url(self, **changes: str) -> str:
        """The address of this list with some parameters changed; an empty value drops one. Paging starts anew."""
        return f"{reverse('customers:list')}{self._query(changes)}"

    def csv_url(self) -> str:
        """The address of the CSV of exactly what is filtered."""
        return f"{reverse('customers:csv')}{self._query({})}"

    @property
    def is_narrowed(self) -> bool:
        """Whether anything was filtered or sorted, so that a view of it would be worth a name."""
        return bool(self.chosen or self.query.get("sort"))

    def saved_query(self) -> str:
        """What a saved view keeps: what the address says and the list understands, and no place in its pages."""
        asked = {name: self.query.get(name, "") for name in (*self.form.fields, "whose", "sort", "environment")}
        asked |= {name: "" for name in self.form.fields if name not in self.chosen}
        return urlencode(sorted((name, value) for name, value in asked.items() if value))

    def saved_views(self) -> list[tuple[SavedView, str, bool]]:
        """The person's own views with their addresses, and which of them this is."""
        here, address = self.saved_query(), reverse("customers:list")
        return [
            (view, f"{address}?{view.query}" if view.query else address, view.query == here)
            for view in SavedView.objects.filter(user=self.user)
        ]

    def _query(self, changes: Mapping[str, str]) -> str:
        kept = {name: value for name, value in self.query.items() if name not in ("after", "before") and value}
        kept |= changes
        text = urlencode({name: value for name, value in kept.items() if value})
        return f"?{text}" if text else ""

    def columns(self) -> list[Column]:
        """The sortable columns."""
        shown = {name: label for name, label in COLUMNS.items() if name != "risk" or self.shows_risk}
        return [self._column(name, str(label)) for name, label in shown.items()]

    def _column(self, name: str, label: str) -> Column:
        if self.worst_first or self.sort.removeprefix("-") != name:
            first = f"-{name}" if name in ("mrr", "risk") else name
            return Column(name, label, self.url(sort=first), "")
        descending = self.sort.startswith("-")
        turned = name if descending else f"-{name}"
        return Column(name, label, self.url(sort=turned), "descending" if descending else "ascending")

    def chips(self) -> list[Chip]:
        """The filters that are set."""
        return [
            Chip(self._chip_text(name, value), self.url(**{name: ""})) for name, value in self.chosen.items() if value
        ]

    def _chip_text(self, name: str, value: Any) -> str:
        field = self.form.fields[name]
        label = str(field.label)
        if value is True:
            return label
        if name == "q":
            return _("Search: %(text)s") % {"text": value}
        choices = {str(key): str(text) for key, text in getattr(field, "choices", ())}
        return f"{label}: {choices.get(str(value), value)}"

    def described(self) -> dict[str, str]:
        """What is shown, for the record: the environment, whose, and the filters that are set."""
        chosen = {name: str(value) for name, value in self.chosen.items() if value}
        return {"environment": self.environment.value, "whose": "mine" if self.is_mine else "all", **chosen}

    def clear_url(self) -> str:
        """The address without any filter, in the same environment and for the same people."""
        return self.url(**dict.fromkeys(self.form.fields, ""))

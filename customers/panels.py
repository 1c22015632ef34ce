"""What an integration puts on the customer pages, without the CRM side knowing any integration.

An integration registers one :class:`CustomerPanel` when the apps are ready (docs/architecture.md section 3, "imports
point one way"). The pages ask the registry and never the integration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Literal

from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from customers.models import Customer

Tone = Literal["failing", "past_due", "none"]


@dataclass(frozen=True, slots=True)
class Link:
    """Where a sentence leads. ``external`` ones open at the provider (``rel="noopener noreferrer"``)."""

    label: str
    url: str
    external: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """One line under the facts of the header: a plain sentence, its tone, and where it leads."""

    text: str
    tone: Tone = "past_due"
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says beside the five billing fields.

    ``source`` names the provider ("Stripe"). ``attached`` is False when nothing is attached: then plan and MRR show a
    dash and ``notes`` start with the reason. ``as_of`` is when the figures were last known to be true; ``live`` whether
    changes arrive by themselves; ``stale_reason`` is empty while they are fresh, else the sentence why they are grey.
    ``mrr_incomplete`` puts "≥" before the MRR, with this sentence as its title. ``ended_at`` turns "Billed since" into
    "Billing ended". ``plan_more`` is how many live subscriptions there are beside the primary one ("Growth +3").
    ``rates`` dates the exchange rates a converted MRR rests on ("rates of 30 Oct 2026"), else it is empty;
    ``rates_title`` says whose they are and how old.
    """

    source: str
    attached: bool
    as_of: datetime | None = None
    live: bool = False
    stale_reason: str = ""
    mrr_url: str = ""
    mrr_incomplete: str = ""
    plan_more: int = 0
    ended_at: datetime | None = None
    notes: Sequence[Note] = ()
    rates: str = ""
    rates_title: str = ""


@dataclass(frozen=True, slots=True)
class MenuItem:
    """An entry of the ⋯ menu; ``method`` "post" makes it a form with a CSRF token, "get" a link."""

    label: str
    url: str
    method: Literal["get", "post"] = "get"
    icon: str = ""
    external: bool = False


@dataclass(frozen=True, slots=True)
class ListBadges:
    """What a row of the list says beside the fields of the customer itself. Empty strings say nothing.

    ``undecided``, ``incomplete``, ``older_open`` and ``stale`` are sentences for the title of the badge; ``hint`` is a
    quiet word after the name ("Trial until 4 Dec"); ``attached`` is False when nothing is attached, which shows dashes;
    ``plan_more`` counts the live subscriptions beside the primary one ("Growth +3").
    """

    attached: bool = True
    undecided: str = ""
    undecided_url: str = ""
    incomplete: str = ""
    older_open: str = ""
    stale: str = ""
    stale_since: datetime | None = None
    hint: str = ""
    plan_more: int = 0


class CustomerPanel:
    """What an integration may override; every method has an answer that says nothing.

    Methods are called at page view, so they read our database only and with a constant number of queries. HTML they
    return comes from templates, with everything a provider supplied escaped. ``related`` names one-to-one rows of the
    integration's own that are read along with a customer.
    """

    related: Sequence[str] = ()

    def header(self, request: HttpRequest, customer: Customer) -> Header | None:
        """The header's freshness, reasons and notes; None when this integration has nothing to say."""
        return None

    def cards(self, request: HttpRequest, customer: Customer) -> Sequence[SafeString]:
        """Rendered cards of the main column, the first one first."""
        return ()

    def footer(self, request: HttpRequest, customer: Customer) -> SafeString:
        """Rendered rows (``.record-foot__row``) of the footer: ids at the provider with deep links."""
        return SafeString("")

    def menu(self, request: HttpRequest, customer: Customer) -> Sequence[MenuItem]:
        """Entries of the ⋯ menu that this person may use."""
        return ()

    def list_badges(self, request: HttpRequest, customers: Sequence[Customer]) -> Mapping[int, ListBadges]:
        """Badges by customer id for one page of the list; a constant number of queries whatever its length."""
        return {}

    def open_amounts(self, customers: Sequence[Customer]) -> Mapping[int, str]:
        """What is open on the invoice that made a customer past due or failing, by customer id: ``$1,400``."""
        return {}

    def stale(self, environment: str) -> Q | None:
        """Which customers of ``environment`` have figures that the header greys; None: nobody has.

        Backs the list's "Stale" filter, so it must find exactly those that ``header`` and ``list_badges`` call stale.
        """
        return None


@dataclass(slots=True)
class Registry:
    """The panels of the integrations, in the order they registered."""

    panels: list[CustomerPanel] = field(default_factory=list)

    def register(self, panel: CustomerPanel) -> None:
        """Add a panel; one of the same class takes the place of the earlier one."""
        self.panels = [known for known in self.panels if type(known) is not type(panel)] + [panel]

    def related(self) -> list[str]:
        """What to read along with a customer, for ``select_related``."""
        return [name for panel in self.panels for name in panel.related]

    def header(self, request: HttpRequest, customer: Customer) -> Header | None:
        """The header of the first panel that has one."""
        return next((header for panel in self.panels if (header := panel.header(request, customer))), None)

    def cards(self, request: HttpRequest, customer: Customer) -> list[SafeString]:
        """The cards of all panels."""
        return [card for panel in self.panels for card in panel.cards(request, customer)]

    def footers(self, request: HttpRequest, customer: Customer) -> list[SafeString]:
        """The footers of all panels that have one."""
        return [footer for panel in self.panels if (footer := panel.footer(request, customer))]

    def menu(self, request: HttpRequest, customer: Customer) -> list[MenuItem]:
        """The menu entries of all panels."""
        return [item for panel in self.panels for item in panel.menu(request, customer)]

    def list_badges(self, request: HttpRequest, customers: Sequence[Customer]) -> dict[int, ListBadges]:
        """Badges by customer id; the first panel that knows a customer speaks for it."""
        merged: dict[int, ListBadges] = {}
        for panel in reversed(self.panels):
            merged.update(panel.list_badges(request, customers))
        return merged

    def open_amounts(self, customers: Sequence[Customer]) -> dict[int, str]:
        """Open amounts by customer id; the first panel that knows one speaks for it."""
        merged: dict[int, str] = {}
        for panel in reversed(self.panels):
            merged.update(panel.open_amounts(customers))
        return merged

    def stale(self, environment: str) -> Q | None:
        """Those that any panel calls stale."""
        found = [condition for panel in self.panels if (condition := panel.stale(environment)) is not None]
        return reduce(or_, found) if found else None


registry = Registry()

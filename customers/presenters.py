"""What the customer pages show, worked out before the template: rows, header, history. No queries here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Literal

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers import wording
from customers.models import Activity, AtRisk, BillingFlag, Customer, PaymentStatus, Status
from customers.panels import Header, ListBadges, Note
from customers.selectors import Shared
from customers.stored_words import translated

_PAYMENT_LABELS = dict(PaymentStatus.choices)  # a model's own look-up copies the choices every time


@dataclass(frozen=True, slots=True)
class Row:
    """One customer in the list."""

    customer: Customer
    badges: ListBadges
    attached: bool
    plan: str
    shared: int
    shared_domain: str
    undecided: str
    incomplete: str
    older_open: str
    mrr_before: Decimal | None
    risk: str
    payment: str

    @property
    def quiet(self) -> bool:
        """Whether the row is greyed: stale, blank, churned or archived."""
        ended = self.customer.status in (Status.CHURNED, Status.ARCHIVED)
        return ended or bool(self.badges.stale) or not self.attached

    @property
    def is_marked(self) -> bool:
        """Whether anything stands after the name."""
        said = self.undecided or self.shared or self.badges.stale or self.badges.hint
        return bool(said) or self.customer.is_test_data or self.customer.status != Status.ACTIVE


def rows(customers: Sequence[Customer], badges: Mapping[int, ListBadges], shared: Mapping[int, Shared]) -> list[Row]:
    """Put customers, the integrations' badges and shared domains together."""
    return [_row(customer, badges.get(customer.pk), shared.get(customer.pk)) for customer in customers]


def _row(customer: Customer, known: ListBadges | None, shared: Shared | None) -> Row:
    badges = known or ListBadges(attached=bool(customer.billing_source))
    flags = set(customer.billing_flags)
    before = getattr(customer, "mrr_before", None)
    return Row(
        customer=customer,
        badges=badges,
        attached=badges.attached,
        plan=plan_text(customer, badges.plan_more),
        shared=shared.customers if shared else 0,
        shared_domain=shared.domain if shared else "",
        undecided=_flag(flags, BillingFlag.UNDECIDED, badges.undecided, str(_("Nobody has decided on this match yet"))),
        incomplete=_flag(flags, BillingFlag.INCOMPLETE, badges.incomplete, str(_("The figure leaves something out"))),
        older_open=_flag(flags, BillingFlag.OLDER_INVOICE_OPEN, badges.older_open, str(_("An older invoice is open"))),
        mrr_before=before if before != customer.mrr else None,
        risk=risk_text(customer),
        payment=str(_PAYMENT_LABELS.get(customer.payment_status, customer.payment_status)),
    )


def _flag(flags: set[str], flag: str, sentence: str, fallback: str) -> str:
    """The sentence of a flag that is raised, else nothing."""
    return sentence or (fallback if flag in flags else "")


def risk_text(customer: Customer) -> str:
    """Why its MRR is at risk, with the day: "Ends 4 Dec"; nothing where none is."""
    day = wording.day(customer.at_risk_at) if customer.at_risk_at else ""
    if customer.at_risk_reason == AtRisk.FAILING:
        return str(_("Failing, invoice of %(day)s") % {"day": day} if day else _("Payment failing"))
    if customer.at_risk_reason == AtRisk.ENDING:
        return str(_("Ends %(day)s") % {"day": day})
    return ""


def plan_text(customer: Customer, more: int) -> str:
    """The plan as people read it: "Growth", "Growth +3"."""
    return f"{customer.plan_label} +{more}" if customer.plan_label and more > 0 else customer.plan_label


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """The header of the customer page."""

    source: str
    attached: bool
    plan: str
    mrr_url: str
    mrr_incomplete: str
    status: str
    status_text: str
    as_of: datetime | None
    live: bool
    stale_reason: str
    ended_at: datetime | None
    notes: Sequence[Note]
    rates: str
    rates_title: str

    @property
    def mrr_prefix(self) -> str:
        """The sign before a figure that leaves something out."""
        return "≥ " if self.mrr_incomplete else ""

    @property
    def liveness(self) -> str:
        """The word after the freshness stamp."""
        if self.stale_reason:
            return str(_("stale"))
        return str(_("live")) if self.live else ""


_PAYMENT_TEXTS = {
    PaymentStatus.PAID: _("Paid"),
    PaymentStatus.PAST_DUE: _("Payment past due"),
    PaymentStatus.FAILING: _("Payment failing"),
    PaymentStatus.NONE: _("No payment status"),
}


def header_facts(customer: Customer, header: Header | None) -> HeaderFacts:
    """Put the customer's fields and what the integration says about them together."""
    said = header or Header(source=customer.billing_source.capitalize(), attached=bool(customer.billing_source))
    status = PaymentStatus(customer.payment_status) if said.attached else PaymentStatus.NONE
    notes = said.notes
    if header is None and not said.attached:
        notes = [Note(str(_("No billing integration has filled in these figures yet.")), tone="none")]
    return HeaderFacts(
        source=said.source,
        attached=said.attached,
        plan=plan_text(customer, said.plan_more),
        mrr_url=said.mrr_url if said.attached else "",
        mrr_incomplete=said.mrr_incomplete,
        status=status.value,
        status_text=str(_PAYMENT_TEXTS[status]),
        as_of=said.as_of or customer.billing_as_of,
        live=said.live,
        stale_reason=said.stale_reason,
        ended_at=said.ended_at,
        notes=notes,
        rates=said.rates if said.attached else "",
        rates_title=said.rates_title,
    )


Tone = Literal["", "failing"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history."""

    at: datetime
    label: str
    old: str
    new: str
    sentence: str
    who: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Day:
    """The entries of one day, newest first."""

    date: date
    entries: list[Entry]


_FIELD_LABELS = {
    "name": _("Name"),
    "domain": _("Domain"),
    "domains": _("Extra domain"),
    "owner": _("Owner"),
    "environment": _("Environment"),
    "status": _("Status"),
    "plan": _("Plan"),
    "plan_label": _("Plan"),
    "mrr": _("MRR"),
    "payment_status": _("Payment status"),
    "billing_started_at": _("Billed since"),
    "stripe_customer_id": "stripe_customer_id",
}
_EVENT_SENTENCES = {
    "customer.created": _("Customer created"),
    "customer.domain_added": _("Extra domain added"),
    "customer.domain_removed": _("Extra domain removed"),
    "billing.attached": _("Billing attached"),
    "billing.detached": _("Billing no longer attached"),
    "billing.cleared": _("Billing fields cleared"),
    "match.keep_merged": _("Kept merged"),
    "match.winner": _("Winner chosen"),
    "match.attach": _("Attached by a decision"),
    "match.pin": _("Linked by a decision"),
    "match.split": _("Split"),
    "match.ignore": _("Ignored by a decision"),
    "match.undo": _("Decision undone"),
}


def days(activities: Iterable[Activity]) -> list[Day]:
    """Group the history by the days of the workspace's time zone."""
    by_day = groupby(activities, key=lambda activity: timezone.localtime(activity.at).date())
    return [Day(day, [entry(activity) for activity in group]) for day, group in by_day]


def entry(activity: Activity) -> Entry:
    """One activity as a line: what changed from what to what, and who or what did it."""
    sentence = str(_EVENT_SENTENCES.get(activity.event_type, ""))
    if sentence and (activity.field or activity.event_type.startswith(("billing.", "match."))):
        sentence = f"{sentence}: {activity.new or activity.old}".removesuffix(": ")
    elif not sentence and not activity.field:
        sentence = activity.new or activity.event_type
    worse = activity.field == "payment_status" and activity.new == PaymentStatus.FAILING
    return Entry(
        at=activity.at,
        label=str(_FIELD_LABELS.get(activity.field, activity.field.replace("_", " "))),
        old=value_text(activity.field, activity.old),
        new=value_text(activity.field, activity.new),
        sentence=sentence,
        who=" · ".join(part for part in (who(activity), translated(activity.origin)) if part),
        tone="failing" if worse else "",
    )


def who(activity: Activity) -> str:
    """The person, else nothing where the origin says it, else what kind of actor it was."""
    if activity.actor is not None:
        return activity.actor.get_full_name() or activity.actor.get_username()
    return "" if activity.origin else str(Activity.ActorType(activity.actor_type).label)


def value_text(field: str, value: str) -> str:
    """A stored value as people read it: money as money, choices by their words; what does not fit stays as it is."""
    if not value:
        return ""
    if field == "mrr":
        return _money(value)
    if field in ("payment_status", "status", "environment"):
        return value.replace("_", " ")
    if field == "billing_started_at":
        return _day(value)
    return value


def _day(value: str) -> str:
    """The day in the workspace's zone of a moment as it was stored."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value[:10]
    return wording.day(moment) if moment.tzinfo else value[:10]


def _money(value: str) -> str:
    try:
        return wording.money(value)
    except ValueError:
        return value

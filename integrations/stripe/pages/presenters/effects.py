"""What a decision would do, for the page that asks to confirm it: headers before and after, counts, what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers import wording
from customers.models import BillingFlag, Customer
from customers.stored_words import translated
from integrations.models import MatchDecision, StripeConnection, StripeCustomer
from integrations.stripe.pages.presenters.billing import what_is_left_out
from integrations.stripe.pages.presenters.decisions import in_words
from integrations.stripe.rules.payment_status import Reason, sentence
from integrations.stripe.sync.effects import Effect, Effects, HeaderState
from integrations.stripe.sync.scene import Difference

HEADERS_SHOWN = 4
LINES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Side:
    """A field on one side; ``status`` draws its badge, ``more`` is the quiet line below."""

    text: str
    more: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a header, before and after."""

    label: str
    before: Side
    after: Side

    @property
    def stays(self) -> bool:
        """Whether nothing about it changes."""
        return self.before == self.after


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """One header; ``remark`` says what happens to the customer itself."""

    customer: Customer
    fields: list[FieldChange]
    is_new: bool
    remark: str

    @property
    def stays(self) -> bool:
        """Whether all of it stays as it is."""
        return all(field.stays for field in self.fields) and not self.remark and not self.is_new

    @property
    def mrr(self) -> FieldChange:
        """The field everybody looks at."""
        return next(field for field in self.fields if field.label == _("MRR"))


@dataclass(frozen=True, slots=True)
class Preview:
    """The effect of a decision: each header in full when they are few, else a line each."""

    headers: list[HeaderChange]
    counts: list[str]

    @property
    def in_full(self) -> list[HeaderChange]:
        """The headers shown field by field."""
        return self.headers if len(self.headers) <= HEADERS_SHOWN else []

    @property
    def lines(self) -> list[HeaderChange]:
        """The headers shown as one line each."""
        return [] if self.in_full else self.headers[:LINES_SHOWN]

    @property
    def hidden(self) -> int:
        """How many are left out of the lines."""
        return max(0, len(self.headers) - LINES_SHOWN) if self.lines else 0


def present_effects(found: Effects) -> Preview:
    """The effects as the page shows them."""
    return Preview(headers=[_header(effect) for effect in found.headers], counts=_counts(found))


def _header(effect: Effect) -> HeaderChange:
    before, after = effect.before, effect.after
    names = (_("Plan"), _("MRR"), _("Payment status"), _("Billed since"), "stripe_customer_id", _("Undecided"))
    old = _sides(before) if before else [Side("—")] * len(names)
    fields = [FieldChange(*each) for each in zip(names, old, _sides(after), strict=True)]
    return HeaderChange(after.customer, fields, is_new=before is None, remark=_remark(before, after))


def _remark(before: HeaderState | None, after: HeaderState) -> str:
    if before is None:
        return ""
    if after.archived and not before.archived:
        return _("It is archived: the decision made it, and nobody added anything to it.")
    if before.archived and not after.archived:
        return _("It is restored from the archive.")
    return ""


def _sides(state: HeaderState) -> list[Side]:
    customer, summary = state.customer, state.summary
    attached = bool(customer.billing_source)
    if not attached:
        undecided = BillingFlag.UNDECIDED in customer.billing_flags
        return [*[Side("—")] * 5, Side(_("yes") if undecided else _("no"))]
    more = max(0, (summary.live_subscriptions if summary else 0) - 1)
    left_out = what_is_left_out(summary)
    plan = customer.plan_label or "—"
    return [
        Side(f"{plan} +{more}" if more and customer.plan_label else plan),
        Side(
            f"≥ {wording.money(customer.mrr)}" if left_out else wording.money(customer.mrr),
            _("leaves out %(what)s") % {"what": left_out} if left_out else "",
        ),
        Side(str(customer.get_payment_status_display()), _why(state), customer.payment_status),
        Side(wording.month(customer.billing_started_at) if customer.billing_started_at else "—"),
        Side(customer.stripe_customer_id),
        Side(_("yes") if BillingFlag.UNDECIDED in customer.billing_flags else _("no")),
    ]


def _why(state: HeaderState) -> str:
    """The invoice the payment status rests on."""
    if state.summary is None or not state.summary.payment_reason:
        return ""
    reason = msgspec.convert(state.summary.payment_reason, Reason, strict=False)
    return sentence(reason, day=wording.day, say=translated)


def _counts(found: Effects) -> list[str]:
    """How the counts of the integration page move."""
    labels = {
        "matched": _("matched"),
        "unmatched": _("unmatched"),
        "skipped": _("skipped"),
        "ambiguous": _("ambiguous"),
    }
    return [
        f"{label} {wording.number(getattr(found.before, name))} → {wording.number(getattr(found.after, name))}"
        for name, label in labels.items()
        if getattr(found.before, name) != getattr(found.after, name)
    ]


def what_changed(connection: StripeConnection, difference: Difference) -> list[str]:
    """What is no longer as it was on the page, a sentence each."""
    ids = [*difference.joined, *difference.left, *difference.changed]
    known = {row.stripe_id: row for row in StripeCustomer.objects.filter(connection=connection, stripe_id__in=ids)}
    customers = Customer.objects.filter(pk__in=difference.customers).order_by("pk")
    decisions = MatchDecision.objects.filter(pk__in=difference.decisions).select_related("actor").order_by("pk")

    def called(stripe_ids: Sequence[str]) -> str:
        return ", ".join((known[each].name or each)[:80] if each in known else each for each in stripe_ids[:10])

    said = [f"{in_words(decision)}." for decision in decisions]
    if difference.joined:
        said.append(_("Joined: %(names)s.") % {"names": called(difference.joined)})
    if difference.left:
        said.append(_("No longer there: %(names)s.") % {"names": called(difference.left)})
    if difference.changed and not decisions:
        said.append(_("Changed: %(names)s.") % {"names": called(difference.changed)})
    if customers:
        names = ", ".join(customer.name[:80] for customer in customers[:10])
        said.append(_("Its domain, status or environment changed: %(names)s.") % {"names": names})
    return said


def headline(preview: Preview) -> str:
    """How many headers change."""
    changing = sum(1 for header in preview.headers if not header.stays)
    if not changing:
        return _("No header changes")
    return ngettext("%(number)s header changes", "%(number)s headers change", changing) % {
        "number": wording.number(changing)
    }

"""What Stripe puts on the customer pages: header notes, billing card, footer, ⋯ menu, list badges, Admin sidebar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec
from django.db.models import Q
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers import navigation, wording
from customers.models import Customer, Environment, PaymentStatus
from customers.panels import CustomerPanel, Header, Link, ListBadges, MenuItem, Note, Tone, registry
from customers.stored_words import amount, translated
from integrations.models import BillingSummary, DecisionKind, Mode, Standing, StripeConnection
from integrations.permissions import CONNECT, DECIDE, READ_LOG
from integrations.stripe.pages import links, stored_sentences
from integrations.stripe.pages.access import may
from integrations.stripe.pages.presenters.badges import badges_of
from integrations.stripe.pages.presenters.billing import Billing, billing_of, lacks_rate, what_is_left_out
from integrations.stripe.pages.presenters.billing_card import present_card
from integrations.stripe.pages.presenters.blank import Blank, why_blank
from integrations.stripe.pages.presenters.decisions import decision_behind, in_words, who
from integrations.stripe.pages.presenters.page import counts_of, known_connections
from integrations.stripe.pages.presenters.rates import rates_dated, rates_of
from integrations.stripe.rules.payment_status import Reason, open_amount, sentence
from integrations.stripe.sync.freshness import stale_customers

OVERVIEW_VIEWS = {f"stripe:{name}" for name in ("integration", "connect_key", "scope", "scope_preview")}


class StripePanel(CustomerPanel):
    """Stripe's part of the customer pages. Reads our database only; Stripe is never called at page view."""

    related = ("billing_summary",)

    def header(self, request: HttpRequest, customer: Customer) -> Header | None:
        """Freshness, the reason of the payment status, and what a reader has to know beside the figures."""
        billing = billing_of(request, customer)
        if not billing.has_figures:
            blank = blank_of(request, billing)
            note = Note(blank.sentence, "none", Link(_("Why is it blank?"), "#why"))
            as_of = billing.freshness.as_of
            return Header("Stripe", attached=False, as_of=as_of, live=billing.freshness.live, notes=[note])
        left_out = what_is_left_out(billing.summary)
        return Header(
            source="Stripe",
            attached=True,
            as_of=billing.freshness.as_of,
            live=billing.freshness.live,
            stale_reason=stale_sentence(billing),
            mrr_url=reverse("stripe:receipt", args=[customer.pk]),
            mrr_incomplete=_("Leaves out %(what)s") % {"what": left_out} if left_out else "",
            ended_at=billing.ended_at,
            notes=notes_of(request, billing, left_out),
            plan_more=plan_more(billing),
            rates=rates_dated(billing),
            rates_title=rates_of(billing),
        )

    def cards(self, request: HttpRequest, customer: Customer) -> Sequence[SafeString]:
        """The billing card, or why there is none."""
        billing = billing_of(request, customer)
        if billing.has_figures:
            return [render_to_string("stripe/customer/billing.html", {"card": present_card(billing)}, request)]
        blank = blank_of(request, billing)
        context = {
            "blank": blank,
            "customer": customer,
            "connection": billing.connection,
            "may_decide": may(request, DECIDE),
            "may_connect": may(request, CONNECT),
            "may_edit": may(request, "customers.change_customer"),
            "ask_address": ask_address(request, customer, blank.sentence),
        }
        return [render_to_string("stripe/customer/blank.html", context, request)]

    def footer(self, request: HttpRequest, customer: Customer) -> SafeString:
        """The Stripe id with its deep link, and every other Stripe customer behind the figures."""
        return render_to_string("stripe/customer/footer.html", {"billing": billing_of(request, customer)}, request)

    def menu(self, request: HttpRequest, customer: Customer) -> Sequence[MenuItem]:
        """**Resync from Stripe**, and the way to Stripe."""
        billing = billing_of(request, customer)
        items = []
        if billing.connection.is_connected:
            items.append(
                MenuItem(_("Resync from Stripe"), reverse("stripe:resync", args=[customer.pk]), "post", "resync")
            )
        if billing.connection.pk is not None:
            address = reverse("stripe:customer_decisions", args=[customer.pk])
            items.append(MenuItem(_("History of match decisions"), address, icon="clock"))
        if customer.stripe_customer_id and billing.has_figures:
            address = links.customer_url(billing.connection, customer.stripe_customer_id)
            items.append(MenuItem(_("Open in Stripe"), address, icon="external", external=True))
        return items

    def list_badges(self, request: HttpRequest, customers: Sequence[Customer]) -> Mapping[int, ListBadges]:
        """Badges of one page of the list."""
        return badges_of(customers, may_decide=may(request, DECIDE))

    def open_amounts(self, customers: Sequence[Customer]) -> Mapping[int, str]:
        """What is open on the deciding invoice of those that are past due or failing; one query."""
        late = [each.pk for each in customers if each.payment_status in (PaymentStatus.PAST_DUE, PaymentStatus.FAILING)]
        summaries = BillingSummary.objects.filter(customer_id__in=late).values_list("customer_id", "payment_reason")
        reasons = {pk: msgspec.convert(reason, Reason, strict=False) for pk, reason in summaries if reason}
        return {pk: amount(open_amount(reason)) for pk, reason in reasons.items() if reason.amount_remaining > 0}

    def stale(self, environment: str) -> Q | None:
        """Everything while access is over; else what nobody could read, or looked at for longer than allowed."""
        mode = Mode.LIVE if environment == Environment.PRODUCTION else Mode.TEST
        connection = StripeConnection.objects.filter(mode=mode).first()
        return stale_customers(connection) if connection else None


def blank_of(request: HttpRequest, billing: Billing) -> Blank:
    """Why there are no figures, worked out once a request."""
    kept: dict[int, Blank] = request.__dict__.setdefault("_stripe_blank", {})
    if billing.customer.pk not in kept:
        kept[billing.customer.pk] = why_blank(billing.customer, billing.connection, request.user)
    return kept[billing.customer.pk]


def ask_address(request: HttpRequest, customer: Customer, sentence: str) -> str:
    """A message to an admin with what is the case and the page it is about filled in."""
    subject = _("%(name)s has no billing figures") % {"name": customer.name}
    body = f"{sentence}\n{request.build_absolute_uri(customer.get_absolute_url())}"
    return f"mailto:?subject={quote(subject)}&body={quote(body, safe='')}"


def stale_sentence(billing: Billing) -> str:
    """Why the figures are grey; empty while they are fresh."""
    found = billing.freshness
    if not found.stale:
        return ""
    if found.as_of is None:
        return _("%(reason)s.") % {"reason": translated(found.reason)}
    return _("%(reason)s. The figures are from %(at)s.") % {
        "reason": translated(found.reason),
        "at": wording.when(found.as_of),
    }


def plan_more(billing: Billing) -> int:
    """How many live subscriptions there are beside the one that names the plan."""
    live = billing.summary.live_subscriptions if billing.summary else 0
    return max(0, live - 1)


def notes_of(request: HttpRequest, billing: Billing, left_out: str) -> list[Note]:
    """The lines under the facts, the most urgent one first."""
    notes = [reason_note(billing), older_note(billing), undecided_note(request, billing) or decided_note(billing)]
    if left_out:
        rates = reverse("admin:integrations_exchangerate_add")
        missing_rate = lacks_rate(billing.summary)
        link = Link(_("Add a rate"), rates) if missing_rate and may(request, "integrations.add_exchangerate") else None
        notes.append(Note(_("≥ leaves out %(what)s") % {"what": left_out}, "none", link))
    return [note for note in notes if note]


def reason_note(billing: Billing) -> Note | None:
    """Why the payment is past due or failing, with the invoice in Stripe."""
    tones: dict[str, Tone] = {PaymentStatus.FAILING: "failing", PaymentStatus.PAST_DUE: "past_due"}
    tone = tones.get(billing.customer.payment_status)
    reason = billing.reason
    if tone is None or reason is None:
        return None
    text = sentence(reason, day=wording.day, say=translated)
    if reason.outside_scope:
        text = _("%(text)s, outside your scope") % {"text": text}
    owner = next((each for each in billing.attached if each.stripe.stripe_id == reason.customer), None)
    if owner and len(billing.attached) > 1:
        text = _("%(text)s, on %(name)s") % {"text": text, "name": owner.name[:80]}
    link = None
    if reason.invoice:
        link = Link(
            _("Open the invoice in Stripe"), links.invoice_url(billing.connection, reason.invoice), external=True
        )
    return Note(text, tone, link)


def older_note(billing: Billing) -> Note | None:
    """Older invoices that a newer one hides."""
    found = billing.also_open
    if found is None:
        return None
    amounts = " + ".join(wording.money(each.amount, each.currency) for each in found.totals[:3])
    text = ngettext(
        "%(number)s older invoice is open: %(amounts)s", "%(number)s older invoices are open: %(amounts)s", found.count
    ) % {"number": wording.number(found.count), "amounts": amounts}
    if found.oldest:
        text = _("%(text)s, since %(day)s") % {"text": text, "day": wording.day(found.oldest)}
    return Note(text, "past_due", Link(_("See the invoices"), "#invoices"))


def undecided_note(request: HttpRequest, billing: Billing) -> Note | None:
    """A merge nobody has decided on."""
    flagged = [each for each in billing.attached if each.stripe.ambiguous_kind]
    if not flagged and not billing.waiting:
        return None
    if not flagged:
        text = _("%(name)s lost to a Stripe customer whose billing has ended since; nobody has decided again") % {
            "name": billing.waiting[0].name[:80]
        }
    elif any(each.stripe.ambiguous_kind == "several_customers" for each in flagged):
        text = _("Several customers have the domain %(domain)s; this one has the billing until somebody decides") % {
            "domain": flagged[0].stripe.email_domain
        }
    else:
        text = ngettext(
            "%(number)s Stripe customer added up, nobody has decided yet",
            "%(number)s Stripe customers added up, nobody has decided yet",
            len(flagged),
        ) % {"number": wording.number(len(flagged))}
    if may(request, DECIDE):
        address = reverse("stripe:ambiguous_group", args=[billing.connection.mode, billing.customer.pk])
        return Note(text, "none", Link(_("Compare them"), address))
    return Note(text, "none", Link(_("See them"), "#stripe-customers"))


def decided_note(billing: Billing) -> Note | None:
    """What somebody decided about the Stripe customers behind the figures, and why."""
    decision = decision_behind(billing)
    if decision is None:
        return None
    link = Link(_("See the decisions"), reverse("stripe:customer_decisions", args=[billing.customer.pk]))
    if decision.kind == DecisionKind.KEEP_MERGED:
        number = sum(1 for each in billing.attached if each.stripe.standing == Standing.LIVE)
        text = ngettext(
            "%(number)s Stripe customer kept merged by %(who)s on %(day)s: %(reason)s",
            "%(number)s Stripe customers kept merged by %(who)s on %(day)s: %(reason)s",
            number,
        ) % {
            "number": wording.number(number),
            "who": who(decision),
            "day": wording.day(decision.created_at),
            "reason": decision.reason[:200],
        }
        return Note(text, "none", link)
    return Note(in_words(decision), "none", link)


def sidebar(request: HttpRequest) -> navigation.Section | None:
    """The Integrations section of the Admin sidebar; counts are those of the mode the page is about."""
    if not may(request, READ_LOG):
        return None
    match = request.resolver_match
    mode = str(match.kwargs.get("mode", Mode.LIVE)) if match else Mode.LIVE.value
    connection = (
        known_connections(request).get(mode)
        or StripeConnection.objects.filter(mode=mode).first()
        or StripeConnection(mode=mode)
    )
    counts = counts_of(request, connection) if connection.pk and connection.connected_at else None
    if counts and not counts.stripe_customers:
        counts = None

    def entry(label: str, view: str, count: int | None = None) -> navigation.Entry:
        return navigation.Entry(label, reverse(f"stripe:{view}", args=[mode]), nested=True, count=count)

    stripe = reverse("stripe:integration", args=[mode])
    if match and match.view_name in OVERVIEW_VIEWS:
        stripe = request.path
    return navigation.Section(
        _("Integrations"),
        [
            navigation.Entry(_("Stripe"), stripe),
            entry(_("Ambiguous matches"), "ambiguous", counts.ambiguous if counts else None),
            entry(_("Unmatched"), "unmatched", counts.unmatched if counts else None),
            entry(_("Skipped"), "skipped", counts.skipped if counts else None),
            entry(_("How MRR adds up"), "mrr"),
            entry(_("Log"), "log"),
            entry(_("Drift"), "drift"),
            entry(_("Calls to Stripe"), "calls"),
        ],
    )


def register() -> None:
    """Join the registries of the CRM side; called once when the apps are ready."""
    stored_sentences.register()
    registry.register(StripePanel())
    navigation.register(sidebar)

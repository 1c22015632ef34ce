"""How MRR adds up, as the page shows it: every line rounded once, and what that makes of the totals said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers import wording
from customers.listing import url_of_environment
from integrations.models import StripeConnection
from integrations.stripe.pages.presenters import reasons
from integrations.stripe.pages.presenters.rates import rates_words, short_rate
from integrations.stripe.pages.presenters.reasons import Words
from integrations.stripe.rules.money import HUNDRED, minor_units, to_cents
from integrations.stripe.sync import mrr, mrr_groups
from integrations.stripe.sync.mrr import AddsUp, CurrencyLine, CustomerList, Difference

STATUSES: Mapping[str, Words] = {
    "active": gettext_lazy("Active"),
    "past_due": gettext_lazy("Past due"),
    "trialing": gettext_lazy("Trial"),
    "paused": gettext_lazy("Paused"),
    "unpaid": gettext_lazy("Unpaid"),
    "incomplete": gettext_lazy("Incomplete"),
}
PLACES: Mapping[str, Words] = {
    mrr.MATCHED: gettext_lazy("Matched"),
    mrr.UNMATCHED: gettext_lazy("Unmatched"),
    mrr.FAILED: gettext_lazy("Could not be read completely"),
    mrr.UNPLACED: gettext_lazy("Not matched yet"),
    mrr.OUTSIDE_SCOPE: gettext_lazy("Outside scope"),
}
DIFFERENCES: Mapping[str, tuple[Words, Words]] = {
    mrr_groups.SET_TO_CANCEL: (
        gettext_lazy("Set to cancel"),
        gettext_lazy("Pivotal counts them until the day they end; Stripe drops them when the end is set."),
    ),
    mrr_groups.REPEATING_DISCOUNTS: (
        gettext_lazy("Repeating discounts"),
        gettext_lazy("Pivotal takes them off while they are in force; Stripe does so only if your settings say it."),
    ),
    mrr_groups.EXCHANGE_RATES: (
        gettext_lazy("Exchange rates"),
        gettext_lazy("Pivotal uses one set of rates per run, Stripe its own."),
    ),
    mrr_groups.COLLECTION_PAUSED: (
        gettext_lazy("Collection paused"),
        gettext_lazy("Pivotal counts them while they are active; Stripe does not say what its figure does."),
    ),
    mrr_groups.INCOMPLETE: (
        gettext_lazy("Not complete"),
        gettext_lazy("Pivotal leaves out what it cannot read or convert, and never guesses."),
    ),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table; ``mrr`` in cents. ``stripe_customers`` is None where nobody counts them."""

    label: Words
    note: Words
    url: str
    stripe_customers: int | None
    subscriptions: int
    mrr: Decimal


@dataclass(frozen=True, slots=True)
class Table:
    """Lines and ``rounding`` add up to ``total`` to the cent."""

    lines: Sequence[Line]
    rounding: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class CurrencyRow:
    """One currency; ``monthly`` in its own money, ``rate`` shortened for reading, both empty without a rate."""

    line: Line
    code: str
    monthly: str
    rate: str
    rate_note: str
    without_rate: int


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """What Stripe's figure treats differently; ``amount`` is empty where nobody can know it."""

    line: Line
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figure Stripe shows against the one it should show about."""

    unexplained: Decimal
    share: str


@dataclass(frozen=True, slots=True)
class MrrPage:
    """The whole page."""

    all: mrr.Figures
    total: Decimal
    is_at_least: bool
    places: Table
    statuses: Table
    currencies: Sequence[CurrencyRow]
    currency_rounding: Decimal
    rates: str
    differences: Sequence[DifferenceRow]
    difference_rounding: Decimal
    expected: Decimal
    without_rate: Sequence[CurrencyRow]
    customer_list: str
    customer_list_url: str
    comparison: Comparison | None


def present(connection: StripeConnection, found: AddsUp, *, stripe_shows: Decimal | None) -> MrrPage:
    """The page for what was added up; ``stripe_shows`` is the figure somebody read in Stripe."""
    everything = found.all
    expected = to_cents(found.expected)
    currencies = [_currency(connection, each) for each in found.currencies]
    known = [to_cents(each.amount) for each in found.differences if each.amount is not None]
    return MrrPage(
        all=everything,
        total=to_cents(everything.mrr),
        is_at_least=bool(found.without_rate or found.at(mrr.FAILED).stripe_customers or _incomplete(found)),
        places=_table(_places(connection, found), (place.mrr for place in _merged(found))),
        statuses=_table(
            (_status(connection, each.status, each.subscriptions, each.mrr) for each in found.statuses),
            (each.mrr for each in found.statuses),
        ),
        currencies=currencies,
        currency_rounding=mrr.rounding(each.mrr for each in found.currencies),
        rates=rates_words(
            {(rate.date, rate.source) for each in found.currencies for rate in each.rates if rate.source != "usd"}
        ),
        differences=[_difference(connection, each) for each in found.differences],
        difference_rounding=expected - to_cents(everything.mrr) - sum(known, Decimal(0)),
        expected=expected,
        without_rate=[each for each in currencies if each.without_rate],
        customer_list=_customer_list(found.customer_list),
        customer_list_url=url_of_environment(connection.environment),
        comparison=_compare(expected, stripe_shows),
    )


def _incomplete(found: AddsUp) -> bool:
    return any(each.group == mrr_groups.INCOMPLETE and each.subscriptions for each in found.differences)


def _table(lines: Iterable[Line], exact: Iterable[Decimal]) -> Table:
    parts = list(exact)
    return Table(list(lines), mrr.rounding(parts), to_cents(sum(parts, Decimal(0))))


# --- where it is -------------------------------------------------------------------------------------------------


def _merged(found: AddsUp) -> list[mrr.Figures]:
    """The figures of the lines, unmatched ones in one; lines that a healthy account never has are left out at 0."""
    return [figures for _group, _reason, figures in _shown_places(found)]


def _shown_places(found: AddsUp) -> list[tuple[str, str, mrr.Figures]]:
    always = (mrr.MATCHED, mrr.UNMATCHED, mrr.OUTSIDE_SCOPE)
    shown = []
    for group in mrr.PLACES:
        if group == mrr.SKIPPED:
            shown += [(group, place.reason, place.figures) for place in found.places if place.group == group]
            continue
        figures = found.at(group)
        if group in always or figures.stripe_customers or figures.subscriptions:
            shown.append((group, "", figures))
    return shown


def _places(connection: StripeConnection, found: AddsUp) -> list[Line]:
    return [
        Line(
            label=_place_label(group, reason),
            note=_place_note(group, figures, found),
            url=_place_url(connection, group, reason),
            stripe_customers=figures.stripe_customers,
            subscriptions=figures.subscriptions,
            mrr=to_cents(figures.mrr),
        )
        for group, reason, figures in _shown_places(found)
    ]


def _place_label(group: str, reason: str) -> Words:
    if group == mrr.SKIPPED:
        return _("Skipped: %(reason)s") % {"reason": wording.mid_sentence(str(reasons.SKIPPED.get(reason, reason)))}
    return PLACES[group]


def _place_note(group: str, figures: mrr.Figures, found: AddsUp) -> str:
    if group == mrr.MATCHED:
        number = found.customers
        return ngettext("on %(number)s customer", "on %(number)s customers", number) % {
            "number": wording.number(number)
        }
    if group == mrr.FAILED and not figures.subscriptions:
        return _("what they come to is not known")
    if group == mrr.OUTSIDE_SCOPE and found.in_two_places:
        number = found.in_two_places
        return ngettext(
            "and %(number)s Stripe customer that is counted above",
            "and %(number)s Stripe customers that are counted above",
            number,
        ) % {"number": wording.number(number)}
    return ""


def _place_url(connection: StripeConnection, group: str, reason: str) -> str:
    views = {mrr.MATCHED: "matched", mrr.UNMATCHED: "unmatched", mrr.SKIPPED: "skipped", mrr.FAILED: "log"}
    if group in views:
        address = reverse(f"stripe:{views[group]}", args=[connection.mode])
        return f"{address}?why={reason}" if reason else address
    return list_url(connection, of=group)


def list_url(connection: StripeConnection, *, of: str) -> str:
    """The subscriptions behind a line."""
    return f"{reverse('stripe:mrr_subscriptions', args=[connection.mode])}?{urlencode({'of': of})}"


# --- by status, by currency ----------------------------------------------------------------------------------------


def status_label(status: str) -> str:
    """A status in words; one that Stripe invented since stays as it is."""
    return str(STATUSES.get(status, status[:40]))


def _status(connection: StripeConnection, status: str, subscriptions: int, amount: Decimal) -> Line:
    url = list_url(connection, of=f"status-{status}")
    return Line(status_label(status), "", url, None, subscriptions, to_cents(amount))


def _currency(connection: StripeConnection, each: CurrencyLine) -> CurrencyRow:
    code = each.currency.upper()[:10]
    url = list_url(connection, of=f"currency-{each.currency}")
    monthly = each.monthly
    return CurrencyRow(
        line=Line(code, "", url, None, each.subscriptions, to_cents(each.mrr)),
        code=each.currency,
        monthly="" if monthly is None else _in_own_money(monthly, each.currency),
        rate=", ".join(short_rate(rate.usd_per_unit) for rate in each.rates),
        rate_note=rates_words({(rate.date, rate.source) for rate in each.rates if rate.source == "admin"}),
        without_rate=each.without_rate,
    )


def _in_own_money(amount: Decimal, currency: str) -> str:
    return wording.money(amount.quantize(1 / Decimal(minor_units(currency))), currency)


# --- beside Stripe's own figure --------------------------------------------------------------------------------------


def _difference(connection: StripeConnection, each: Difference) -> DifferenceRow:
    label, note = DIFFERENCES[each.group]
    if each.group == mrr_groups.EXCHANGE_RATES and each.mrr:
        apart = _("Rates that are 1 %% apart make %(amount)s.")
        note = f"{note} {apart % {'amount': wording.money(to_cents(each.mrr / HUNDRED))}}"
    line = Line(label, note, list_url(connection, of=each.group), None, each.subscriptions, to_cents(each.mrr))
    return DifferenceRow(line, None if each.amount is None else to_cents(each.amount))


def _compare(expected: Decimal, stripe_shows: Decimal | None) -> Comparison | None:
    if stripe_shows is None:
        return None
    unexplained = stripe_shows - expected
    if not stripe_shows:
        return Comparison(unexplained, "")
    share = abs(unexplained) / stripe_shows * HUNDRED
    if not share:
        return Comparison(unexplained, "")
    return Comparison(
        unexplained, _("less than 0.01 %%") if share < Decimal("0.01") else f"{wording.number(round(share, 2))} %"
    )


# --- beside the customer list ----------------------------------------------------------------------------------------


def _customer_list(found: CustomerList) -> str:
    """Why the customer list comes to another sum than Matched, every cent of it."""
    if not found.is_settled:
        return _("The customers are being recomputed; compare again in a minute.")
    text = _("The customers of the list add up to %(sum)s.") % {"sum": wording.money(found.mrr)}
    parts = [text, _rounding_words(found.rounding)]
    if found.waiting:
        parts.append(
            _("%(sum)s of Matched is on Stripe customers that wait for a decision, so no customer has it.")
            % {"sum": wording.money(to_cents(found.waiting))}
        )
    if found.failed:
        parts.append(
            _("It holds %(sum)s of Stripe customers that could not be read completely.")
            % {"sum": wording.money(to_cents(found.failed))}
        )
    if found.churned:
        parts.append(
            _("%(sum)s of it is on churned customers, which the list hides at first.")
            % {"sum": wording.money(found.churned)}
        )
    if found.ended:
        number = {"number": wording.number(found.ended)}
        parts.append(
            ngettext(
                "%(number)s customer in it has $0, because its billing has ended.",
                "%(number)s customers in it have $0, because their billing has ended.",
                found.ended,
            )
            % number
        )
    return " ".join(parts)


def _rounding_words(rounding: Decimal) -> str:
    cents = to_cents(rounding)
    if not cents:
        return _("Each customer is rounded to cents for itself; that makes no difference here.")
    amount = abs(int(cents * HUNDRED))
    words = ngettext("%(cents)s cent", "%(cents)s cents", amount) % {"cents": wording.number(amount)}
    if cents > 0:
        return _("Each customer is rounded to cents for itself, which makes %(cents)s more.") % {"cents": words}
    return _("Each customer is rounded to cents for itself, which makes %(cents)s less.") % {"cents": words}

"""What the figures of the pages mean, each in a sentence: for the title of a figure, and listed below the page.

A title is for who can hover. So whatever a page names with the tag ``means`` is listed at its end too, in words that
keyboard and touch reach (``components/figures.html``). docs/rules.md has the whole of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as pages head it, and what it means."""

    label: Promise
    means: Promise


MRR = _("Active and past due subscriptions in US dollars a month: discounts off, taxes and one-off charges left out.")

FIGURES: dict[str, Figure] = {
    # customers
    "mrr": Figure(_("MRR"), MRR),
    "plan": Figure(_("Plan"), _("Of the main subscription; + counts the further ones that run beside it.")),
    "payment_status": Figure(
        _("Payment status"), _("By the newest invoice that says something about paying, else by the subscriptions.")
    ),
    "billed_since": Figure(
        _("Billed since"), _("Start of the first subscription in Stripe, trials and breaks included.")
    ),
    "at_risk": Figure(
        _("At risk"),
        _(
            "MRR of subscriptions set to end within 30 days, and the whole MRR of customers whose payment is failing; "
            "each subscription once."
        ),
    ),
    "late": Figure(
        _("Past due or failing"),
        _("MRR of the customers with this payment status, not what is open on their invoices."),
    ),
    "mrr_change": Figure(_("Change"), _("The difference to the MRR before, whatever the cause in its row.")),
    "invoice_amount": Figure(
        _("Amount"), _("What the invoice came to in its own currency; below it what is still open.")
    ),
    # counts of the integration
    "stripe_customers": Figure(
        _("Stripe customers"), _("Stripe customers with at least one subscription in scope that has not ended.")
    ),
    "subscriptions": Figure(_("Subscriptions"), _("Subscriptions in scope that have not ended, trials included.")),
    "matched": Figure(_("Matched"), _("Stripe customers whose e-mail domain, or a decision, leads to a customer.")),
    "unmatched": Figure(_("Unmatched"), _("Stripe customers for whom there is no customer here.")),
    "skipped": Figure(
        _("Skipped"), _("Left out on purpose: personal or no e-mail, deleted, or ignored by a decision.")
    ),
    "ambiguous": Figure(
        _("Ambiguous matches"),
        _("Matched, but several met on one customer or one domain, and nobody has decided yet."),
    ),
    "failed": Figure(_("Failed"), _("Stripe customers with a record that could not be read, counted nowhere else.")),
    "at_stake": Figure(
        _("MRR at stake"), _("What these Stripe customers pay, on no customer's header until they are linked.")
    ),
    "duration": Figure(_("Duration"), _("From the start of the run to its end, waiting included.")),
    "call_time": Figure(_("Time"), _("How long Stripe took to answer.")),
    "reads": Figure(
        _("Reads this month"),
        _("Requests to this Stripe account since the first of the month, counted on this server."),
    ),
    # scope preview and decisions
    "now": Figure(_("Now"), _("As it is with the scope and options saved.")),
    "after": Figure(_("After"), _("As it would be with what you chose. Nothing is saved yet.")),
    "preview_change": Figure(_("Change"), _("After less now.")),
    "mrr_now": Figure(_("MRR now"), MRR),
    "mrr_after": Figure(_("MRR after"), _("The same with what you chose.")),
    "mrr_before": Figure(_("MRR before"), _("On the header as it is now.")),
    "mrr_decided": Figure(_("MRR after"), _("On the header once this is decided.")),
    # how MRR adds up
    "account_customers": Figure(
        _("Stripe customers"), _("Of the whole account: those with a subscription that has not ended.")
    ),
    "account_subscriptions": Figure(
        _("Subscriptions"), _("Of the whole account, whatever the scope; none that has ended.")
    ),
    "a_month": Figure(_("A month"), _("In the currency itself, before it is converted.")),
    "rate": Figure(
        _("US dollars per unit"),
        _("Reference rate of the European Central Bank, or one an admin entered, with its day."),
    ),
    "their_mrr": Figure(_("Their MRR"), _("What these subscriptions come to here.")),
    "difference": Figure(
        _("Difference"), _("By how much Stripe's own figure would differ if it treats them differently.")
    ),
    # drift
    "compared": Figure(_("Compared"), _("Live subscriptions that were read and held against what was stored.")),
    "missing": Figure(_("Missing here"), _("Live in Stripe and not stored here.")),
    "extra": Figure(_("No longer live"), _("Live here, and not in Stripe any more.")),
    "different": Figure(
        _("Customers with other figures"), _("Customers whose billing fields changed although Stripe told nobody.")
    ),
}


def note_used(request: HttpRequest | None, name: str) -> Figure:
    """The figure of that name, noted as one the page of this request shows. Raises KeyError for one there is not."""
    figure = FIGURES[name]
    if request is not None:
        request.__dict__.setdefault("_figures", {})[name] = figure
    return figure


def used(request: HttpRequest | None) -> list[Figure]:
    """The figures a page has shown so far, each label once, in the order of the page."""
    noted: dict[str, Figure] = getattr(request, "_figures", {})
    return list({(figure.label, figure.means): figure for figure in noted.values()}.values())

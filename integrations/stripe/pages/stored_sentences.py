"""The sentences that runs, rules and errors store in English, for the catalogue (customers/stored_words.py).

They are written where they arise, as plain text: the rules know no Django, and a run has no reader. Here they stand as
patterns; a test holds them beside what the rules write.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from customers import stored_words
from integrations.errors import ERRORS
from integrations.stripe.api.permissions import PERMISSIONS

ORIGINS = [
    _("Stripe"),
    _("Stripe, by date"),
    _("Stripe disconnected"),
    _("Resync by %(who)s"),
    _("Decision"),
    _("Matching"),
    _("Reconnected"),
    _("Scope or options"),
    _("Disconnected by %(who)s"),
    _("Exchange rate"),
]

PROGRESS = [
    _("Following dates that have passed"),
    _("Checking what is gone"),
    _("Checking closed payments"),
    _("Reading payments of open invoices"),
    _("Reading payment intents"),
    _("Checking closed invoices"),
    _("Reading drafts"),
    _("Reading paid invoices"),
    _("Reading invoices of single customers"),
    _("Matching customers"),
    _("Writing billing fields"),
    _("Adding up the rest"),
    _("Reading products"),
    _("Reading prices"),
    _("Reading coupons"),
    _("Reading subscriptions"),
    _("Reading customers"),
    _("Reading open payments"),
    _("Reading open invoices"),
    _("Reading uncollectible invoices"),
    _("Waiting for the worker"),
    _("Starting"),
]

STALE = [
    _("Stripe is disconnected"),
    _("Stripe asks to be connected again"),
    _("Stripe was never synced"),
    _("No look at Stripe since then succeeded"),
    _("Reading it from Stripe keeps failing"),
]

RECEIPT_LABELS = [
    _("Further items"),
    _("No items"),
    _("Product gone"),
    _("Never below zero"),
    _("Too large"),
    _("Counts 0"),
    _("Tax"),
    _("One-off price: never counts towards MRR"),
    _("Metered: usage never counts towards MRR"),
]

CHARGES = [
    _("%(number)s × %(amount)s"),
    _("%(number)s units: %(inner)s"),
    _("%(amount)s flat"),
    _("%(inner_first)s + %(inner_rest)s"),
    _("%(inner)s a day"),
    _("%(inner)s a week"),
    _("%(inner)s a month"),
    _("%(inner)s a quarter"),
    _("%(inner)s a year"),
    _("%(inner)s every %(number)s days"),
    _("%(inner)s every %(number)s weeks"),
    _("%(inner)s every %(number)s months"),
    _("%(inner)s every %(number)s years"),
    _("%(inner)s, %(number_units)s in packages of %(number_size)s"),
    _("%(number)s %%"),
    _("%(inner)s included, taken out"),
    _("%(inner)s comes on top and never counts"),
    _("1 %(currency)s = %(number)s USD, ECB, %(day)s"),
    _("1 %(currency)s = %(number)s USD, entered by an admin, %(day)s"),
    _("%(inner)s, %(number)s days old"),
]

DISCOUNTS = [
    _("Applies to one invoice only, so it never changes MRR"),
    _("Its months are over"),
    _("Applies to none of the items that charge something"),
    _("%(inner)s off, %(inner_duration)s"),
    _("%(amount)s off each invoice, %(inner_duration)s"),
    _("forever"),
    _("until %(day)s (UTC)"),
    _("repeating without an end"),
    _("%(inner)s, from the customer"),
    _("Negative prices exceed the rest"),
]

PROBLEMS = [
    _("Price %(id)s has the usage type “%(value)s”, which we do not know."),
    _("Price %(id)s rounds quantities “%(value)s”, which we do not know."),
    _("Price %(id)s is billed by the scheme “%(value)s”, which we do not know."),
    _("Price %(id)s has tiers of the mode “%(value)s”, which we do not know."),
    _("Price %(id)s is charged per “%(value)s”, an interval we do not know."),
    _("Price %(id)s is charged every %(count)s %(interval)ss, which cannot be."),
    _(
        "Price %(id)s is in %(currency)s and its amount in %(other)s could not be read: "
        "give the connection permission to read prices."
    ),
    _("Price %(id)s has tiers that could not be read: give the connection permission to read prices."),
    _("Price %(id)s %(what)s, which we do not know."),
    _("Price %(id)s cannot be used: %(inner)s."),
    _("its quantity %(quantity)s cannot be"),
    _("its quantity is divided by %(quantity)s"),
    _("it has no amount"),
    _("it has no amount in %(currency)s"),
    _("its amount is too large to be true"),
    _("no tier covers %(number)s units"),
    _("one of its tiers has no amount"),
    _("Discount %(id)s names no coupon, so what it takes off is unknown."),
    _("Coupon %(id)s lasts “%(value)s”, a duration we do not know."),
    _("Coupon %(id)s has no amount in %(currency)s, so its discount is left out."),
    _("Coupon %(id)s cannot be used: %(inner)s."),
    _("it takes off neither a percentage nor an amount, or both"),
    _("its percentage cannot be"),
    _("its amount cannot be"),
    _(
        "%(inner)s could not be read: give the connection permission to read coupons; "
        "a deleted coupon stays unreadable."
    ),
    _("Discount %(id)s"),
    _("Coupon %(id)s"),
    _("The products coupon %(id)s is limited to"),
    _("The amount of coupon %(id)s in %(currency)s"),
    _("Tax rate %(id)s is %(number)s %%, which cannot be."),
    _("Subscription %(id)s has the status “%(value)s”, which we do not know."),
    _("Subscription %(id)s has more items than were read, so its MRR is too low."),
    _("Subscription %(id)s came without items, so it has no plan and counts 0."),
    _("Subscription %(id)s comes to more than can be true, so it counts 0."),
    _("Product %(id)s is gone from Stripe, so its plan goes by another name."),
    _("There is no exchange rate for %(currency)s. Add one among the exchange rates in the admin, and it counts."),
    _("Invoice %(id)s has the status “%(value)s”, which we do not know, so it was passed over."),
]

WHY_ZERO_SENTENCES = [
    _("A trial counts 0 until it ends."),
    _("Unpaid: every attempt to collect failed, so it counts 0."),
    _("Incomplete: the first payment has not gone through, so it counts 0."),
    _("Paused: it counts 0 until it is resumed."),
    _("It has ended; only its start date counts."),
    _("Its status is new to us, so it counts 0 until we know what it means."),
    _("It has no items."),
    _("None of its items is a recurring fixed price; usage and one-off prices never count."),
    _("There is no exchange rate for its currency."),
    _("What it is worth cannot be read completely, and a guess would be wrong."),
    _("Discounts take off everything."),
    _("Its items with a negative price take off everything."),
    _("What its items charge comes to nothing."),
]

PAYING = [
    _("Invoice {number} is a draft"),
    _("Invoice {number} was voided"),
    _("Invoice {number} has a status we do not know"),
    _("Invoice {number} is paid"),
    _("Invoice {number} is paid; nothing was charged"),
    _("Nothing is left to pay on invoice {number}"),
    _("No payment of invoice {number} was tried yet"),
    _("The first debit of invoice {number} is under way"),
    _("{attempts} at invoice {number}, the latest under way, {amount_remaining} open"),
    _("The customer must confirm paying invoice {number}, {amount_remaining} open"),
    _("Paying invoice {number} waits for confirmation, {amount_remaining} open"),
    _("{attempts} declined, {next_attempt}, {amount_remaining} open"),
    _("Invoice {number} is partly paid and not due yet, {amount_remaining} open"),
    _("Invoice {number} is partly paid, due since {due}, {amount_remaining} open"),
    _("Invoice {number} is not due yet, {amount_remaining} open"),
    _("{attempts} declined, due since {due}, {amount_remaining} open"),
    _("Invoice {number} was due on {due}, {amount_remaining} open"),
    _("Invoice {number} was set aside when its subscription was paused"),
    _("Invoice {number} was given up after {attempts}, {amount_remaining} open"),
    _("Invoice {number} was marked uncollectible, {amount_remaining} open"),
    _("No invoice decides, and a subscription is unpaid"),
    _("No invoice decides, and a subscription is past due"),
    _("No invoice decides, and a subscription paid by invoice is past due"),
    _("No invoice decides, and a subscription lacks its first payment"),
    _("No invoice says anything about paying yet"),
    _("1 attempt"),
    _("%(number)s attempts"),
    _("next on %(when)s"),
    _("no further attempt planned"),
]

DETAILS = [
    _("Without %(inner_permission)s: %(inner)s"),
    _("Mirrored here: %(known)s. Offered: %(other)s."),
    _("None of %(number)s customers of %(known)s exists in the one offered."),
    _("Stripe was disconnected meanwhile; nothing was written."),
    _("Its Stripe customer is not known; run a sync to look again."),
    _("A decision needs a reason."),
    _("A reason has at most %(number)s characters."),
    _("The access token could not be refreshed in time."),
    _("A worker does not give the inbox back."),
    _("Stripe %(mode)s is %(state)s."),
    _("A preview is being worked on; it was asked to stop."),
    _("A signing secret starts with whsec_."),
    _("That decision does not belong to this connection."),
    _("That decision is undone already."),
    _("A chosen Stripe customer does not belong to this connection."),
    _("A chosen Stripe customer does not belong to this group."),
    _("The customer to link to was deleted."),
    _("No signing secret is known for this endpoint."),
    _("A %(sent)s event arrived at the %(mode)s endpoint."),
    _("Stripe is not connected here."),
    _("The event belongs to an account that is not connected here."),
    _("Without it changes arrive by webhook and with the nightly run only."),
    _("Stripe is disconnected, so nothing is matched."),
    _("There is nobody to win over."),
    _("Its domain is no longer on several customers."),
    _("Choose some of the Stripe customers, not none and not all."),
    _("The key belongs to %(account)s, not to %(other)s."),
    _("No Stripe customer with a live subscription is on it any more."),
    _("Nothing waits for a decision on %(name)s."),
    _("That customer does not belong to this connection's environment."),
    _("That customer is archived; restore it to link to it."),
    _("Stripe asks for %(permission)s."),
    _("A list could not go on where it had stopped."),
    _("No answer came in time."),
    _("The connection could not be made or broke off."),
    _("The certificate of the server could not be verified."),
    _("The answer was cut short."),
    _("The answer was too large."),
    _("The answer %(status)s did not come from Stripe's API."),
    _("Stripe answered %(status)s."),
    _("A list does not go on: its page ends where the last one did."),
    _("The answer was not a list."),
    _("It was signed too far in the past; check the clocks."),
    _("It was signed too far in the future; check the clocks."),
    _("The token answer was empty."),
    _("Whether Stripe took the request is not known."),
    _("The token answer made no sense."),
    _("The token answer could not be read."),
    _("Stripe refused our secret key for %(mode)s mode."),
    _("This is a %(other)s key, and it was to be a %(mode)s one."),
    _("This kind of access cannot be renewed."),
    _("This was to be a connection in %(mode)s mode."),
    _("Stripe sent no usable access token."),
    _("Stripe sent no usable refresh token."),
    _("Stripe did not grant exactly the scope %(scope)s."),
    _("Stripe did not say which account this is."),
    _("Thin events are not read; let the endpoint send snapshots."),
    _("That is no event."),
    _("It is nested too deeply."),
    _("An id is too long."),
    _("Access was ended in Stripe."),
    _("Nothing moved in %(number)s attempts."),
    _("Our access is stored under an encryption key that this server does not have."),
    _(
        "More than %(number_most)s of %(number_all)s live subscriptions were missing from Stripe's list; "
        "none was marked as ended."
    ),
    _("An object without a readable id came; nothing was marked as ended."),
    _("The signing secret cannot be read here."),
    _("The answer was not JSON."),
    _("No complete answer from Stripe: %(kind)s"),
    _("The body is larger than any event."),
    _("The body did not arrive whole."),
    _("Stripe says: %(said)s."),
    _("Stripe sent no authorization code."),
    _("It was started elsewhere, or its answer came in before."),
    _("It was started more than ten minutes ago."),
]


def register() -> None:
    """Let stored text be translated by these sentences; called once when the apps are ready."""
    for sentences in (
        ORIGINS,
        PROGRESS,
        STALE,
        RECEIPT_LABELS,
        CHARGES,
        DISCOUNTS,
        PROBLEMS,
        WHY_ZERO_SENTENCES,
        PAYING,
        DETAILS,
    ):
        stored_words.know(sentences)
    for permission in PERMISSIONS:
        stored_words.know([permission.label, permission.why, permission.without])
    for error in ERRORS.values():
        stored_words.know([error.what, error.next_step])

"""Why a Stripe customer is where it is, in words (docs/rules.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.models import StripeCustomer

Words = str | Promise

UNMATCHED: Mapping[str, Words] = {
    "no_customer": gettext_lazy("No customer has the domain"),
    "personal_no_customer": gettext_lazy("No customer has the personal address"),
    "pin_suspended": gettext_lazy("Linked to a customer that cannot have it"),
}
SKIPPED: Mapping[str, Words] = {
    "personal_email": gettext_lazy("Personal e-mail"),
    "no_email": gettext_lazy("No usable e-mail"),
    "ignored": gettext_lazy("Ignored by a decision"),
    "deleted": gettext_lazy("Deleted in Stripe"),
}
SKIPPED_SHORT: Mapping[str, Words] = {
    "personal_email": gettext_lazy("personal"),
    "no_email": gettext_lazy("no e-mail"),
    "ignored": gettext_lazy("ignored"),
    "deleted": gettext_lazy("deleted"),
}
MATCHED: Mapping[str, Words] = {
    "domain": gettext_lazy("By its domain"),
    "pinned": gettext_lazy("Linked by a decision"),
    "winner_ended": gettext_lazy("Its winner's billing ended; not in the figures"),
}


def sentence(row: StripeCustomer) -> str:
    """Why this Stripe customer is matched, unmatched or skipped; names the domain or address it is about."""
    domain = row.email_domain
    match row.match_reason:
        case "no_customer":
            return _("No customer has %(domain)s") % {"domain": domain}
        case "personal_no_customer":
            return _("No customer has the address %(address)s") % {"address": row.email_address}
        case "pin_suspended":
            return _("Its customer is archived, deleted or in the other environment")
        case "personal_email":
            return _("%(domain)s is a personal domain") % {"domain": domain}
        case "no_email":
            return _("“%(email)s” names no company") % {"email": row.email} if row.email else _("It has no e-mail")
        case "domain":
            return _("Same domain, %(domain)s") % {"domain": domain}
    known = {**MATCHED, **UNMATCHED, **SKIPPED}.get(row.match_reason, "")
    return str(known)

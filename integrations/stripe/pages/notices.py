"""What people are told after an action, as messages of Django's.

An error is told with what happened, what to do next, and its stable code, which leads to its explanation.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers.stored_words import translated
from integrations.errors import IntegrationError
from integrations.models import StripeConnection
from integrations.stripe.sync.refresh import RefreshResult


def problem(request: HttpRequest, error: IntegrationError) -> None:
    """Tell an error."""
    messages.error(request, told(error))


def told(error: IntegrationError) -> SafeString:
    """An error as people read it; everything in it is escaped, since a detail may quote Stripe."""
    return format_html(
        '<strong>{}</strong> {} {} <a class="code small" href="{}">{}</a>',
        _(error.text.what),
        translated(error.detail),
        _(error.text.next_step),
        f"{reverse('guide', args=['troubleshooting'])}#{error.code}",
        error.code,
    )


def connected(request: HttpRequest, connection: StripeConnection) -> None:
    """Say which account was connected, and how to go back."""
    account = connection.account_name or _("a Stripe account")
    known_by = connection.account_id or _("key ending in …%(last4)s") % {"last4": connection.key_last4}
    messages.success(
        request,
        format_html(
            _(
                'You connected <strong>{}</strong> (<span class="code">{}</span>), {}. '
                'Not this one? <a href="{}">{}</a>'
            ),
            account,
            known_by,
            connection.mode,
            reverse("stripe:disconnect", args=[connection.mode]),
            _("Disconnect"),
        ),
    )


def run_joined(request: HttpRequest) -> None:
    """Say that a run was under way already; a second start joins it."""
    messages.info(request, _("A run was under way already; this is its progress."))


def refreshed(request: HttpRequest, results: Sequence[RefreshResult]) -> None:
    """Say what reading records fresh changed, and what it could not settle."""
    changed = sorted({name.replace("_", " ") for result in results for name in result.changed})
    if changed:
        messages.success(request, _("Read from Stripe just now. Changed: %(names)s.") % {"names": ", ".join(changed)})
    else:
        messages.success(request, _("Read from Stripe just now. Nothing changed."))
    count = len({issue.pk for result in results for issue in result.issues})
    if count:
        messages.warning(
            request,
            ngettext(
                "%(count)d record still needs attention; it is in the log.",
                "%(count)d records still need attention; they are in the log.",
                count,
            )
            % {"count": count},
        )


def retries_queued(request: HttpRequest, number: int) -> None:
    """Say how many Stripe customers the worker reads again."""
    if not number:
        messages.info(request, _("Nothing was ticked that another try could help."))
        return
    messages.success(
        request,
        ngettext(
            "%(count)d Stripe customer is read again in the background; its records leave the list when all is well.",
            "%(count)d Stripe customers are read again in the background; "
            "their records leave the list when all is well.",
            number,
        )
        % {"count": number},
    )

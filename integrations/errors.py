"""What can go wrong between us and a provider, as one exception with a stable code.

Every error a person meets has a code, one sentence that says what happened, and one that says what to do next. The
codes are the sections of docs/troubleshooting.md. ``permanent`` tells whether trying again can help.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_noop as _


@dataclass(frozen=True, slots=True)
class ErrorText:
    """What happened, what to do, and whether another try can help."""

    what: str
    next_step: str
    permanent: bool


ERRORS: dict[str, ErrorText] = {
    "reauthorize": ErrorText(
        _("Stripe no longer accepts our access."),
        _("Connect Stripe again on Admin > Integrations > Stripe; nothing that was read is lost."),
        permanent=True,
    ),
    "permission_missing": ErrorText(
        _("The connection lacks a permission."),
        _("Add the permission in Stripe, then check the connection again."),
        permanent=True,
    ),
    "wrong_mode": ErrorText(
        _("That belongs to the other mode."),
        _("Use a live key or app for live mode and a test one for test mode."),
        permanent=True,
    ),
    "wrong_account": ErrorText(
        _("That is another Stripe account than the one connected here."),
        _("Choose the account named on the page, or delete the mirrored data first."),
        permanent=True,
    ),
    "still_connected": ErrorText(
        _("Stripe is still connected here."),
        _("Disconnect it first; what it wrote would only come back."),
        permanent=True,
    ),
    "rate_limited": ErrorText(
        _("Stripe is slowing us down."), _("Nothing to do: we go on by ourselves, more slowly."), permanent=False
    ),
    "stripe_unavailable": ErrorText(
        _("Stripe could not be reached."),
        _("Check the network and Stripe's status page, then run the sync again."),
        permanent=False,
    ),
    "stalled": ErrorText(
        _("The run stopped moving."),
        _("Look at the worker's log, then run the sync again; what was read so far is kept."),
        permanent=False,
    ),
    "busy": ErrorText(_("Stripe is being read for something else."), "Try again in a moment.", permanent=False),
    "invalid_response": ErrorText(
        _("Stripe sent something we could not read."),
        _("Retry the record; if it stays, send us its id."),
        permanent=True,
    ),
    "unknown_value": ErrorText(
        _("Stripe sent a value we do not know."),
        _("The record counts as 0 until Pivotal is updated; send us its id."),
        permanent=True,
    ),
    "no_exchange_rate": ErrorText(
        _("A currency has no exchange rate."),
        _("Add a rate under Admin > Exchange rates; the figures follow by themselves."),
        permanent=True,
    ),
    "record_gone": ErrorText(
        _("Stripe no longer has this record."), _("Nothing to do; the figures go by what is left."), permanent=True
    ),
    "signature_invalid": ErrorText(
        _("The signature of the notification is not ours."),
        _("Copy the signing secret again from the endpoint's page in Stripe."),
        permanent=True,
    ),
    "too_large": ErrorText(
        _("A notification was larger than any event of Stripe's."),
        _("Nothing to do: it was not read, and polling brings what Stripe had to say."),
        permanent=True,
    ),
    "cut_short": ErrorText(
        _("A notification did not arrive whole."),
        _("Nothing to do: Stripe sends it again. If it goes on, look at the proxy in front of this server."),
        permanent=True,
    ),
    "consent_denied": ErrorText(
        _("Access was not granted on Stripe's page."),
        _("Click Connect Stripe again when you are ready; nothing was stored."),
        permanent=True,
    ),
    "state_mismatch": ErrorText(
        _("The answer does not belong to a connection that was started here."),
        _("Start again with Connect Stripe in the same browser; nothing was stored."),
        permanent=True,
    ),
    "code_used": ErrorText(
        _("Stripe no longer accepts this authorization code: it was used already or has expired."),
        _("Start again with Connect Stripe; nothing was stored."),
        permanent=True,
    ),
    "group_changed": ErrorText(
        _("This changed while you were looking, so nothing was decided."),
        _("Look at it again and decide on what is there now."),
        permanent=True,
    ),
    "decision_refused": ErrorText(
        _("That cannot be decided."),
        _("Go back, load the page again, and choose from what is there now."),
        permanent=True,
    ),
    "not_configured": ErrorText(
        _("This server has no Stripe App for this mode yet."),
        _("Set the client id and the secret key of this mode, or use a restricted key instead."),
        permanent=True,
    ),
    "invalid_key": ErrorText(
        _("That is not a restricted key."),
        _("Paste a key that starts with rk_; secret and publishable keys are refused."),
        permanent=True,
    ),
}


class IntegrationError(Exception):
    """An error with a code of ``ERRORS``; ``detail`` adds the specifics, ``answer`` what the provider said.

    ``answer`` never holds secrets: whoever raises it has taken them out.
    """

    def __init__(self, code: str, detail: str = "", *, answer: str = "", retry_after: float | None = None) -> None:
        self.code = code
        self.text = ERRORS[code]
        self.detail = detail
        self.answer = answer
        self.retry_after = retry_after
        super().__init__(f"{self.text.what} {detail}".strip())

    @property
    def permanent(self) -> bool:
        """Whether trying again cannot help."""
        return self.text.permanent

    @property
    def message(self) -> str:
        """What happened and what to do, in one line."""
        return " ".join(part for part in (self.text.what, self.detail, self.text.next_step) if part)

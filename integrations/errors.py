"""What can go wrong between us and a provider, as one exception with a stable code.

Every error a person meets has a code, one sentence that says what happened, and one that says what to do next. The
codes are the sections of docs/troubleshooting.md. ``permanent`` tells whether trying again can help.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorText:
    """What happened, what to do, and whether another try can help."""

    what: str
    next_step: str
    permanent: bool


ERRORS: dict[str, ErrorText] = {
    "reauthorize": ErrorText(
        "Stripe no longer accepts our access.",
        "Connect Stripe again on Admin > Integrations > Stripe; nothing that was read is lost.",
        permanent=True,
    ),
    "permission_missing": ErrorText(
        "The connection lacks a permission.",
        "Add the permission in Stripe, then check the connection again.",
        permanent=True,
    ),
    "wrong_mode": ErrorText(
        "That belongs to the other mode.",
        "Use a live key or app for live mode and a test one for test mode.",
        permanent=True,
    ),
    "wrong_account": ErrorText(
        "That is another Stripe account than the one connected here.",
        "Choose the account named on the page, or delete the mirrored data first.",
        permanent=True,
    ),
    "still_connected": ErrorText(
        "Stripe is still connected here.",
        "Disconnect it first; what it wrote would only come back.",
        permanent=True,
    ),
    "rate_limited": ErrorText(
        "Stripe is slowing us down.", "Nothing to do: we go on by ourselves, more slowly.", permanent=False
    ),
    "stripe_unavailable": ErrorText(
        "Stripe could not be reached.",
        "Check the network and Stripe's status page, then run the sync again.",
        permanent=False,
    ),
    "stalled": ErrorText(
        "The run stopped moving.",
        "Look at the worker's log, then run the sync again; what was read so far is kept.",
        permanent=False,
    ),
    "busy": ErrorText("Stripe is being read for something else.", "Try again in a moment.", permanent=False),
    "invalid_response": ErrorText(
        "Stripe sent something we could not read.",
        "Retry the record; if it stays, send us its id.",
        permanent=True,
    ),
    "unknown_value": ErrorText(
        "Stripe sent a value we do not know.",
        "The record counts as 0 until Pivotal is updated; send us its id.",
        permanent=True,
    ),
    "no_exchange_rate": ErrorText(
        "A currency has no exchange rate.",
        "Add a rate under Admin > Exchange rates; the figures follow by themselves.",
        permanent=True,
    ),
    "record_gone": ErrorText(
        "Stripe no longer has this record.", "Nothing to do; the figures go by what is left.", permanent=True
    ),
    "signature_invalid": ErrorText(
        "The signature of the notification is not ours.",
        "Copy the signing secret again from the endpoint's page in Stripe.",
        permanent=True,
    ),
    "consent_denied": ErrorText(
        "Access was not granted on Stripe's page.",
        "Click Connect Stripe again when you are ready; nothing was stored.",
        permanent=True,
    ),
    "state_mismatch": ErrorText(
        "The answer does not belong to a connection that was started here.",
        "Start again with Connect Stripe in the same browser; nothing was stored.",
        permanent=True,
    ),
    "code_used": ErrorText(
        "Stripe no longer accepts this authorization code: it was used already or has expired.",
        "Start again with Connect Stripe; nothing was stored.",
        permanent=True,
    ),
    "group_changed": ErrorText(
        "This changed while you were looking, so nothing was decided.",
        "Look at it again and decide on what is there now.",
        permanent=True,
    ),
    "decision_refused": ErrorText(
        "That cannot be decided.", "Go back, load the page again, and choose from what is there now.", permanent=True
    ),
    "not_configured": ErrorText(
        "This server has no Stripe App for this mode yet.",
        "Set the client id and the secret key of this mode, or use a restricted key instead.",
        permanent=True,
    ),
    "invalid_key": ErrorText(
        "That is not a restricted key.",
        "Paste a key that starts with rk_; secret and publishable keys are refused.",
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

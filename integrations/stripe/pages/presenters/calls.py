"""The last calls to Stripe: the proof that nothing is written there."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.models import ApiCall, StripeConnection
from integrations.stripe.pages.presenters.connection import LAST_CALLS, is_token_exchange


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call to Stripe."""

    call: ApiCall
    is_token: bool

    @property
    def failed(self) -> bool:
        """Whether it brought no usable answer."""
        return self.call.status == 0 or self.call.status >= 400


def last_calls(connection: StripeConnection) -> list[CallRow]:
    """The last calls, newest first."""
    calls = ApiCall.objects.filter(connection=connection).order_by("-at", "-id")[:LAST_CALLS]
    return [CallRow(call, is_token_exchange(call.method, call.path)) for call in calls]

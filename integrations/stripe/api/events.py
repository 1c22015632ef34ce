"""What we take of Stripe's events: a hint that something changed, never a value.

Payloads are rendered in other API versions, arrive in any order and more than once. So only what names the object is
decoded, and the object is read fresh (docs/architecture.md section 4 "Incremental").
"""

from __future__ import annotations

import msgspec

from integrations.errors import IntegrationError
from integrations.stripe.api.decode import decode
from integrations.stripe.api.fields import Identifier, Moment, Text
from integrations.stripe.api.objects import Wire

POLLED = (
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.discount.created",
    "customer.discount.updated",
    "customer.discount.deleted",
    "customer.updated",
    "customer.deleted",
    "invoice.finalized",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.marked_uncollectible",
    "invoice.voided",
    "invoice.updated",
    "payment_intent.processing",
    "price.updated",
    "product.updated",
)
"""What a poll asks for: 20 types are one request.

Each further type comes together with one of these, or with a moment the clock knows: docs/architecture.md section 4
"Incremental" has the list, and the tests prove each way a payment fails by its one event.
"""

AUTHORIZED = "account.application.authorized"
"""Comes while consent is being given, before we know whose it was: no news, and nobody's mistake."""

DEAUTHORIZED = "account.application.deauthorized"

TAKEN = (
    *POLLED,
    "customer.subscription.pending_update_applied",
    "invoice.overdue",
    "invoice.deleted",
    "invoice_payment.paid",
    "payment_intent.requires_action",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "payment_intent.canceled",
    "account.updated",
    DEAUTHORIZED,
)
"""What a webhook endpoint should send. A coupon changes in nothing but its name once it exists, so none is here."""

THIN = "v2.core.event"


class Named(Wire, frozen=True):
    """Anything with an id, where a payload carries an object instead of its id."""

    id: Identifier


class Subject(Wire, frozen=True):
    """The object an event is about, as far as it names itself."""

    id: Identifier
    object: Text = ""
    customer: Text | Named | None = None
    invoice: Text | Named | None = None


class Hint(Wire, frozen=True):
    """Something changed: what it is, and whose, as far as the event says; ``taken`` whether it can matter to us."""

    taken: bool
    event_id: str
    type: str
    created: int
    livemode: bool
    account: str
    object_type: str = ""
    object_id: str = ""
    customer_id: str = ""


class _Data(Wire, frozen=True):
    object: msgspec.Raw = msgspec.Raw(b"{}")


class _Envelope(Wire, frozen=True):
    id: Identifier
    type: Text = ""
    object: Text = ""
    created: Moment = 0
    livemode: bool = False
    account: Text | None = None
    data: _Data = _Data()


class _Kind(Wire, frozen=True):
    object: Text = ""


def read_hint(raw: bytes | msgspec.Raw) -> Hint:
    """The hint in one event; the object of one that cannot change what we show is not looked at.

    Raises IntegrationError ``invalid_response`` for anything that is no event, and for a thin one, which names its
    object in another way and comes from an endpoint that was set up for those.
    """
    try:
        if decode(raw, _Kind).object == THIN:
            raise IntegrationError("invalid_response", "Thin events are not read; let the endpoint send snapshots.")
        envelope = decode(raw, _Envelope)
        if envelope.object != "event":
            raise IntegrationError("invalid_response", "That is no event.")
        hint = Hint(
            taken=envelope.type in TAKEN,
            event_id=envelope.id,
            type=envelope.type,
            created=envelope.created,
            livemode=envelope.livemode,
            account=envelope.account or "",
        )
        return _about(hint, decode(envelope.data.object, Subject)) if hint.taken else hint
    except RecursionError:
        raise IntegrationError("invalid_response", "It is nested too deeply.") from None


def _about(hint: Hint, subject: Subject) -> Hint:
    kind, identifier = subject.object, subject.id
    customer = _id(subject.customer)
    if kind == "customer":
        customer = identifier
    elif kind == "invoice_payment":  # it says whose it is through its invoice
        kind, identifier = "invoice", _id(subject.invoice)
    if len(customer) > MOST_CHARACTERS or len(kind) > MOST_KIND_CHARACTERS or len(identifier) > MOST_CHARACTERS:
        raise IntegrationError("invalid_response", "An id is too long.")
    return msgspec.structs.replace(hint, object_type=kind, object_id=identifier, customer_id=customer)


MOST_CHARACTERS = 255
MOST_KIND_CHARACTERS = 40


def _id(given: str | Named | None) -> str:
    return given.id if isinstance(given, Named) else given or ""

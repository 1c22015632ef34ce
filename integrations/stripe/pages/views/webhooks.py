"""Where Stripe delivers its events: no session, no login, no CSRF token, but a signature."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from integrations.errors import IntegrationError
from integrations.stripe.sync import webhooks
from integrations.stripe.sync.webhooks import Answer

MOST_BYTES = 1024 * 1024  # several times what Stripe sends


@csrf_exempt
@require_POST
def app_endpoint(request: HttpRequest, mode: str) -> JsonResponse:
    """Events of the account that gave our app or platform access."""
    return answer(request, mode, own_endpoint=False)


@csrf_exempt
@require_POST
def account_endpoint(request: HttpRequest, mode: str) -> JsonResponse:
    """Events of an endpoint that an account set up for itself."""
    return answer(request, mode, own_endpoint=True)


def answer(request: HttpRequest, mode: str, *, own_endpoint: bool) -> JsonResponse:
    """Read no more than an event can be, and say what became of it."""
    given = take(request, mode, own_endpoint=own_endpoint)
    content = {"done": given.done} | ({"reason": given.reason} if given.reason else {})
    return JsonResponse(content, status=given.status)


def take(request: HttpRequest, mode: str, *, own_endpoint: bool) -> Answer:
    """The raw body and its signature, unless there is too much of it or too little."""
    try:
        body = whole_body(request)
    except IntegrationError as error:
        return webhooks.refuse_unread(mode, error)
    signature = request.headers.get("Stripe-Signature", "")
    return webhooks.accept(mode, body, signature, own_endpoint=own_endpoint)


def whole_body(request: HttpRequest) -> bytes:
    """The body, read no further than the limit.

    Raises IntegrationError ``too_large`` or ``cut_short``; of a connection that ended early, some servers say nothing
    and hand over what there was.
    """
    announced = request.headers.get("Content-Length", "")
    length = int(announced) if announced.isdecimal() else 0
    if length > MOST_BYTES:
        raise IntegrationError("too_large")
    try:
        body = request.read(MOST_BYTES + 1)
    except UnreadablePostError as error:
        raise IntegrationError("cut_short") from error
    if len(body) > MOST_BYTES:
        raise IntegrationError("too_large")
    if len(body) < length:
        raise IntegrationError("cut_short")
    return body

"""Where Stripe delivers its events: no session, no login, no CSRF token, but a signature."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from integrations.stripe.sync import webhooks
from integrations.stripe.sync.webhooks import Answer

MOST_BYTES = 1024 * 1024  # several times what Stripe sends

TOO_LARGE = Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The body is larger than any event.")
CUT_SHORT = Answer(HTTPStatus.BAD_REQUEST, "cut_short", "The body did not arrive whole.")


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
    """The raw body and its signature, unless there is too much of it."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        return TOO_LARGE
    try:
        body = request.read(MOST_BYTES + 1)
    except UnreadablePostError:
        return CUT_SHORT
    if len(body) > MOST_BYTES:
        return TOO_LARGE
    signature = request.headers.get("Stripe-Signature", "")
    return webhooks.accept(mode, body, signature, own_endpoint=own_endpoint)

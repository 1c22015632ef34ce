"""Reading from a running sandbox as a client would."""

from collections.abc import Iterator
from typing import Any

from sandbox.testing import Running

FOUR = ["customer_read", "subscription_read", "invoice_read", "payment_intent_read"]


def walk(stripe: Running, path: str, key: str = "rk_live_all", /, **params: Any) -> Iterator[dict[str, Any]]:
    """Every object of a list, page by page."""
    while True:
        answer = stripe.get(path, key, **params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield from page["data"]
        if not page["has_more"]:
            return
        params["starting_after"] = page["data"][-1]["id"]


def ids(stripe: Running, path: str, key: str = "rk_live_all", /, **params: Any) -> list[str]:
    """The ids of every object of a list, in its order."""
    return [one["id"] for one in walk(stripe, path, key, **params)]


def error_of(answer: Any) -> dict[str, Any]:
    """The `error` object of a refused request."""
    error: dict[str, Any] = answer.json()["error"]
    return error

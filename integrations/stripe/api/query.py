"""How an address is written: Stripe's form of query parameters, and ids inside paths.

The query is written here and not by the SDK so that the call log shows what was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode

from integrations.errors import IntegrationError


def with_query(path: str, params: Mapping[str, object] | None) -> str:
    """``path`` and ``params`` as one relative address.

    Mappings become ``created[gte]=1``, sequences ``expand[]=a&expand[]=b``, booleans ``true`` and ``false``; None is
    left out.
    """
    pairs = [pair for key, value in (params or {}).items() for pair in _pairs(key, value)]
    return f"{path}?{urlencode(pairs, safe='[]')}" if pairs else path


def _pairs(key: str, value: object) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _pairs(f"{key}[{name}]", inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _pairs(f"{key}[]", inner)
    elif isinstance(value, bool):
        yield key, "true" if value else "false"
    else:
        yield key, str(value)


def object_path(resource: str, identifier: str) -> str:
    """The path of one object, such as ``/v1/coupons/25%25OFF``.

    Ids come from Stripe's answers and some are chosen freely by the account (coupons, prices, products), so each is
    quoted. Raises IntegrationError ``invalid_response`` for an id that would name another address.
    """
    if identifier in {"", ".", ".."}:
        raise IntegrationError("invalid_response", f"{identifier!r} cannot be the id of an object.")
    return f"/v1/{resource}/{quote(identifier, safe='')}"


def endpoint_of(path: str) -> str:
    """The endpoint a path counts against in Stripe's limits: its list, ``/v1/subscriptions`` for any subscription."""
    return "/".join(path.partition("?")[0].split("/")[:3])

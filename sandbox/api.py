"""Stripe's read interface: what `GET /v1/…` answers to whom."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from sandbox.accounts import ACCOUNTS
from sandbox.auth import Principal
from sandbox.clock import Clock
from sandbox.errors import ApiError, missing_permission, no_such
from sandbox.expansion import Tree, expand, plan
from sandbox.kinds import ACCOUNT_PERMISSION, KINDS
from sandbox.queries import MAXIMUM_LIMIT, Query, expansions, parse, selection
from sandbox.shapes import Json
from sandbox.store import Dataset

ITEMS = "subscription_items"
RETRIEVABLE = {
    "customers", "subscriptions", "invoices", "invoice_payments", "payment_intents", "products", "prices", "coupons",
    "events",
}  # fmt: skip

Data = Callable[[str, str], Dataset]


@dataclass
class ReadApi:
    """Answers reads from the data of an account and mode, which `data` looks up."""

    data: Data
    clock: Clock

    def answer(self, principal: Principal, path: str, query: Query) -> bytes:
        """The JSON body of `GET path?query`. Raises ApiError for everything Stripe refuses."""
        if path == "/v1/account":
            _need(principal, [ACCOUNT_PERMISSION])
            expansions(query)
            return msgspec.json.encode(ACCOUNTS[principal.account].document())
        collection, _, object_id = path.removeprefix("/v1/").partition("/")
        dataset = self.data(principal.account, principal.mode)
        if collection == ITEMS and not object_id:
            return _items(principal, dataset, query)
        if collection not in KINDS or (object_id and collection not in RETRIEVABLE) or "/" in object_id:
            raise ApiError(404, f"Unrecognized request URL (GET: {path}).")
        if object_id:
            return _retrieve(principal, dataset, collection, object_id, query)
        return self._list(principal, dataset, collection, query)

    def _list(self, principal: Principal, dataset: Dataset, kind: str, query: Query) -> bytes:
        definition = KINDS[kind]
        _need(principal, [definition.permission])
        parsed = parse(kind, query)
        tree = _planned(principal, parsed.expand, definition.resource, is_list=True)
        page, more = dataset.collections[kind].select(selection(parsed, dataset.collections[kind], self.clock.now()))
        return list_body(
            [expand(dataset, entry.body(kind), definition.resource, tree) for entry in page], definition.url, more=more
        )


def list_body(objects: list[bytes], url: str, *, more: bool) -> bytes:
    """A list answer around objects that are already JSON."""
    has_more = b"true" if more else b"false"
    return b'{"object":"list","data":[%s],"has_more":%s,"url":%s}' % (
        b",".join(objects),
        has_more,
        msgspec.json.encode(url),
    )


def _retrieve(principal: Principal, dataset: Dataset, kind: str, object_id: str, query: Query) -> bytes:
    definition = KINDS[kind]
    _need(principal, [definition.permission])
    tree = _planned(principal, expansions(query), definition.resource, is_list=False)
    entry = dataset.collections[kind].get(object_id)
    body = entry.body(kind) if entry else None
    if body is None and kind == "customers":
        body = dataset.removed.get(object_id)
    if body is None:
        raise no_such(definition.resource, object_id)
    return expand(dataset, body, definition.resource, tree)


def _items(principal: Principal, dataset: Dataset, query: Query) -> bytes:
    """`GET /v1/subscription_items?subscription=…`: pages of the items of one subscription, in their order."""
    _need(principal, [KINDS["subscriptions"].permission])
    values = {name: value for name, value in query if not name.startswith("expand")}
    unknown = sorted(values.keys() - {"subscription", "limit", "starting_after"})
    if unknown:
        raise ApiError(400, f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
    subscription_id = values.get("subscription", "")
    if not subscription_id:
        raise ApiError(400, "Missing required param: subscription.", code="parameter_missing", param="subscription")
    tree = _planned(principal, [v for n, v in query if n.startswith("expand")], "subscription_item", is_list=True)
    entry = dataset.collections["subscriptions"].get(subscription_id)
    if entry is None:
        raise no_such("subscription", subscription_id, param="subscription", status=400)
    items: list[Json] = dataset.whole("subscriptions", entry)["items"]["data"]
    page, more = _item_page(items, values)
    bodies = [expand(dataset, msgspec.json.encode(item), "subscription_item", tree) for item in page]
    return list_body(bodies, "/v1/subscription_items", more=more)


def _item_page(items: list[Json], values: dict[str, str]) -> tuple[list[Json], bool]:
    after, limit = values.get("starting_after"), values.get("limit", "10")
    if not limit.isdecimal() or not 1 <= int(limit) <= MAXIMUM_LIMIT:
        raise ApiError(400, f"Invalid integer: {limit}", code="parameter_invalid_integer", param="limit")
    start = 0
    if after:
        position = next((number for number, item in enumerate(items) if item["id"] == after), None)
        if position is None:
            raise no_such("subscription_item", after, param="starting_after", status=400)
        start = position + 1
    stop = start + int(limit)
    return items[start:stop], stop < len(items)


def _planned(principal: Principal, paths: list[str], resource: str, *, is_list: bool) -> Tree:
    tree, permissions = plan(paths, resource, is_list=is_list)
    if paths and not principal.may_expand:
        raise ApiError(
            403,
            f"The provided key '{principal.label}' does not have the required permissions to expand {paths[0]}. "
            "Having the 'read_only' scope would allow this request to continue.",
        )
    _need(principal, permissions)
    return tree


def _need(principal: Principal, permissions: list[str]) -> None:
    for permission in permissions:
        if permission not in principal.permissions:
            raise missing_permission(principal.label, principal.account, permission, app=principal.is_app)

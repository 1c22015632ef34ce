"""Changes of the data through the control API: they keep related objects in step and record Stripe's events."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sandbox import events
from sandbox.billing import Billed, make_invoice, make_payment
from sandbox.clock import Clock
from sandbox.errors import no_such
from sandbox.identifiers import make_id
from sandbox.kinds import KINDS, reference
from sandbox.shapes import Json, build, fields_of, plan_of
from sandbox.store import Dataset

MONTH_SECONDS = 30 * 86_400
CHANGEABLE = set(KINDS) - {"events"}

Announce = Callable[[Dataset, Json], None]
Remember = Callable[[Dataset, str, str, Json | None], None]


class Mutations:
    """Creates, changes and deletes objects of a data set.

    `announce` is called with every recorded event, `remember` with the present state of everything that changed.
    """

    def __init__(self, clock: Clock, announce: Announce, remember: Remember) -> None:
        self._clock = clock
        self._announce = announce
        self._remember = remember

    def patch(
        self, dataset: Dataset, kind: str, object_id: str, changes: Mapping[str, Any], event: str | None = None
    ) -> Json:
        """Merge `changes` into an object and return it whole. `event` names the event instead of the fitting one.

        Raises ApiError 404 for an unknown id.
        """
        before = dataset.read(kind, object_id)
        if before is None:
            raise no_such(KINDS[kind].resource, object_id)
        after = merged(before, self._prepared(dataset, kind, object_id, before, changes))
        return self._store(dataset, kind, before, after, event)

    def put(
        self, dataset: Dataset, kind: str, object_id: str, value: Mapping[str, Any], event: str | None = None
    ) -> Json:
        """Create an object, or replace it; whatever `value` leaves out gets a sensible default."""
        fresh = self._skeleton(dataset, kind, object_id, value)
        after = merged(fresh, self._prepared(dataset, kind, object_id, fresh, _own_fields(kind, value)))
        stored = self._store(dataset, kind, dataset.read(kind, object_id), after, event)
        if kind == "invoices":
            self._attach_invoice(dataset, stored, value)
        return stored

    def delete(self, dataset: Dataset, kind: str, object_id: str, event: str | None = None) -> None:
        """Delete an object; deleting a customer ends its subscriptions. Raises ApiError 404 for an unknown id."""
        before = dataset.read(kind, object_id)
        if before is None:
            raise no_such(KINDS[kind].resource, object_id)
        if kind == "customers":
            for entry in list(dataset.collections["subscriptions"].where("customer", object_id)):
                self._end(dataset, entry.id, event)
        dataset.remove(kind, object_id)
        self._remember(dataset, kind, object_id, None)
        self._record(dataset, event or events.type_of_change(kind, before, None), before, None)

    def _end(self, dataset: Dataset, subscription_id: str, event: str | None) -> None:
        now = self._clock.now()
        self.patch(
            dataset,
            "subscriptions",
            subscription_id,
            {"status": "canceled", "canceled_at": now, "ended_at": now},
            "none" if event == "none" else None,
        )

    def _store(self, dataset: Dataset, kind: str, before: Json | None, after: Json, event: str | None) -> Json:
        dataset.write(kind, after)
        self._remember(dataset, kind, after["id"], after)
        if kind == "prices":
            self.show_price(dataset, after)
        previous = None if before is None else events.previous_attributes(before, after)
        self._record(dataset, event or events.type_of_change(kind, before, after), after, previous)
        return after

    def _record(self, dataset: Dataset, event: str | None, snapshot: Json, previous: Json | None) -> None:
        if event is not None and event != "none":
            self._announce(dataset, events.record(dataset, self._clock, event, snapshot, previous))

    def show_price(self, dataset: Dataset, price: Json) -> None:
        """Items carry their price whole, so a changed price changes the subscriptions on it."""
        shown = {name: value for name, value in price.items() if name not in KINDS["prices"].includable}
        for entry in list(dataset.collections["subscriptions"].where("price", price["id"])):
            subscription = dataset.whole("subscriptions", entry)
            for item in subscription["items"]["data"]:
                if item["price"]["id"] == price["id"]:
                    item["price"], item["plan"] = shown, plan_of(shown)
            dataset.write("subscriptions", subscription)

    def _skeleton(self, dataset: Dataset, kind: str, object_id: str, value: Mapping[str, Any]) -> Json:
        created = int(value.get("created", self._clock.now()))
        common = {"created": created, "livemode": dataset.livemode}
        if kind == "invoices":
            return self._invoice_skeleton(dataset, object_id, value, created)
        if kind == "subscriptions":
            return build(
                "subscription", id=object_id, start_date=created, billing_cycle_anchor=created,
                **common,
            )  # fmt: skip
        if kind == "products":
            return build("product", id=object_id, name=object_id, updated=created, **common)
        if kind == "prices":
            amount = value.get("unit_amount")
            return build("price", id=object_id, unit_amount_decimal=None if amount is None else str(amount), **common)
        return build(KINDS[kind].resource, id=object_id, **common)

    def _invoice_skeleton(self, dataset: Dataset, object_id: str, value: Mapping[str, Any], created: int) -> Json:
        customer = dataset.read("customers", str(value.get("customer"))) or {}
        billed = Billed(str(value.get("customer", "")), customer.get("email"), customer.get("name"))
        return make_invoice(
            object_id,
            billed,
            created=created,
            livemode=dataset.livemode,
            amount=int(value.get("total", value.get("amount_due", 0))),
            currency=str(value.get("currency", "usd")),
            status=str(value.get("status", "paid")),
            subscription=value.get("subscription"),
            number=f"SANDBOX-{object_id[-6:].upper()}",
            **{name: value[name] for name in ("attempt_count", "collection_method", "due_date") if name in value},
        )

    def _attach_invoice(self, dataset: Dataset, invoice: Json, value: Mapping[str, Any]) -> None:
        status = value.get("payment_intent_status")
        if status is None and invoice["status"] == "paid" and invoice["amount_due"]:
            status = "succeeded"
        if status is not None:
            payment, intent = make_payment(
                invoice, make_id("invoice_payment", invoice["id"]), make_id("payment_intent", invoice["id"]), status
            )
            for kind, related in (("payment_intents", intent), ("invoice_payments", payment)):
                dataset.write(kind, related)
                self._remember(dataset, kind, related["id"], related)
        subscription = dataset.read("subscriptions", str(value.get("subscription")))
        if subscription is not None:
            self.patch(dataset, "subscriptions", subscription["id"], {"latest_invoice": invoice["id"]}, "none")

    def _prepared(self, dataset: Dataset, kind: str, object_id: str, current: Json, changes: Mapping[str, Any]) -> Json:
        """`changes` with the short forms written out: items as prices and quantities, discounts as coupons."""
        prepared = dict(changes)
        if kind == "subscriptions" and isinstance(prepared.get("items"), list):
            prepared["items"] = self._items(dataset, object_id, current, prepared["items"])
        if kind == "subscriptions" and "discounts" in prepared:
            prepared["discounts"] = [
                self._discount(dataset, one, subscription=object_id) for one in prepared["discounts"]
            ]
        if kind == "customers" and isinstance(prepared.get("discount"), dict):
            discount_id = self._discount(dataset, prepared["discount"], customer=object_id)
            prepared["discount"] = msgspec.json.decode(dataset.discounts[discount_id])
        if kind == "products":
            prepared.setdefault("updated", self._clock.now())
        if kind == "prices" and "unit_amount" in prepared and "unit_amount_decimal" not in prepared:
            amount = prepared["unit_amount"]
            prepared["unit_amount_decimal"] = None if amount is None else str(amount)
        return prepared

    def _discount(self, dataset: Dataset, given: str | Json, **owner: str) -> str:
        if isinstance(given, str):
            return given
        fields = {name: value for name, value in given.items() if name != "coupon"}
        fields.setdefault("id", make_id("discount", secrets.token_hex(16)))
        fields.setdefault("start", self._clock.now())
        if "coupon" in given:
            fields["source"] = {"coupon": given["coupon"], "type": "coupon"}
        discount = build("discount", **{**owner, **fields})
        dataset.discounts[discount["id"]] = msgspec.json.encode(discount)
        self._remember(dataset, "discounts", discount["id"], discount)
        return str(discount["id"])

    def _items(self, dataset: Dataset, subscription_id: str, current: Json, rows: list[Json]) -> Json:
        items = [self._item(dataset, subscription_id, current, number, row) for number, row in enumerate(rows)]
        return {
            "object": "list", "data": items, "has_more": False, "total_count": len(items),
            "url": f"/v1/subscription_items?subscription={subscription_id}",
        }  # fmt: skip

    def _item(self, dataset: Dataset, subscription_id: str, current: Json, number: int, row: Json) -> Json:
        price_id = reference(row["price"])
        price = dataset.read("prices", str(price_id))
        if price is None:
            raise no_such("price", str(price_id), param="items", status=400)
        for name in KINDS["prices"].includable:
            price.pop(name, None)
        metered = price["recurring"] is not None and price["recurring"]["usage_type"] == "metered"
        item = build(
            "subscription_item",
            id=make_id("subscription_item", subscription_id, number),
            created=current["created"],
            subscription=subscription_id,
            current_period_start=current["created"],
            current_period_end=current["created"] + MONTH_SECONDS,
            price=price,
            plan=plan_of(price),
            quantity=None if metered else row.get("quantity", 1),
        )
        discounts = [self._discount(dataset, one, subscription_item=item["id"]) for one in row.get("discounts", [])]
        extra = {name: value for name, value in row.items() if name not in {"price", "quantity", "discounts"}}
        return item | extra | {"discounts": discounts}


def _own_fields(kind: str, value: Mapping[str, Any]) -> Json:
    """`value` without the words that only steer creation. Raises KeyError for a field the resource does not have."""
    steering = {"subscription", "payment_intent_status"} if kind == "invoices" else set()
    known = fields_of(KINDS[kind].resource) | set(KINDS[kind].includable)
    unknown = value.keys() - known - steering
    if unknown:
        raise KeyError(f"{KINDS[kind].resource} has no field {', '.join(sorted(unknown))}")
    return {name: held for name, held in value.items() if name not in steering}


def merged(base: Json, changes: Mapping[str, Any]) -> Json:
    """`base` with `changes` merged in, object by object; lists and null replace."""
    result = dict(base)
    for name, value in changes.items():
        held = result.get(name)
        result[name] = merged(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return result

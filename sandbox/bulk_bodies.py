"""Renders the objects of the bulk profile: every document is a template, filled in when it is asked for."""

import msgspec

from sandbox.billing import Billed, make_invoice, make_line, make_payment
from sandbox.bulk_facts import ADD_ON, Decider, Facts
from sandbox.bulk_names import company
from sandbox.catalog import PRICES, Catalog
from sandbox.clock import SECONDS_PER_DAY
from sandbox.ledger import SCENES, Scene
from sandbox.shapes import Json, address, build, list_of, plan_of
from sandbox.template import AMOUNT, CREATED, PERIOD, Template, text, value


class Bodies:
    """The bodies of one account and mode; `catalog` must have been loaded with every price in use."""

    def __init__(self, decider: Decider, catalog: Catalog) -> None:
        self._decider = decider
        self._catalog = catalog
        self._livemode = catalog.dataset.livemode
        self._customer_template = Template(
            build("customer", id=text("id"), address=address("US"), created=CREATED, currency="usd",
                  email=value("email"), invoice_prefix=text("prefix"), livemode=self._livemode, name=value("name"))
        )  # fmt: skip
        self._items = {key: Template(self._item_document(self._catalog.prices[key])) for key in catalog.prices}
        self._subscription_templates = {
            (status, sent): Template(self._subscription_document(status, sent=sent))
            for status in ("active", "past_due", "trialing", "canceled")
            for sent in (False, True)
        }
        self._billed = {
            (name, charged): self._billed_templates(scene, charged=charged)
            for name, scene in SCENES.items()
            for charged in (True, False)
        }

    def render(self, kind: str, number: int) -> bytes:
        """The JSON of object `number` of `kind`."""
        if kind == "customers":
            return self._render_customer(number)
        facts = self._decider.facts(number)
        if kind == "subscriptions":
            return self._render_subscription(facts)
        texts = self._invoice_texts(number, facts)
        numbers = {"created": facts.billed_at, "amount": facts.amount, "period": self._decider.base}
        return self._billed[facts.scene, bool(facts.amount)][kind].fill(texts, numbers)

    def _item_document(self, price: Json) -> Json:
        return build(
            "subscription_item", id=text("item"), created=CREATED, current_period_start=PERIOD,
            current_period_end=PERIOD + 30 * SECONDS_PER_DAY, plan=plan_of(price), price=price,
            quantity=value("quantity"), subscription=text("id"),
        )  # fmt: skip

    def _subscription_document(self, status: str, *, sent: bool) -> Json:
        ended = {"ended_at": PERIOD + 12 * SECONDS_PER_DAY, "canceled_at": PERIOD} if status == "canceled" else {}
        trial = {"trial_start": CREATED, "trial_end": PERIOD + 14 * SECONDS_PER_DAY} if status == "trialing" else {}
        document = build(
            "subscription", id=text("id"), billing_cycle_anchor=CREATED, created=CREATED,
            collection_method="send_invoice" if sent else "charge_automatically", currency=text("currency"),
            customer=text("customer"), days_until_due=30 if sent else None, discounts=value("discounts"),
            items=list_of([], f"/v1/subscription_items?subscription={text('id')}"), latest_invoice=text("invoice"),
            livemode=self._livemode, start_date=CREATED, status=status, **ended, **trial,
        )  # fmt: skip
        document["items"] |= {"data": value("items"), "total_count": value("count")}
        return document

    def _billed_templates(self, scene: Scene, *, charged: bool) -> dict[str, Template]:
        livemode = self._livemode
        item = self._item_document(build("price", id=text("price"), product=text("product")))
        line = make_line(text("line"), text("invoice"), item, AMOUNT, livemode)
        line |= {"quantity_decimal": text("quantity"), "description": "Subscription", "subscription": None}
        line["period"] = {"start": CREATED, "end": CREATED + 30 * SECONDS_PER_DAY}
        invoice = make_invoice(
            text("invoice"), Billed(text("customer"), value("email"), value("name")), created=CREATED, amount=AMOUNT,
            livemode=livemode, currency=text("currency"), status=invoice_status(scene, int(charged)),
            subscription=text("id"), lines=[line], attempt_count=scene.attempts if charged else 0,
            collection_method="send_invoice" if scene.due_days is not None else "charge_automatically",
            due_date=days_from(PERIOD, scene.due_days) if scene.due_days is not None else None,
            next_payment_attempt=days_from(PERIOD, scene.next_attempt_days),
            number=None if scene.status == "draft" else f"{text('prefix')}-0001",
            status_details={"uncollectible": {"reason": scene.reason}} if scene.reason else None,
        )  # fmt: skip
        templates = {"invoices": Template(invoice)}
        if scene.intent:
            payment, intent = make_payment(invoice, text("payment"), text("intent"), scene.intent)
            templates |= {"invoice_payments": Template(payment), "payment_intents": Template(intent)}
        return templates

    def _render_customer(self, number: int) -> bytes:
        customer_id = self._decider.customer_id(number)
        texts = {
            b"id": customer_id.encode(),
            b"prefix": customer_id[-8:].upper().encode(),
            b"email": msgspec.json.encode(self._decider.email(number)),
            b"name": msgspec.json.encode(company(number)),
        }
        return self._customer_template.fill(texts, {"created": self._decider.facts(number).created - 60})

    def _render_subscription(self, facts: Facts) -> bytes:
        numbers = {"created": facts.created, "period": facts.billed_at}
        subscription_id = f"sub_{facts.token}".encode()
        item_id = f"si_{facts.token[1:12]}".encode()
        texts = {b"id": subscription_id, b"item": item_id + b"000", b"quantity": b"%d" % facts.quantity}
        items = self._items[facts.price].fill(texts, numbers)
        if facts.add_on:
            add_on = {b"id": subscription_id, b"item": item_id + b"001", b"quantity": b"1"}
            items += b"," + self._items[ADD_ON].fill(add_on, numbers)
        texts |= {
            b"currency": PRICES[facts.price].currency.encode(),
            b"customer": facts.customer_id.encode(),
            b"discounts": b'["di_%s"]' % facts.token.encode() if facts.coupon else b"[]",
            b"items": b"[%s]" % items,
            b"count": b"2" if facts.add_on else b"1",
            b"invoice": b"in_" + facts.token.encode(),
        }
        return self._subscription_templates[facts.status, facts.sent].fill(texts, numbers)

    def _invoice_texts(self, number: int, facts: Facts) -> dict[bytes, bytes]:
        token = facts.token.encode()
        price = self._catalog.prices[facts.price]
        return {
            b"id": b"sub_" + token,
            b"invoice": b"in_" + token,
            b"payment": b"inpay_" + token,
            b"intent": b"pi_" + token,
            b"line": b"il_" + token,
            b"item": b"si_%s000" % token[1:12],
            b"customer": facts.customer_id.encode(),
            b"prefix": facts.customer_id[-8:].upper().encode(),
            b"email": msgspec.json.encode(self._decider.email(facts.customer)),
            b"name": msgspec.json.encode(company(facts.customer)),
            b"currency": PRICES[facts.price].currency.encode(),
            b"price": price["id"].encode(),
            b"product": price["product"].encode(),
            b"quantity": b"%d" % facts.quantity,
        }


def invoice_status(scene: Scene, amount: int) -> str:
    """The status of an invoice over `amount` in a scene; nothing to pay is paid at once."""
    return "paid" if amount == 0 and scene.status == "open" else scene.status


def payment_status(scene: Scene) -> str:
    """The status of the invoice payment in a scene."""
    if scene.intent == "canceled":
        return "canceled"
    return "paid" if scene.status == "paid" and scene.intent == "succeeded" else "open"


def days_from(moment: int, days: int | None) -> int | None:
    """`days` after `moment`, None for none."""
    return None if days is None else moment + days * SECONDS_PER_DAY

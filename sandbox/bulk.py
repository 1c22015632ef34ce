"""The bulk profile: any number of subscriptions, each a pure function of its number, rendered when it is asked for.

Per 1,000 subscriptions about 893 customers, 50 canceled, 30 past due, 10 trialing; 2 % of the customers have a
personal address, 0.5 % share the domain of another, 0.2 % have no e-mail, 0.1 % were deleted. One invoice each.
"""

from collections.abc import Iterator

from sandbox.bulk_bodies import Bodies, days_from, invoice_status, payment_status
from sandbox.bulk_facts import ADD_ON, COUPONS_USED, PRICE_OF, SKEWS, Decider, Facts
from sandbox.bulk_names import company
from sandbox.catalog import Catalog
from sandbox.demo_crm import CrmCustomer
from sandbox.ledger import SCENES
from sandbox.store import Dataset, Entry, tombstone

__all__ = ["SKEWS", "BulkSource"]


class BulkSource:
    """Generates and renders the objects of one account and mode; `base` is the midnight dates are counted from."""

    def __init__(self, account: str, mode: str, seed: int, base: int, subscriptions: int, skew: str = "none") -> None:
        self._dataset = Dataset(account, mode)
        self._decider = Decider(account, mode, seed, base, subscriptions, skew)
        self._catalog = Catalog(self._dataset, seed)

    def dataset(self) -> Dataset:
        """The whole data set; bodies stay unrendered."""
        self._catalog.load(tuple(dict.fromkeys((*PRICE_OF, ADD_ON))), COUPONS_USED)
        self._bodies = Bodies(self._decider, self._catalog)
        decider = self._decider
        for number in range(decider.customers):
            if decider.is_deleted(number):
                customer_id = decider.customer_id(number)
                self._dataset.removed[customer_id] = tombstone("customer", customer_id)
        collections = self._dataset.collections
        collections["customers"].load(self._customer_entries())
        every = [(number, decider.facts(number)) for number in range(decider.subscriptions)]
        collections["subscriptions"].load(self._subscription_entry(number, facts) for number, facts in every)
        collections["invoices"].load(self._invoice_entry(number, facts) for number, facts in every)
        paying = [(number, facts) for number, facts in every if facts.amount and SCENES[facts.scene].intent]
        collections["invoice_payments"].load(self._payment_entry(number, facts) for number, facts in paying)
        collections["payment_intents"].load(self._intent_entry(number, facts) for number, facts in paying)
        for _, facts in every:
            if facts.coupon:
                discount_id = f"di_{facts.token}"
                self._catalog.discount(facts.coupon, discount_id, facts.created, subscription=f"sub_{facts.token}")
        return self._dataset

    def customers(self) -> list[CrmCustomer]:
        """CRM customers (name, domain, owner, status, environment) for 97 % of the company domains."""
        decider = self._decider
        rows = []
        for number in range(decider.customers):
            draw = decider.draw(number, 4)
            if decider.is_personal(number) or decider.domain_number(number) != number or draw % 100 >= 97:
                continue
            rows.append(
                (company(number), decider.domain(number), ("csm", "csm", "admin", "")[draw % 4], "active", "production")
            )
        return rows

    def _customer_entries(self) -> Iterator[Entry]:
        decider = self._decider
        for number in range(decider.customers):
            if not decider.is_deleted(number):
                attributes = {"email": decider.email(number), "test_clock": None}
                yield Entry(
                    decider.customer_id(number), decider.created(number, number) - 60, attributes, self._bodies, number
                )

    def _subscription_entry(self, number: int, facts: Facts) -> Entry:
        prices = (facts.price, ADD_ON) if facts.add_on else (facts.price,)
        attributes = {
            "customer": facts.customer_id,
            "status": facts.status,
            "collection_method": "send_invoice" if facts.sent else "charge_automatically",
            "price": tuple(self._catalog.prices[key]["id"] for key in prices),
            "test_clock": None,
        }
        return Entry(f"sub_{facts.token}", facts.created, attributes, self._bodies, number)

    def _invoice_entry(self, number: int, facts: Facts) -> Entry:
        scene = SCENES[facts.scene]
        attributes = {
            "customer": facts.customer_id,
            "status": invoice_status(scene, facts.amount),
            "subscription": f"sub_{facts.token}",
            "collection_method": "send_invoice" if facts.sent else "charge_automatically",
            "due_date": days_from(self._decider.base, scene.due_days),
        }
        return Entry(f"in_{facts.token}", facts.billed_at, attributes, self._bodies, number)

    def _payment_entry(self, number: int, facts: Facts) -> Entry:
        attributes = {
            "invoice": f"in_{facts.token}",
            "status": payment_status(SCENES[facts.scene]),
            "payment_type": "payment_intent",
            "payment_intent": f"pi_{facts.token}",
        }
        return Entry(f"inpay_{facts.token}", facts.billed_at + 3600, attributes, self._bodies, number)

    def _intent_entry(self, number: int, facts: Facts) -> Entry:
        return Entry(f"pi_{facts.token}", facts.billed_at + 3600, {"customer": facts.customer_id}, self._bodies, number)

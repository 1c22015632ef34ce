"""Which data a profile has."""

from sandbox import rules_money, rules_paying
from sandbox.accounts import FIELDNOTE
from sandbox.bulk import SKEWS, BulkSource
from sandbox.demo import demo_dataset
from sandbox.demo_crm import CrmCustomer
from sandbox.demo_crm import customers as demo_customers
from sandbox.rules_books import rules_customers, rules_dataset
from sandbox.store import Dataset

__all__ = ["PROFILES", "SKEWS", "Generator"]

PROFILES = ("demo", "rules", "bulk", "empty")
RULES = (*rules_money.CASES, *rules_paying.CASES)


class Generator:
    """Makes the data of a profile; the same arguments on the same day always make the same data.

    `subscriptions` and `skew` (see `sandbox.bulk`) are used by the bulk profile only.
    """

    def __init__(self, profile: str, seed: int, subscriptions: int = 1000, skew: str = "none") -> None:
        self._profile = profile
        self._seed = seed
        self._subscriptions = subscriptions
        self._skew = skew

    def dataset(self, account: str, mode: str, base: int) -> Dataset:
        """The data of an account and mode, as of the midnight `base` (Unix seconds)."""
        if self._profile == "demo":
            return demo_dataset(account, mode, self._seed, base)
        if self._profile == "rules" and account == FIELDNOTE.id and mode == "live":
            return rules_dataset(RULES, account, mode, base)
        if self._profile == "bulk" and account == FIELDNOTE.id:
            return self._bulk(account, mode, base).dataset()
        return Dataset(account, mode)

    def customers(self) -> list[CrmCustomer]:
        """The CRM customers that belong to the data: name, domain, owner, status, environment."""
        if self._profile == "demo":
            return demo_customers()
        if self._profile == "rules":
            return rules_customers(RULES)
        if self._profile == "bulk":
            return self._bulk(FIELDNOTE.id, "live", 0).customers()
        return []

    def _bulk(self, account: str, mode: str, base: int) -> BulkSource:
        return BulkSource(account, mode, self._seed, base, self._subscriptions, self._skew)

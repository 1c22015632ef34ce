"""What is decided about every object of the bulk profile: pure functions of a seed and a number."""

from dataclasses import dataclass
from functools import lru_cache

from sandbox.bulk_names import slug
from sandbox.catalog import PRICES, amount_of
from sandbox.clock import SECONDS_PER_DAY
from sandbox.identifiers import base62, make_id

SKEWS = ("none", "hour", "burst", "second")
SUBSCRIPTIONS_PER_CUSTOMER = 1.12
YEAR_SECONDS = 365 * SECONDS_PER_DAY
PERSONAL_DOMAINS = ("gmail.com", "outlook.com", "icloud.com")

_MASK = (1 << 64) - 1
_PERIOD_SECONDS = {"day": 1, "week": 7, "month": 30, "year": 365}
_PRICE_MIX = (
    ("growth_monthly", 38), ("starter_monthly", 22), ("scale_monthly", 8), ("growth_annual", 10),
    ("growth_quarterly", 6), ("scale_annual", 5), ("starter_annual", 4), ("growth_monthly_eur", 4),
    ("growth_monthly_gbp", 2), ("legacy", 1),
)  # fmt: skip
PRICE_OF = tuple(key for key, share in _PRICE_MIX for _ in range(share))
ADD_ON = "insights_monthly"
COUPONS_USED = ("PARTNER15", "LAUNCH20", "LOYAL50")
_ACTIVE_SCENES = ("processing", "processing", "sent", "sent", "draft")
_SCENE_STATUS = {"past_due": ("failing",) * 6 + ("overdue", "overdue", "needs_action", "retrying_debit")}


def mix(number: int) -> int:
    """A 64-bit number that looks random and is different for every `number` (the finaliser of SplitMix64)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is decided about subscription `number`."""

    token: str
    customer: int
    customer_id: str
    status: str
    price: str
    quantity: int
    add_on: bool
    coupon: str | None
    scene: str
    amount: int
    created: int
    billed_at: int

    @property
    def sent(self) -> bool:
        """Whether its invoices are sent instead of charged."""
        return self.scene in {"sent", "overdue"}


class Decider:
    """Decides about the objects of one account and mode; `base` is the midnight dates are counted from."""

    def __init__(self, account: str, mode: str, seed: int, base: int, subscriptions: int, skew: str) -> None:
        self.base = base
        self.subscriptions = subscriptions
        self.customers = max(1, round(subscriptions / SUBSCRIPTIONS_PER_CUSTOMER))
        self._skew = skew
        self._salt = int.from_bytes(make_id("account", seed, account, mode)[-8:].encode(), "big")
        self.facts = lru_cache(maxsize=None)(self._decide)
        self.email = lru_cache(maxsize=None)(self._email)
        self.customer_id = lru_cache(maxsize=None)(self._customer_id)

    def draw(self, number: int, stream: int) -> int:
        """Random bits for `number`, other ones in every `stream`."""
        return mix((self._salt + number * 8 + stream) & _MASK)

    def _customer_id(self, number: int) -> str:
        return f"cus_{base62(self.draw(number, 1), 11)}B7k"

    def is_personal(self, number: int) -> bool:
        """Whether customer `number` has a personal address."""
        return self.draw(number, 2) % 1000 < 20

    def is_deleted(self, number: int) -> bool:
        """Whether customer `number` was deleted."""
        return self.draw(number, 2) % 1000 == 22

    def domain_number(self, number: int) -> int:
        """The customer whose domain customer `number` uses: mostly itself, now and then the one before."""
        while number and (self.draw(number, 2) >> 12) % 1000 < 5:
            number -= 1
        return number

    def domain(self, number: int) -> str:
        """The domain of company `number`."""
        return f"{slug(number)}.example"

    def _email(self, number: int) -> str | None:
        """The e-mail address of customer `number`, or None."""
        draw = self.draw(number, 2)
        if self.is_personal(number):
            return f"{slug(number)}@{PERSONAL_DOMAINS[draw % 3]}"
        if draw % 1000 in {20, 21}:
            return None
        return f"billing@{self.domain(self.domain_number(number))}"

    def _decide(self, number: int) -> Facts:
        """Everything about subscription `number`."""
        draw = self.draw(number, 0)
        customer = number if number < self.customers else (number - self.customers) * 7919 % self.customers
        status = "canceled" if self.is_deleted(customer) else _status(draw % 1000)
        price = PRICE_OF[(draw >> 10) % 100]
        quantity = 1 + (draw >> 17) % 25
        add_on = (draw >> 23) % 100 < 3 and PRICES[price].currency == "usd" and PRICES[price].interval == "month"
        coupon_draw = (draw >> 30) % 100
        coupon = (
            COUPONS_USED[coupon_draw] if coupon_draw < len(COUPONS_USED) and PRICES[price].currency == "usd" else None
        )
        created = self.created(number, customer)
        amount = 0 if status == "trialing" else _price_amount(price, quantity)
        return Facts(
            token=f"1{base62(draw, 11)}Fieldnote{base62(self._salt, 3)}",
            customer=customer,
            customer_id=self.customer_id(customer),
            status=status,
            price=price,
            quantity=quantity,
            add_on=add_on,
            coupon=coupon,
            scene=_scene(status, (draw >> 37) % 100),
            amount=amount + (_price_amount(ADD_ON, 1) if add_on and amount else 0),
            created=created,
            billed_at=self._billed_at(price, status, created, draw >> 40),
        )

    def created(self, number: int, customer: int) -> int:
        """When subscription `number` of `customer` was created, in Unix seconds."""
        draw = self.draw(number, 3)
        if self._skew == "second":
            return self.base - YEAR_SECONDS
        if self._skew == "hour":
            return self.base - YEAR_SECONDS + draw % 3600
        if self._skew == "burst":
            return self.base - 10 * YEAR_SECONDS if number == 0 else self.base - 1 - draw % (2 * SECONDS_PER_DAY)
        if _status(self.draw(number, 0) % 1000) == "trialing":
            return self.base - 600 - draw % (10 * SECONDS_PER_DAY)
        if number == customer:
            return self.base - 600 - draw % (6 * YEAR_SECONDS)
        first = self.created(customer, customer)
        return first + draw % (self.base - first)

    def _billed_at(self, price: str, status: str, created: int, draw: int) -> int:
        if self._skew != "none":
            return created
        if status == "canceled":
            return created + draw % max(1, self.base - created)
        spec = PRICES[price]
        length = _PERIOD_SECONDS[spec.interval] * spec.count * SECONDS_PER_DAY
        return max(created, self.base - 1 - draw % length)


@lru_cache
def _price_amount(key: str, quantity: int) -> int:
    return amount_of(PRICES[key], quantity)


def _status(draw: int) -> str:
    if draw < 50:
        return "canceled"
    if draw < 80:
        return "past_due"
    return "trialing" if draw < 90 else "active"


def _scene(status: str, draw: int) -> str:
    if status == "past_due":
        return _SCENE_STATUS[status][draw % 10]
    if status == "canceled":
        return "paid" if draw < 80 else "void" if draw < 90 else "uncollectible"
    if status == "active" and draw >= 95:
        return _ACTIVE_SCENES[draw - 95]
    return "paid"

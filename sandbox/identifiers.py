"""Ids that look like Stripe's and depend on a seed and a name only, never on the clock."""

import hashlib

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

PREFIXES = {
    "account": ("acct_1", 15),
    "customer": ("cus_", 14),
    "subscription": ("sub_1", 23),
    "subscription_item": ("si_", 14),
    "invoice": ("in_1", 23),
    "line_item": ("il_1", 23),
    "invoice_payment": ("inpay_1", 23),
    "payment_intent": ("pi_3", 23),
    "product": ("prod_", 14),
    "price": ("price_1", 23),
    "coupon": ("", 8),
    "discount": ("di_1", 23),
    "tax_rate": ("txr_1", 23),
    "event": ("evt_1", 23),
    "test_clock": ("clock_1", 23),
    "request": ("req_", 14),
}


_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def base62(number: int, length: int) -> str:
    """`number` written with digits and letters, the lowest `length` places, padded with zeros."""
    pairs = []
    for _ in range((length + 1) // 2):
        number, pair = divmod(number, 3844)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs)[-length:]


def make_id(resource: str, *name: object) -> str:
    """The id of the `resource` called `name`; the same name always gives the same id."""
    prefix, length = PREFIXES[resource]
    digest = hashlib.sha256("\x1f".join(str(part) for part in (resource, *name)).encode()).digest()
    return prefix + base62(int.from_bytes(digest[:20], "big"), length)

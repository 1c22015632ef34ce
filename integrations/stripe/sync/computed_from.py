"""What a contribution was computed from, as one hash: where it is the same, so is the contribution.

It covers everything ``rules.mrr.contribution`` and ``rules.plan`` are given beside the clock: the subscription as it is
stored, its customer's discount, what the catalog says of all it refers to, the rate of its currency, and the code that
computes. Time alone changes a contribution at its ``next_change_at`` and at no other moment.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec

from integrations.stripe.api import fields, objects
from integrations.stripe.api.objects import Discount
from integrations.stripe.rules import mrr
from integrations.stripe.rules.money import Rate

encode = msgspec.json.Encoder().encode


COMPUTED_FROM = "encode(sha256(convert_to({basis} || {data}::text, 'UTF8')), 'hex')"
"""What :func:`fingerprint` returns, as PostgreSQL says it of a subscription it is given to store."""


def basis(customer_discount: Discount | None, catalog: list[object], has_all_products: bool, rate: Rate | None) -> str:
    """The hash of one contribution's sources beside the subscription itself.

    ``catalog`` is what :meth:`CatalogCache.said` says. US dollars are worth 1 whatever day the rates are of, so that
    new rates leave them alone.
    """
    converted = None if rate is None or rate.source == "usd" else (rate.usd_per_unit, rate.date, rate.source)
    return sha256(encode([rules_version(), customer_discount, catalog, has_all_products, converted])).hexdigest()


def fingerprint(basis: str, subscription: str) -> str:
    """The hash of all of one contribution's sources; ``subscription`` is the stored text."""
    return sha256((basis + subscription).encode()).hexdigest()


@cache
def rules_version() -> str:
    """A hash of the code that turns what is stored into a contribution: another release computes everything again."""
    digest = sha256()
    for path in sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sources() -> list[Path]:
    """The files of the rules, of the objects they work on, and of what gathers and stores their figures."""
    here = Path(__file__).parent
    rules = sorted(Path(mrr.__file__).parent.glob("*.py"))
    decoded = [Path(objects.__file__), Path(fields.__file__)]
    gathering = [here / f"{name}.py" for name in ("carried", "catalog", "contributions", "store")]
    return [*rules, *decoded, *gathering, Path(__file__)]

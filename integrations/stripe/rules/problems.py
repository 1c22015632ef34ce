"""What a rule could not settle, for the issues and the flags on receipts (docs/rules.md sections 1, 4 and 5)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ProblemCode = Literal["permission_missing", "no_exchange_rate", "unknown_value", "invalid_response", "record_gone"]

NAMES_ONLY: frozenset[ProblemCode] = frozenset({"record_gone"})
"""Problems that leave every figure complete: what is missing is a name."""


class Problem(Struct, frozen=True):
    """A figure is incomplete (or, with a code of :data:`NAMES_ONLY`, a name is missing), and why.

    ``subject`` is the currency of ``no_exchange_rate``, else the Stripe id of the object concerned; ``message`` is one
    English sentence or two that also say what to do. Both may carry text supplied by Stripe: escape them.
    """

    code: ProblemCode
    subject: str
    message: str


def distinct(problems: list[Problem]) -> tuple[Problem, ...]:
    """Return the problems in their order, each once."""
    return tuple(dict.fromkeys(problems))

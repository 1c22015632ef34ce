"""What somebody has decided in one sitting, kept in the session: "All clear: 6 groups, $4,100 decided"."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from django.http import HttpRequest

KEY = "stripe_decided"
CENT = Decimal("0.01")


class Sitting:
    """The groups of one mode that this person decided on since the last "All clear", with the MRR at stake."""

    def __init__(self, request: HttpRequest, mode: str) -> None:
        self._session = request.session
        self._mode = mode
        kept: Mapping[str, Mapping[str, str]] = request.session.get(KEY, {})
        self._stakes = dict(kept.get(mode, {}))
        self._all = dict(kept)

    def decided(self, stakes: Mapping[int, Decimal]) -> tuple[Decimal, int] | None:
        """Count these groups; returns the place of the last one in the list, by stake and id."""
        for number, stake in stakes.items():
            self._stakes[str(number)] = str(stake)
        self._save()
        return min(
            ((stake, number) for number, stake in stakes.items()), key=lambda each: (each[0], -each[1]), default=None
        )

    def end(self) -> tuple[int, Decimal]:
        """How many groups and how much MRR were decided; the next sitting begins at nothing."""
        number = len(self._stakes)
        mrr = sum((Decimal(stake) for stake in self._stakes.values()), Decimal(0))
        self._stakes = {}
        self._save()
        return number, mrr.quantize(CENT, ROUND_HALF_UP)

    def _save(self) -> None:
        self._session[KEY] = {**self._all, self._mode: self._stakes}

"""What saving a scope would change."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from customers import wording
from integrations.stripe.pages.forms import ScopeForm
from integrations.stripe.rules.money import to_cents
from integrations.stripe.sync.scope import Missing, Preview


@dataclass(frozen=True, slots=True)
class CountRow:
    """One kind of Stripe customers, now and after; ``mrr`` in USD a month."""

    label: str
    now: int
    after: int
    mrr_now: Decimal
    mrr_after: Decimal

    @property
    def change(self) -> int:
        """How many more; negative: fewer."""
        return self.after - self.now

    @property
    def signed_change(self) -> str:
        """The change with its sign: ``−36``, ``+ 38``, ``0``."""
        return signed(self.change, wording.number(abs(self.change)))

    @property
    def signed_mrr_change(self) -> str:
        """The change of MRR with its sign: ``−$1,064``."""
        change = to_cents(self.mrr_after) - to_cents(self.mrr_now)
        return signed(change, wording.money(abs(change)))


def signed(value: int | Decimal, text: str) -> str:
    """``text`` of an absolute value with the sign of ``value`` before it."""
    return f"−{text}" if value < 0 else f"+ {text}" if value > 0 else text


@dataclass(frozen=True, slots=True)
class PreviewTable:
    """The counts side by side, and the headers that change."""

    rows: list[CountRow]
    total: CountRow
    matched: CountRow
    ambiguous_now: int
    ambiguous_after: int
    headers_blank: int
    headers_filled: int
    scope: str
    hidden: list[tuple[str, str]]
    creates_customers: bool
    missing: Missing

    @property
    def changes_nothing(self) -> bool:
        """Whether every figure stays as it is."""
        return not self.headers_blank and not self.headers_filled and all(row.change == 0 for row in self.rows)


def present_preview(form: ScopeForm, found: Preview) -> PreviewTable:
    """Both sides of a preview, and the form's values for the confirmation to send again."""
    now, after = found.before, found.after
    rows = [
        CountRow(_("Matched"), now.matched, after.matched, now.matched_mrr, after.matched_mrr),
        CountRow(_("Unmatched"), now.unmatched, after.unmatched, now.unmatched_mrr, after.unmatched_mrr),
        CountRow(_("Skipped"), now.skipped, after.skipped, now.skipped_mrr, after.skipped_mrr),
    ]
    total = CountRow(
        _("In scope"),
        now.stripe_customers,
        after.stripe_customers,
        sum((row.mrr_now for row in rows), Decimal(0)),
        sum((row.mrr_after for row in rows), Decimal(0)),
    )
    return PreviewTable(
        rows=rows,
        total=total,
        matched=rows[0],
        ambiguous_now=now.ambiguous,
        ambiguous_after=after.ambiguous,
        headers_blank=found.headers_blank,
        headers_filled=found.headers_filled,
        scope=describe_selection(form),
        hidden=hidden_values(form),
        creates_customers=not form.cleaned_data["billing_signal_only"],
        missing=found.missing,
    )


def describe_selection(form: ScopeForm) -> str:
    """The chosen products and lookup keys by name, or that everything is chosen."""
    selection = form.selection()
    names = [choice.label for choice in form.choices.products if choice.value in selection["products"]]
    names += [choice.label for choice in form.choices.lookup_keys if choice.value in selection["lookup_keys"]]
    return ", ".join(names) if names else _("All active subscriptions")


def hidden_values(form: ScopeForm) -> list[tuple[str, str]]:
    """The submitted values as the confirmation page sends them again."""
    values = [("scope", str(form.cleaned_data["scope"]))]
    selection = form.selection()
    values += [("product", value) for value in selection["products"]]
    values += [("lookup_key", value) for value in selection["lookup_keys"]]
    values += [(name, "on") for name, value in form.options().items() if value]
    return values

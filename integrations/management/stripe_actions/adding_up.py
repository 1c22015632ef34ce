"""How MRR adds up, on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand

from integrations.management.stripe_actions.reporting import iso
from integrations.models import StripeConnection
from integrations.stripe.rules.money import to_cents
from integrations.stripe.sync import connections
from integrations.stripe.sync import mrr as adding
from integrations.stripe.sync.freshness import freshness_of
from integrations.stripe.sync.mrr import AddsUp, CurrencyLine, Figures


def mrr(command: BaseCommand, options: dict[str, Any]) -> None:
    """``mrr``: matched + unmatched + skipped by reason + outside scope = all."""
    connection = connections.get(options["mode"])
    found = adding.adds_up(connection)
    if options["json"]:
        command.stdout.write(json.dumps(as_object(connection, found)))
        return
    for line in as_lines(found):
        command.stdout.write(line)


def as_object(connection: StripeConnection, found: AddsUp) -> dict[str, Any]:
    """The sums as JSON: ``mrr`` has two places, ``mrr_exact`` every digit, and only the exact ones add up to it."""
    single = (adding.MATCHED, adding.UNMATCHED, adding.FAILED, adding.UNPLACED, adding.OUTSIDE_SCOPE)
    return {
        "mode": connection.mode,
        "currency": "usd",
        "as_of": iso(freshness_of(connection).as_of),
        **{group: figures_object(found.at(group)) for group in single},
        "skipped": {
            place.reason: figures_object(place.figures) for place in found.places if place.group == adding.SKIPPED
        },
        "all": figures_object(found.all),
        "by_status": [
            {"status": each.status, "subscriptions": each.subscriptions, **money(each.mrr)} for each in found.statuses
        ],
        "by_currency": [currency_object(each) for each in found.currencies],
        "beside_stripe": {
            "differences": [
                {
                    "group": each.group,
                    "subscriptions": each.subscriptions,
                    **money(each.mrr),
                    "difference": None if each.amount is None else cents(each.amount),
                }
                for each in found.differences
            ],
            "expected": cents(found.expected),
        },
        "customer_list": {
            "customers": found.customer_list.customers,
            "mrr": cents(found.customer_list.mrr),
            "rounding": full(found.customer_list.rounding),
            "waiting": full(found.customer_list.waiting),
            "failed": full(found.customer_list.failed),
            "ended": found.customer_list.ended,
            "settled": found.customer_list.is_settled,
        },
    }


def figures_object(figures: Figures) -> dict[str, Any]:
    """How many, and what they come to."""
    return {
        "stripe_customers": figures.stripe_customers,
        "subscriptions": figures.subscriptions,
        **money(figures.mrr),
    }


def currency_object(each: CurrencyLine) -> dict[str, Any]:
    """One currency with the rates that its figures were converted with; none for US dollars."""
    return {
        "currency": each.currency,
        "subscriptions": each.subscriptions,
        **money(each.mrr),
        "without_rate": each.without_rate,
        "rates": [
            {"usd_per_unit": f"{rate.usd_per_unit:f}", "date": rate.date.isoformat(), "source": rate.source}
            for rate in each.rates
            if rate.source != "usd"
        ],
    }


def money(amount: Decimal) -> dict[str, str]:
    """A sum to the cent and in full."""
    return {"mrr": cents(amount), "mrr_exact": full(amount)}


def cents(amount: Decimal) -> str:
    """A decimal string with two places."""
    return f"{to_cents(amount):.2f}"


def full(amount: Decimal) -> str:
    """A decimal string with the 12 places that contributions have."""
    return f"{amount:.12f}"


def as_lines(found: AddsUp) -> list[str]:
    """The sums for people; each is rounded for itself, and a line says what that makes of the total."""
    lines = [row("", "customers", "subscriptions", "MRR, USD")]
    for place in found.places:
        label = f"{place.group} {place.reason}".replace("_", " ").strip()
        lines.append(row(label, *numbers(place.figures)))
    lines += rest(place.figures.mrr for place in found.places)
    lines += [row("all", *numbers(found.all)), "", "by status"]
    for status in found.statuses:
        lines.append(row(f"  {status.status}", "", f"{status.subscriptions:,}", f"{to_cents(status.mrr):,.2f}"))
    lines += rest(status.mrr for status in found.statuses)
    lines += ["", "by currency"]
    for each in found.currencies:
        label = f"  {each.currency.upper()}  {rate_note(each)}"
        lines.append(row(label, "", f"{each.subscriptions:,}", f"{to_cents(each.mrr):,.2f}"))
    lines += rest(each.mrr for each in found.currencies)
    lines += ["", "beside Stripe's own figure"]
    for difference in found.differences:
        amount = "not known" if difference.amount is None else f"{to_cents(difference.amount):+,.2f}"
        lines.append(row(f"  {difference.group.replace('_', ' ')}", "", f"{difference.subscriptions:,}", amount))
    return [*lines, row("  Stripe should show about", "", "", f"{to_cents(found.expected):,.2f}")]


def row(label: str, customers: str, subscriptions: str, amount: str) -> str:
    """One line with its columns."""
    return f"{label:<48.48}{customers:>12}{subscriptions:>16}{amount:>18}"


def rest(parts: Iterable[Decimal]) -> list[str]:
    """The line for what rounding each part makes of the total; none when that is nothing."""
    missing = adding.rounding(parts)
    return [row("  rounding", "", "", f"{missing:+,.2f}")] if missing else []


def rate_note(each: CurrencyLine) -> str:
    """What a currency was converted with."""
    if each.without_rate:
        return f"no rate for {each.without_rate}"
    used = [rate for rate in each.rates if rate.source != "usd"]
    return ", ".join(f"{rate.usd_per_unit:.6g} ({rate.source} {rate.date})" for rate in used)


def numbers(figures: Figures) -> tuple[str, str, str]:
    """The figures in the order of the columns."""
    return f"{figures.stripe_customers:,}", f"{figures.subscriptions:,}", f"{to_cents(figures.mrr):,.2f}"

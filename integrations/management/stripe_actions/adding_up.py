"""How MRR adds up, on the command line."""

from __future__ import annotations

import json
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
            "rounding": plain(found.customer_list.rounding),
            "waiting": plain(found.customer_list.waiting),
            "failed": plain(found.customer_list.failed),
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
            {"usd_per_unit": plain(rate.usd_per_unit), "date": rate.date.isoformat(), "source": rate.source}
            for rate in each.rates
            if rate.source != "usd"
        ],
    }


def money(amount: Decimal) -> dict[str, str]:
    """A sum to the cent and in full."""
    return {"mrr": cents(amount), "mrr_exact": plain(amount)}


def cents(amount: Decimal) -> str:
    """A decimal string with two places."""
    return f"{to_cents(amount):.2f}"


def plain(amount: Decimal) -> str:
    """A decimal string in full, never in scientific notation."""
    return f"{amount:f}"


def as_lines(found: AddsUp) -> list[str]:
    """The sums for people."""
    rows: list[tuple[str, int, int, Decimal]] = [
        (" ".join(filter(None, (place.group.replace("_", " "), place.reason))), *numbers(place.figures))
        for place in found.places
    ]
    lines = [f"{'':<32}{'customers':>12}{'subscriptions':>16}{'MRR, USD':>18}"]
    lines += [
        f"{label:<32}{customers:>12,}{number:>16,}{to_cents(amount):>18,.2f}"
        for label, customers, number, amount in rows
    ]
    rounding = adding.rounding(amount for *_label, amount in rows)
    if rounding:
        lines.append(f"{'rounding':<60}{rounding:>18,.2f}")
    label, (customers, number, amount) = "all", numbers(found.all)
    lines.append(f"{label:<32}{customers:>12,}{number:>16,}{to_cents(amount):>18,.2f}")
    lines += ["", "by status"]
    lines += [f"  {each.status:<42}{each.subscriptions:>16,}{to_cents(each.mrr):>18,.2f}" for each in found.statuses]
    lines += ["", "by currency"]
    for each in found.currencies:
        rate = ", ".join(
            f"{rate.usd_per_unit:.6g} ({rate.source} {rate.date})" for rate in each.rates if each.currency != "usd"
        )
        note = f"no rate for {each.without_rate}" if each.without_rate else rate
        lines.append(f"  {each.currency.upper():<8}{note:<34}{each.subscriptions:>16,}{to_cents(each.mrr):>18,.2f}")
    lines += ["", "beside Stripe's own figure"]
    for difference in found.differences:
        amount_text = "not known" if difference.amount is None else f"{to_cents(difference.amount):+,.2f}"
        lines.append(f"  {difference.group.replace('_', ' '):<42}{difference.subscriptions:>16,}{amount_text:>18}")
    lines.append(f"  {'Stripe should show about':<58}{to_cents(found.expected):>18,.2f}")
    return lines


def numbers(figures: Figures) -> tuple[int, int, Decimal]:
    """The figures in the order of the columns."""
    return figures.stripe_customers, figures.subscriptions, figures.mrr

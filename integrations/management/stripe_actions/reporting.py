"""Status, receipts and calls on the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from customers.models import Customer
from integrations.errors import IntegrationError
from integrations.models import ApiCall, SyncIssue, SyncRun
from integrations.stripe.rules.payment_status import AlsoOpen
from integrations.stripe.rules.receipt import Line, Receipt, as_read
from integrations.stripe.rules.wording import day, minor_money, money
from integrations.stripe.sync import connections, counts, inbox, runs
from integrations.stripe.sync.calls import reads_this_month
from integrations.stripe.sync.explain import Explanation
from integrations.stripe.sync.explain import explain as explanation_of


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat()


def status(command: BaseCommand, options: dict[str, Any]) -> None:
    """``status``: state, timestamps, last run, backlog."""
    connection = connections.get(options["mode"])
    run = runs.latest(connection)
    found = counts.count(connection)
    answer = {
        "mode": connection.mode,
        "state": connection.state,
        "account": connection.account_id,
        "account_name": connection.account_name,
        "permissions": connection.permissions,
        "last_full_sync": iso(connection.last_full_sync_at),
        "last_incremental_update": iso(connection.last_incremental_update_at),
        "last_look": iso(connection.last_look_at),
        "last_run": run_object(run) if run else None,
        "backlog": inbox.backlog(connection).events,
        "reads_this_month": reads_this_month(connection),
        "open_issues": SyncIssue.objects.filter(connection=connection, state="open").count(),
        "counts": {
            name: getattr(found, name)
            for name in ("stripe_customers", "matched", "unmatched", "skipped", "ambiguous", "failed", "subscriptions")
        },
    }
    if options["json"]:
        command.stdout.write(json.dumps(answer))
        return
    for name, value in answer.items():
        command.stdout.write(f"{name.replace('_', ' ')}: {value if not isinstance(value, list) else ', '.join(value)}")


def run_object(run: SyncRun) -> dict[str, Any]:
    """A run in a few words."""
    return {
        "run": run.pk,
        "kind": run.kind,
        "state": run.state,
        "started": iso(run.started_at),
        "finished": iso(run.finished_at),
        "error": IntegrationError(run.error_code, run.error_detail).message if run.error_code else run.error_detail,
    }


def calls(command: BaseCommand, options: dict[str, Any]) -> None:
    """``calls``: the last calls made, newest first."""
    connection = connections.get(options["mode"])
    rows = [
        {
            "at": iso(call.at),
            "method": call.method,
            "path": call.path,
            "status": call.status,
            "duration_ms": call.duration_ms,
            "request_id": call.request_id,
            "error_code": call.error_code,
        }
        for call in ApiCall.objects.filter(connection=connection)
    ]
    if options["json"]:
        command.stdout.write(json.dumps(rows))
        return
    for row in rows:
        command.stdout.write("{at}  {method:4}  {status:3}  {duration_ms:5} ms  {path}".format(**row))


def explain(command: BaseCommand, options: dict[str, Any]) -> None:
    """``explain``: every line of the MRR and why each field is what it is."""
    customer = Customer.objects.filter(pk=options["customer"]).first()
    if customer is None:
        raise CommandError(f"There is no customer {options['customer']}.")
    found = explanation_of(customer)
    if options["json"]:
        command.stdout.write(json.dumps(explanation_object(found)))
        return
    for line in explanation_lines(found):
        command.stdout.write(line)


def explanation_object(found: Explanation) -> dict[str, Any]:
    """The receipt as JSON: amounts are decimal strings."""
    customer = found.customer
    return {
        "customer": customer.pk,
        "name": customer.name,
        "environment": customer.environment,
        "plan": customer.plan,
        "plan_label": customer.plan_label,
        "mrr": f"{customer.mrr:.2f}",
        "mrr_exact": plain(found.sum),
        "payment_status": customer.payment_status,
        "payment_reason": found.payment_sentence,
        "payment": msgspec.to_builtins(found.payment) if found.payment else None,
        "also_open": also_open_object(found.also_open),
        "billing_started_at": iso(customer.billing_started_at),
        "stripe_customer_id": customer.stripe_customer_id,
        "flags": customer.billing_flags,
        "as_of": iso(found.freshness.as_of),
        "stale": found.freshness.reason if found.freshness.stale else "",
        "stripe_customers": [
            {
                "id": each.stripe_id,
                "standing": each.standing,
                "match_reason": each.match_reason,
                "ambiguous": each.ambiguous_kind,
            }
            for each in found.stripe_customers
        ],
        "subscriptions": [
            {
                "id": each.stripe_id,
                "stripe_customer": each.stripe_customer_id,
                "status": each.status,
                "plan": each.plan,
                "start_date": iso(each.start_date),
                "mrr": plain(each.mrr),
                "problems": each.problems,
                "receipt": receipt_object(each.receipt) if each.receipt else None,
            }
            for each in found.subscriptions
        ],
    }


def receipt_object(receipt: Receipt) -> dict[str, Any]:
    """A receipt as JSON, as it reads today; the ``usd`` of its lines add up to its ``contribution``."""
    today = timezone.now().date()
    found: dict[str, Any] = msgspec.to_builtins(receipt)
    found["contribution"] = plain(receipt.contribution)
    found["lines"] = [line_object(as_read(line, today=today)) for line in receipt.lines]
    return found


def line_object(line: Line) -> dict[str, Any]:
    """A line of a receipt; what it does not have is left out."""
    found: dict[str, Any] = msgspec.to_builtins(line)
    return found | {name: plain(Decimal(found[name])) for name in ("amount", "usd", "rate") if name in found}


def also_open_object(also_open: AlsoOpen | None) -> dict[str, Any] | None:
    """What a newer invoice hides."""
    if also_open is None:
        return None
    totals = [{"currency": each.currency, "amount": plain(each.amount)} for each in also_open.totals]
    return {"count": also_open.count, "oldest": iso(also_open.oldest), "totals": totals}


def plain(amount: Decimal) -> str:
    """A decimal string without an exponent: ``0.000000000000``, never ``0E-12``."""
    return f"{amount:f}"


def explanation_lines(found: Explanation) -> list[str]:
    """The receipt for people."""
    customer, today = found.customer, timezone.now().date()
    lines = [
        f"{customer.name} ({customer.domain or 'no domain'}), {customer.environment}",
        f"plan            {customer.plan_label or '—'}  [{customer.plan}]",
        f"MRR             ${customer.mrr:,.2f}  [{money(found.sum, 'usd')} before rounding]",
        f"payment status  {customer.payment_status}  {found.payment_sentence}",
        *invoice_lines(found),
        f"billed since    {customer.billing_started_at:%Y-%m-%d}"
        if customer.billing_started_at
        else "billed since    —",
        f"Stripe customer {customer.stripe_customer_id or '—'}",
        f"as of           {iso(found.freshness.as_of) or 'never'}  {found.freshness.reason}",
    ]
    for each in found.stripe_customers:
        lines.append(
            f"attached        {each.stripe_id} ({each.standing}), {each.match_reason} {each.ambiguous_kind}".rstrip()
        )
    for near in found.near:
        lines.append(
            f"not attached    {near.stripe_id}: {near.match_state or 'no subscription in scope'} {near.match_reason}"
        )
    for subscription in found.subscriptions:
        lines += ["", f"{subscription.stripe_id} on {subscription.stripe_customer_id}, {subscription.status}"]
        if subscription.receipt is None:
            continue
        for stored in subscription.receipt.lines:
            line = as_read(stored, today=today)
            effect = "" if line.usd is None else money(line.usd, "usd")
            lines.append(f"  {line.label:<48.48} {effect:>24}  {line.detail}".rstrip())
        lines.append(f"  {'contributes':<48} {money(subscription.mrr, 'usd'):>24}  a month")
    return lines


def invoice_lines(found: Explanation) -> list[str]:
    """The invoice that decided the payment status, and what it hides."""
    lines = []
    reason = found.payment
    if reason is not None and reason.invoice:
        facts = [
            f"{reason.number or reason.invoice} ({reason.invoice}) of {reason.customer}",
            reason.status,
            f"created {day(reason.created)}" if reason.created else "",
            f"due {day(reason.due_date)}" if reason.due_date else "",
            f"{minor_money(reason.amount_due, reason.currency)} due",
            f"{minor_money(reason.amount_remaining, reason.currency)} open",
            "1 attempt" if reason.attempts == 1 else f"{reason.attempts} attempts",
            f"next attempt {day(reason.next_attempt)}" if reason.next_attempt else "",
            "outside your scope" if reason.outside_scope else "",
        ]
        lines.append(f"invoice         {', '.join(filter(None, facts))}")
    if found.also_open is not None:
        also = found.also_open
        sums = " + ".join(money(each.amount, each.currency) for each in also.totals)
        since = f", the oldest of {day(also.oldest)}" if also.oldest else ""
        lines.append(f"also open       {also.count} older: {sums}{since}")
    return lines

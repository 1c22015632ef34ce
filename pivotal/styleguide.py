"""Made-up figures for the style guide: every component in every state."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone

from customers.models import Activity, Customer, PaymentStatus
from customers.panels import Header, Link, ListBadges, Note
from customers.presenters import days, header_facts, rows
from customers.selectors import Shared

COLOURS = ("canvas", "surface", "sunken", "text", "quiet", "line", "accent", "paid", "past-due", "failing")


class SampleForm(forms.Form):
    """A field of each kind, one with an error."""

    name = forms.CharField(label="Name", help_text="As people call it.")
    kind = forms.ChoiceField(label="Kind", choices=[("a", "Growth"), ("b", "Scale")])
    note = forms.CharField(label="Reason", widget=forms.Textarea)
    tick = forms.BooleanField(label="Match personal emails", required=False, help_text="Gmail, Outlook, iCloud…")


def samples() -> dict[str, Any]:
    """The context of the page; nothing in it is stored."""
    now = timezone.now()
    return {
        "colours": COLOURS,
        "chip": {"text": "Plan: Growth", "url": "#t-small"},
        "badges": (
            ("paid", "Paid"),
            ("past_due", "Past due"),
            ("failing", "Failing"),
            ("none", "No payment status"),
            ("running", "Running"),
            ("past_due", "Undecided"),
            ("past_due", "Older open"),
            ("note", "Stale, 2 d"),
            ("test", "Test data"),
        ),
        "banners": (
            ("connected", "Connected", "Last full sync 03:10 today, no drift", "Disconnect"),
            (
                "late",
                "Connected",
                "Last incremental update 47 min ago. Figures may be that old.",
                "Run sync now",
            ),
            (
                "failed",
                "Connected",
                "Last full sync 31 h ago. Differences may go unnoticed.",
                "Run sync now",
            ),
            ("reauthorize", "Reauthorize", "Stripe no longer accepts our access, since 09:12 today.", "Reauthorize"),
            ("disconnected", "Disconnected", "Figures stay as they were, marked with their date.", "Connect Stripe"),
        ),
        "flashes": (
            ("paid", "Acme Corp is up to date. Payment status changed from past due to failing."),
            ("past_due", "The worker has not reported since 10:14. The run goes on when it is back."),
            ("failing", "Stripe refused consent. Nothing was connected."),
            ("note", "Nothing was different, so nothing was saved."),
        ),
        "stats": (
            ("Matched", "1,204", ["on 1,198 customers", "$141,300 MRR"], ""),
            ("Unmatched", "31", ["$2,940 MRR"], ""),
            ("Skipped", "18", ["personal 16 · no e-mail 2", "$380 MRR"], ""),
            ("Ambiguous matches", "6", ["in 2 groups, part of matched", "$4,100 MRR"], "past_due"),
        ),
        "runs": (
            ("Sync running", "", 71200, 71, ["71,200 of ~100,000 subscriptions", "1,870/s", "15 s left"]),
            ("Stripe is slowing us down", "slow", 34100, 34, ["34,100 of ~100,000 subscriptions", "410/s"]),
            ("Queued", "", None, None, ["Waits for a worker"]),
            ("Stopped", "failing", 58000, 58, ["The worker has not reported since 10:14"]),
        ),
        "trail": [("Admin", "#"), ("Integrations", "#"), ("Stripe", "")],
        "form": SampleForm({"kind": "b", "note": "One contract: the GmbH is billed in euro"}),
        "headers": [(customer, header_facts(customer, header)) for customer, header in _headers()],
        "rows": _rows(),
        "days": days(_activities()),
        "moments": [now - span for span in (timedelta(seconds=40), timedelta(hours=3), timedelta(days=90))],
        "amounts": [Decimal(1400), Decimal("1062.50"), Decimal(-4100), Decimal(0)],
    }


def _customer(number: int, name: str, domain: str, **fields: Any) -> Customer:
    """A customer that is nowhere stored."""
    billed: dict[str, Any] = {
        "plan_label": "Growth", "mrr": Decimal(1400), "payment_status": PaymentStatus.PAID, "billing_source": "stripe",
        "billing_started_at": timezone.now() - timedelta(days=830),
    }  # fmt: skip
    return Customer(pk=number, name=name, domain=domain, **{**billed, **fields})


def _headers() -> list[tuple[Customer, Header]]:
    fresh: dict[str, Any] = {"as_of": timezone.now() - timedelta(seconds=40), "live": True, "mrr_url": "#receipt"}
    declined = Note(
        "2 attempts declined, next on 24 Nov, $1,443.40 open", "failing", Link("Open the invoice in Stripe", "#", True)
    )
    older = Note("1 older invoice is open: $750, due since 31 Oct", "past_due", Link("See the invoice", "#"))
    merged = Note("2 Stripe customers added up, nobody has decided yet", "none", Link("Decide", "#"))
    blank = Note("No Stripe customer has an e-mail at harborfinch.co.", "none", Link("Why is it blank?", "#why"))
    stale: dict[str, Any] = {
        **fresh,
        "live": False,
        "stale_reason": "Stripe was disconnected on 18 Nov; these are the last figures.",
    }
    return [
        (
            _customer(1, "Acme Corp", "acme.com", payment_status=PaymentStatus.FAILING),
            Header("Stripe", True, plan_more=3, notes=[declined], **fresh),
        ),
        (
            _customer(2, "Brightwater", "brightwater.io", mrr=Decimal(1200)),
            Header("Stripe", True, plan_more=2, mrr_incomplete="Leaves out NGN", notes=[older, merged], **fresh),
        ),
        (_customer(3, "Ironbridge", "ironbridge.build"), Header("Stripe", True, **stale)),
        (
            _customer(4, "Harbor & Finch", "harborfinch.co", plan_label="", billing_started_at=None),
            Header("Stripe", False, notes=[blank]),
        ),
    ]


def _rows() -> list[Any]:
    customers = [
        _customer(1, "Northwind Traders", "northwind.co"),
        _customer(2, "Meridian Logistics", "meridian-logistics.com", payment_status=PaymentStatus.PAST_DUE),
        _customer(3, "Acme Corp", "acme.com", payment_status=PaymentStatus.FAILING, environment="staging"),
        _customer(4, "Harbor & Finch", "harborfinch.co", plan_label="", billing_started_at=None),
    ]
    badges = {
        2: ListBadges(undecided="4 Stripe customers added up", plan_more=4, older_open="$750, due since 31 Oct"),
        3: ListBadges(stale="Stripe has not answered", stale_since=timezone.now() - timedelta(days=2)),
        4: ListBadges(attached=False),
    }
    return rows(customers, badges, {1: Shared("northwind.co", 2)})


def _activities() -> list[Activity]:
    now = timezone.now()
    return [
        Activity(at=now, actor_type="integration", field="mrr", old="1125", new="1400", origin="Stripe · Support+"),
        Activity(at=now, actor_type="integration", field="payment_status", old="paid", new="failing", origin="Stripe"),
    ]

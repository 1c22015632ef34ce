"""Matched, unmatched, skipped, ambiguous; jobs and personal domains."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from customers.models import PersonalDomain, Status
from integrations.models import DecisionJob, DecisionKind, MemberEffect, StripeConnection
from tests.browser.states import LONG_NAME, STAFF, state
from tests.factories import CustomerFactory, StripeConnectionFactory, decide
from tests.integrations.stripe.sync.deciding import group, subscriber
from tests.integrations.stripe.sync.derived import derive_all

MATCHED, UNMATCHED, SKIPPED, AMBIGUOUS, JOB = "Matched", "Unmatched", "Skipped", "Ambiguous matches", "Job"


def of(view: str, *arguments: Any, **query: Any) -> str:
    """An address of the live connection."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return reverse(f"stripe:{view}", args=["live", *arguments]) + (f"?{asked}" if asked else "")


def world() -> StripeConnection:
    """Somebody for each list: suggested, archived, personal, shared, long."""
    live = StripeConnectionFactory()
    CustomerFactory(name="Fernbank", domain="fernbank.com")
    CustomerFactory(name="Maple Court", domain="maple.com", status=Status.ARCHIVED)
    CustomerFactory(name="Acme Corp", domain="acme.com")
    subscriber("billing@eu.fernbank.com", live, quantity=50, name=LONG_NAME)
    subscriber("office@maple.com", live, name="Maple Court Dental")
    subscriber("jane@gmail.com", live, name="Jane")
    subscriber("no address", live, name="Without an address")
    subscriber("ap@acme.com", live, name="Acme")
    derive_all(live)
    return live


def nothing() -> None:
    """A synced account without anybody."""
    StripeConnectionFactory()


for page, view in ((MATCHED, "matched"), (UNMATCHED, "unmatched"), (SKIPPED, "skipped"), (AMBIGUOUS, "ambiguous")):

    def empty(view: str = view) -> str:
        nothing()
        return of(view)

    state(page, "empty", page)(empty)


@state(MATCHED, "several", "Acme Corp")
def matched() -> str:
    world()
    return of("matched")


@state(UNMATCHED, "with suggestions", LONG_NAME, who=STAFF)
def unmatched() -> str:
    world()
    return of("unmatched")


def tick(browser: Page) -> None:
    """Choose one, and open what else can be done."""
    browser.get_by_label("Choose Maple Court Dental").check()
    browser.get_by_label("More for Maple Court Dental").click()


@state(UNMATCHED, "one ticked, its menu open", "Maple Court Dental", act=tick)
def ticked() -> str:
    world()
    return of("unmatched")


@state(UNMATCHED, "no results of a filter", "filter")
def unmatched_nothing() -> str:
    world()
    return of("unmatched", q="nothing-like-it")


@state(SKIPPED, "by reason", "Jane")
def skipped() -> str:
    world()
    return of("skipped")


@state(AMBIGUOUS, "groups side by side", "Brightwater", who=STAFF)
def ambiguous() -> str:
    live = StripeConnectionFactory()
    group(live, 2, domain="brightwater.io")
    group(live, 4)
    CustomerFactory(name="Twin Peaks South", domain="twinpeaks.coop")
    group(live, 1, domain="twinpeaks.coop")
    derive_all(live)
    return of("ambiguous")


def keep_merged(browser: Page) -> None:
    """Decide the only group."""
    browser.get_by_role("link", name="Keep merged").click()
    browser.get_by_label("Reason").fill("One contract")
    browser.get_by_role("button", name="Confirm: keep merged").click()


@state(AMBIGUOUS, "all clear", "All clear: 1 group, $300 decided", who=STAFF, act=keep_merged)
def all_clear() -> str:
    live = StripeConnectionFactory()
    group(live, 2)
    derive_all(live)
    return of("ambiguous")


# --- jobs ------------------------------------------------------------------------------------------------------


def job(**fields: Any) -> str:
    """The page of a job about six Stripe customers."""
    live = StripeConnectionFactory()
    rows = [subscriber(f"a@company{n}.com", live) for n in range(6)]
    decided = rows[: fields.get("done", 0)]
    decision = decide(DecisionKind.IGNORE, dict.fromkeys(rows, MemberEffect.IGNORED))
    decision.members.exclude(stripe_customer_id__in=[row.stripe_id for row in decided]).delete()
    made = DecisionJob.objects.create(
        connection=live, decision=decision, action="ignore", members=[row.stripe_id for row in rows], **fields
    )
    return of("decision_job", made.pk)


@state(JOB, "queued", "0 of 6 Stripe customers", swaps=1)
def job_queued() -> str:
    return job()


@state(JOB, "running", "3 of 6 Stripe customers", swaps=1)
def job_running() -> str:
    return job(state="running", done=3)


@state(JOB, "done", "Done")
def job_done() -> str:
    return job(state="done", done=6, finished_at=timezone.now())


@state(JOB, "stopped", "Stopped")
def job_stopped() -> str:
    return job(state="stopped", done=3, finished_at=timezone.now())


@state(JOB, "failed", "It ended early")
def job_failed() -> str:
    return job(state="failed", done=3, finished_at=timezone.now(), error_detail="The customer was deleted.")


@state(JOB, "seen from the list", "Show the progress")
def job_in_the_list() -> str:
    job()
    return of("unmatched")


# --- personal domains ------------------------------------------------------------------------------------------


@state("Personal domains", "some added", "x.example")
def personal_domains() -> str:
    world()
    PersonalDomain.objects.create(domain="x.example")
    return of("personal_domains")


@state("Personal domains", "what a change moves", "maple.com")
def personal_domain() -> str:
    world()
    return of("personal_domain_change", domain="maple.com", personal="on")


@state("Personal domains", "removing one", "x.example")
def personal_domain_removed() -> str:
    world()
    return of("personal_domain_remove", PersonalDomain.objects.create(domain="x.example").pk)

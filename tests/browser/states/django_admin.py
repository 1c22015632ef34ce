"""Django admin in the product's look: its front page, lists, forms, a deletion, a history and the import."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.urls import reverse
from playwright.sync_api import Page

from integrations import audit
from integrations.models import AuditAction, WorkerHeartbeat
from tests.browser.states import LONG_NAME, OWNER, STAFF, state
from tests.browser.states.customer_list import some
from tests.factories import StripeConnectionFactory, UserFactory
from tests.integrations.stripe.sync.deciding import group
from tests.integrations.stripe.sync.derived import derive_all
from tests.security.walking import workspace

PAGE = "Django admin"
OF_TABLES = (
    "integrations_stripecustomer",
    "integrations_syncrun",
    "integrations_matchdecision",
    "integrations_exchangerate",
    "customers_activity",
    "auth_user",
)


def of(view: str, *arguments: Any) -> str:
    """An address of Django admin."""
    return reverse(f"admin:{view}", args=arguments)


@state(PAGE, "front page", "Integrations", who=OWNER)
def index() -> str:
    return of("index")


# --- lists -----------------------------------------------------------------------------------------------------


@state(PAGE, "an empty list", "0", who=OWNER)
def empty() -> str:
    return of("customers_customer_changelist")


def tick(browser: Page) -> None:
    """Choose a row, which offers what to do with it."""
    browser.locator(".action-select").first.check()


@state(PAGE, "the list of customers, one ticked", LONG_NAME, who=OWNER, act=tick)
def customers() -> str:
    some()
    return of("customers_customer_changelist")


@state(PAGE, "the lists of other tables", "", who=OWNER)
def tables() -> list[str]:
    workspace()
    return [of(f"{name}_changelist") for name in OF_TABLES]


@state(PAGE, "the audit log", "somebody not signed in")
def audit_log() -> str:
    person = UserFactory(first_name="Maximiliana", last_name="Featherstonehaugh-Cholmondeley")
    changed = {"before": {"scope": ["Growth", "Scale"], "sync": True}, "after": {"scope": [LONG_NAME], "sync": False}}
    audit.record(AuditAction.SCOPE, actor=person, subject=LONG_NAME, details=changed)
    audit.record(AuditAction.LOGIN_FAILED, actor=None, subject=f"{'x' * 100}@example.com")
    audit.record(AuditAction.EXPORT, actor=person, subject="audit log", details={"filters": "action=scope&" * 9})
    return of("integrations_auditentry_changelist")


@state(PAGE, "the workers", "at work")
def workers() -> str:
    WorkerHeartbeat.objects.beat("pivotal-worker-7d9f8b6c5d-x2x9k")
    return of("integrations_workerheartbeat_changelist")


@state(PAGE, "ambiguous matches", "Brightwater", who=STAFF)
def ambiguous() -> str:
    live = StripeConnectionFactory()
    group(live, 5, domain="brightwater.io")
    group(live, 2)
    derive_all(live)
    return of("integrations_ambiguousgroup_changelist")


# --- forms -----------------------------------------------------------------------------------------------------


def press_save(browser: Page) -> None:
    """Send it as it is, with a second domain begun."""
    browser.get_by_role("link", name="Add another").click()
    browser.locator("[name=_save]").click()


@state(PAGE, "adding a customer", "Owner", who=OWNER)
def adding() -> str:
    return of("customers_customer_add")


@state(PAGE, "adding a customer, refused", "Please correct the error", who=OWNER, act=press_save)
def adding_refused() -> str:
    return of("customers_customer_add")


@state(PAGE, "changing a customer", "Extra", who=OWNER)
def changing() -> str:
    return of("customers_customer_change", workspace()["customer_id"])


@state(PAGE, "forms of other tables", "", who=OWNER)
def forms() -> list[str]:
    known = workspace()
    return [
        of("integrations_exchangerate_add"),
        of("integrations_matchdecision_change", known["decision_id"]),
        of("auth_user_add"),
        of("auth_user_change", UserFactory().pk),
        of("auth_group_change", Group.objects.get_or_create(name="CSM")[0].pk),
    ]


@state(PAGE, "deleting a customer", "Are you sure", who=OWNER)
def delete() -> str:
    return of("customers_customer_delete", workspace()["customer_id"])


@state(PAGE, "history of a customer", "history", who=OWNER)
def history() -> str:
    return of("customers_customer_history", workspace()["customer_id"])


@state(PAGE, "importing customers", "Import", who=OWNER)
def importing() -> str:
    return of("customers_customer_import")

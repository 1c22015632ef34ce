"""Who may open and do what, as a table over every view (docs/architecture.md section 8)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import DecisionJob, MatchDecision, Mode, Notice, StripeConnection
from integrations.stripe.pages.urls import urlpatterns
from tests.factories import AdminFactory, CustomerFactory, OwnerFactory, StaffFactory, UserFactory
from tests.integrations.stripe.pages.factories import (
    AttemptFactory,
    ConnectionFactory,
    IssueFactory,
    RunFactory,
    StripeCustomerFactory,
)

pytestmark = pytest.mark.django_db

PEOPLE: dict[str, Any] = {
    "nobody": None,
    "no group": lambda: UserFactory(group=""),
    "member": UserFactory,
    "staff": StaffFactory,
    "admin": AdminFactory,
    "owner": OwnerFactory,
}
ADMINS = {"admin", "owner"}
LOG_READERS = {"staff", "admin", "owner"}
DECIDERS = {"staff", "admin", "owner"}
EVERYBODY_IN = {"member", "staff", "admin", "owner"}

TABLE = [
    ("GET", "integration", LOG_READERS),
    ("GET", "what_we_store", LOG_READERS),
    ("GET", "callback", ADMINS),
    ("POST", "connect", ADMINS),
    ("POST", "connect_key", ADMINS),
    ("POST", "recheck", ADMINS),
    ("GET", "disconnect", ADMINS),
    ("POST", "disconnect", ADMINS),
    ("GET", "clear_billing", ADMINS),
    ("POST", "clear_billing", ADMINS),
    ("GET", "delete_mirror", ADMINS),
    ("POST", "delete_mirror", ADMINS),
    ("POST", "scope", ADMINS),
    ("POST", "scope_preview", ADMINS),
    ("POST", "options", ADMINS),
    ("POST", "run_start", ADMINS),
    ("GET", "run_progress", LOG_READERS),
    ("POST", "run_cancel", ADMINS),
    ("GET", "matched", LOG_READERS),
    ("GET", "unmatched", LOG_READERS),
    ("GET", "skipped", LOG_READERS),
    ("GET", "unmatched_csv", LOG_READERS),
    ("GET", "skipped_csv", LOG_READERS),
    ("GET", "decide_link", DECIDERS),
    ("POST", "decide_link", DECIDERS),
    ("GET", "decide_suggested", DECIDERS),
    ("POST", "decide_suggested", DECIDERS),
    ("GET", "decide_create", DECIDERS),
    ("POST", "decide_create", DECIDERS),
    ("GET", "decide_ignore", DECIDERS),
    ("POST", "decide_ignore", DECIDERS),
    ("GET", "link_list", DECIDERS),
    ("POST", "link_list", DECIDERS),
    ("GET", "job", DECIDERS),
    ("GET", "ambiguous", LOG_READERS),
    ("GET", "mrr", LOG_READERS),
    ("GET", "mrr_subscriptions", LOG_READERS),
    ("GET", "ambiguous_group", DECIDERS),
    ("GET", "decide_keep_merged", DECIDERS),
    ("POST", "decide_keep_merged", DECIDERS),
    ("GET", "decide_winner", DECIDERS),
    ("POST", "decide_winner", DECIDERS),
    ("GET", "decide_attach", DECIDERS),
    ("POST", "decide_attach", DECIDERS),
    ("GET", "decide_split", DECIDERS),
    ("POST", "decide_split", DECIDERS),
    ("GET", "decide_undo", DECIDERS),
    ("POST", "decide_undo", DECIDERS),
    ("GET", "decisions", DECIDERS),
    ("GET", "log", LOG_READERS),
    ("GET", "run_detail", LOG_READERS),
    ("GET", "calls", LOG_READERS),
    ("GET", "drift", LOG_READERS),
    ("POST", "issue_retry", LOG_READERS),
    ("POST", "issues_retry", LOG_READERS),
    ("POST", "attempt_retry", LOG_READERS),
    ("POST", "notice_dismiss", ADMINS),
    ("POST", "secret_add", ADMINS),
    ("POST", "rotation_finish", ADMINS),
    ("POST", "secrets_forget", ADMINS),
    ("GET", "receipt", EVERYBODY_IN),
    ("GET", "customer_decisions", EVERYBODY_IN),
    ("POST", "resync", EVERYBODY_IN),
]


WITHOUT_A_GROUP = ("decide_keep_merged", "decide_link", "decide_suggested", "decide_create", "decide_ignore")


def address(view: str) -> str:
    """The address of a view, with rows behind it."""
    connection = ConnectionFactory(mode=Mode.TEST, state="disconnected")
    if view in ("callback", "what_we_store"):
        return reverse(f"stripe:{view}")
    if view == "ambiguous_group" or view.startswith("decide_"):
        return deciding_address(view, connection)
    if view in ("receipt", "resync", "customer_decisions"):
        customer = CustomerFactory(billed=True, environment="staging")
        StripeCustomerFactory(connection=connection, customer=customer)
        return reverse(f"stripe:{view}", args=[customer.pk])
    arguments: list[Any] = [connection.mode]
    if view in ("run_cancel", "run_detail"):
        arguments.append(RunFactory(connection=connection).pk)
    if view == "attempt_retry":
        arguments.append(AttemptFactory(connection=connection, stripe_customer_id="cus_1").pk)
    if view == "notice_dismiss":
        arguments.append(Notice.objects.create(connection=connection, kind="drift", about="x").pk)
    if view == "issue_retry":
        arguments.append(IssueFactory(connection=connection).pk)
    if view == "job":
        decision = MatchDecision.objects.create(connection=connection, kind="ignore", reason="Why")
        arguments.append(DecisionJob.objects.create(connection=connection, decision=decision, action="ignore").pk)
    query = "?of=outside_scope" if view == "mrr_subscriptions" else ""
    return reverse(f"stripe:{view}", args=arguments) + query


def deciding_address(view: str, connection: StripeConnection) -> str:
    """The address of a decision, with a group behind it."""
    customer = CustomerFactory(environment="staging")
    members = [
        StripeCustomerFactory(connection=connection, customer=customer, ambiguous_kind="shared_domain")
        for _each in range(2)
    ]
    query = {
        "decide_keep_merged": f"ids={customer.pk}",
        "decide_winner": f"stripe={members[0].stripe_id}",
        "decide_attach": f"to={customer.pk}",
        "decide_split": f"member={members[0].stripe_id}",
        "decide_link": f"stripe={members[0].stripe_id}&to={customer.pk}",
        "decide_suggested": f"stripe={members[0].stripe_id}",
        "decide_create": f"stripe={members[0].stripe_id}",
        "decide_ignore": f"stripe={members[0].stripe_id}",
    }.get(view, "")
    arguments: list[Any] = [connection.mode]
    if view == "decide_undo":
        arguments.append(MatchDecision.objects.create(connection=connection, kind="ignore", reason="Why").pk)
    elif view not in WITHOUT_A_GROUP:
        arguments.append(customer.pk)
    return reverse(f"stripe:{view}", args=arguments) + (f"?{query}" if query else "")


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize(("method", "view", "allowed"), TABLE)
def test_only_the_people_named_get_in(client: Client, method: str, view: str, allowed: set[str], who: str) -> None:
    url = address(view)
    person = PEOPLE[who]() if PEOPLE[who] else None
    if person:
        client.force_login(person)
    response = client.generic(method, url)
    if who in allowed:
        assert response.status_code in (200, 302)
        assert not response.headers.get("Location", "").startswith(("/login/", "/admin/login/"))
    elif person is None:
        assert response.status_code == 302
        assert "/login/" in response["Location"]
    else:
        assert response.status_code in (403, 404)


SIGNED = {"webhook", "account_webhook"}
"""Open to whoever holds a signing secret; test_webhooks.py has them."""


def test_the_table_names_every_view() -> None:
    assert {pattern.name for pattern in urlpatterns} == {view for _method, view, _allowed in TABLE} | SIGNED


@pytest.mark.parametrize(
    "view",
    [
        "connect",
        "connect_key",
        "recheck",
        "options",
        "run_cancel",
        "issue_retry",
        "issues_retry",
        "attempt_retry",
        "notice_dismiss",
        "secret_add",
        "rotation_finish",
        "secrets_forget",
        "resync",
    ],
)
def test_what_changes_something_is_never_a_link(client: Client, view: str) -> None:
    client.force_login(OwnerFactory())
    assert client.get(address(view)).status_code == 405


def test_a_change_needs_the_form_of_our_own_page() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(OwnerFactory())
    assert client.post(address("disconnect")).status_code == 403


@pytest.mark.parametrize(
    "view",
    [
        "run_cancel",
        "run_detail",
        "issue_retry",
        "attempt_retry",
        "notice_dismiss",
        "job",
        "decide_ignore",
        "decide_link",
    ],
)
def test_a_row_of_the_other_mode_is_not_found(client: Client, view: str) -> None:
    client.force_login(OwnerFactory())
    url = address(view).replace("/test/", "/live/")
    method = "GET" if view == "run_detail" or view == "job" or view.startswith("decide_") else "POST"
    assert client.generic(method, url).status_code == 404


def test_a_member_who_may_open_only_their_own_does_not_find_the_others(client: Client, settings: Any) -> None:
    settings.DEFAULT_ACCESS = "assigned"
    client.force_login(UserFactory())
    assert client.get(address("receipt")).status_code == 404
    assert client.post(address("resync")).status_code == 404


def test_somebody_signed_in_without_access_meets_the_designed_page(client: Client) -> None:
    client.force_login(UserFactory())
    response = client.get(address("integration"))
    assert response.status_code == 403
    assert "403.html" in [template.name for template in response.templates]


def test_opening_the_page_makes_the_row_of_the_mode(client: Client) -> None:
    client.force_login(OwnerFactory())
    client.get(reverse("stripe:integration"))
    assert StripeConnection.objects.get().mode == Mode.LIVE

"""The audit log says who did what, and nobody can make it say something else."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from customers import personal_domains
from customers.models import PersonalDomain
from integrations import audit
from integrations.models import AppendOnlyError, AuditAction, AuditEntry, StripeConnection
from integrations.stripe.sync import decisions, derive, disconnecting, effects, endpoint, scope
from integrations.stripe.sync.decision_rows import Decided
from tests.factories import AdminFactory, OwnerFactory, StaffFactory, UserFactory
from tests.integrations.stripe.pages.factories import ConnectionFactory
from tests.integrations.stripe.sync.deciding import group

pytestmark = pytest.mark.django_db


def entries() -> list[tuple[str, str, str]]:
    """Who, what and of what, oldest first."""
    return list(AuditEntry.objects.order_by("pk").values_list("actor_name", "action", "subject"))


def text_of(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_disconnecting_clearing_and_deleting_are_three_entries_of_the_person() -> None:
    admin = AdminFactory(username="ada")
    live = ConnectionFactory()
    disconnecting.disconnect(live, actor=admin)
    disconnecting.clear_billing(live, actor=admin)
    disconnecting.delete_mirror(live, actor=admin)
    assert [entry[:2] for entry in entries()] == [
        ("ada", "disconnected"),
        ("ada", "billing_cleared"),
        ("ada", "billing_cleared"),
        ("ada", "mirror_deleted"),
    ]
    assert {entry.mode for entry in AuditEntry.objects.all()} == {"live"}


def test_a_signing_secret_is_recorded_without_itself() -> None:
    admin, live = AdminFactory(username="ada"), ConnectionFactory()
    endpoint.add_secret(live, "whsec_first", actor=admin)
    endpoint.add_secret(live, "whsec_second", actor=admin)
    endpoint.finish_rotation(live, actor=admin)
    endpoint.forget_secrets(live, actor=admin)
    told = list(AuditEntry.objects.order_by("pk").values_list("actor_name", "action", "details"))
    assert told == [("ada", "secret", {"webhook": what}) for what in ("added", "added", "rotated", "deleted")]


def test_a_decision_and_its_undo_are_recorded_and_a_preview_is_not() -> None:
    staff, live = StaffFactory(username="stef"), ConnectionFactory()
    customer, rows = group(live, 2)
    derive.rematch_all(live)
    ids = [row.stripe_id for row in rows]

    def keep() -> list[Decided]:
        return decisions.keep_merged(
            connection=live, customer_ids=[customer.pk], reason="One contract", actor=staff, seen=None
        )

    effects.effects(live, keep)
    assert entries() == []
    (decided,) = keep()
    decisions.undo(connection=live, decision_id=decided.decision.pk, reason="Two after all", actor=staff, seen=None)
    assert entries() == [("stef", "decision", "Keep merged"), ("stef", "decision", "Undo")]
    kept, undone = AuditEntry.objects.order_by("pk").values_list("details", flat=True)
    assert (kept["reason"], sorted(kept["stripe_customers"])) == ("One contract", sorted(ids))
    assert undone["undoes"] == decided.decision.pk


def test_a_scope_is_recorded_with_before_and_after_and_only_when_it_changed() -> None:
    live = ConnectionFactory(fresh=True)
    admin = AdminFactory(username="ada")
    scope.save_scope(live, products=["prod_b", "prod_a"], lookup_keys=[], actor=admin)
    scope.save_scope(live, products=["prod_a", "prod_b"], lookup_keys=[], actor=admin)
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.actor_name) == (AuditAction.SCOPE, "ada")
    assert entry.details == {
        "before": {"products": [], "lookup_keys": []},
        "after": {"products": ["prod_a", "prod_b"], "lookup_keys": []},
    }


def test_a_toggle_is_recorded_with_what_it_was() -> None:
    live = ConnectionFactory(fresh=True)
    scope.save_options(live, match_personal_emails=True, billing_signal_only=True, actor=None)
    scope.save_options(live, match_personal_emails=True, billing_signal_only=True, actor=None)
    (entry,) = AuditEntry.objects.all()
    assert entry.details == {"match_personal_emails": [False, True]}
    assert entry.actor_name == ""


def test_what_did_not_happen_is_not_recorded() -> None:
    live = ConnectionFactory()
    with transaction.atomic():
        disconnecting.disconnect(live, actor=None)
        transaction.set_rollback(True)
    assert entries() == []
    assert StripeConnection.objects.get().is_connected


def test_exports_are_recorded_with_their_filters(client: Client) -> None:
    client.force_login(UserFactory(username="mem"))
    text_of(client.get(reverse("customers:csv"), {"environment": "staging", "q": "acme"}))
    entry = AuditEntry.objects.get(action=AuditAction.EXPORT)
    assert (entry.actor_name, entry.subject) == ("mem", "customers")
    assert entry.details == {"environment": "staging", "whose": "mine", "q": "acme"}
    call_command("customers", "export", stdout=io.StringIO())
    assert AuditEntry.objects.filter(action=AuditAction.EXPORT, actor_name="").count() == 1


def test_an_export_from_the_admin_is_recorded(client: Client) -> None:
    client.force_login(OwnerFactory(username="owner"))
    client.get(reverse("admin:customers_customer_export"))
    assert ("owner", "export", "customers") in entries()


def test_a_sign_in_and_an_entered_rate_are_recorded(client: Client) -> None:
    owner = OwnerFactory(username="owner")
    client.force_login(owner)
    form = {"currency": "NGN", "date": "2026-11-20", "usd_per_unit": "0.00065"}
    client.post(reverse("admin:integrations_exchangerate_add"), form)
    assert entries() == [("owner", "signed_in", ""), ("owner", "rate", "ngn 2026-11-20")]


def test_personal_domains_are_recorded_with_what_they_were_and_a_preview_is_not(client: Client) -> None:
    ConnectionFactory()
    admin = AdminFactory(username="ada")
    client.force_login(admin)
    where = reverse("stripe:personal_domain_change", args=["live"]) + "?domain=freemail.example&personal=on"
    assert client.get(where).status_code == 200
    assert not AuditEntry.objects.filter(action=AuditAction.PERSONAL_DOMAIN).exists()
    client.post(where)
    entry = PersonalDomain.objects.get()
    personal_domains.save(entry, actor=admin)  # as it was: nothing to tell
    entry.personal = False
    personal_domains.save(entry, actor=admin)
    personal_domains.delete([entry], actor=admin)
    told = AuditEntry.objects.filter(action=AuditAction.PERSONAL_DOMAIN).order_by("pk")
    assert {(each.actor_name, each.subject) for each in told} == {("ada", "freemail.example")}
    assert [(each.details["before"], each.details["after"]) for each in told] == [
        ("", "personal"),
        ("personal", "company"),
        ("company", ""),
    ]


def people_told() -> list[tuple[str, str, dict[str, Any]]]:
    rows = AuditEntry.objects.filter(action=AuditAction.PEOPLE).order_by("pk")
    return list(rows.values_list("actor_name", "subject", "details"))


def test_who_gets_which_group_is_recorded(client: Client) -> None:
    client.force_login(OwnerFactory(username="owner"))
    person = UserFactory(username="mem")
    admins = Group.objects.get(name="Admin")
    form = {
        "username": "mem", "is_active": "on", "is_staff": "on", "groups": [admins.pk],
        "date_joined_0": "2026-11-20", "date_joined_1": "10:00:00",
    }  # fmt: skip
    assert client.post(reverse("admin:auth_user_change", args=[person.pk]), form).status_code == 302
    ((who, whom, details),) = people_told()
    assert (who, whom, details["what"]) == ("owner", "mem", "changed")
    assert "Groups" in details["fields"]
    assert (details["groups"], details["rights"]) == (["Admin"], ["active", "admin pages"])


def test_people_added_deleted_and_their_passwords_are_recorded_without_the_password(client: Client) -> None:
    client.force_login(OwnerFactory(username="owner"))
    secret = {"password1": "a rather long secret", "password2": "a rather long secret", "usable_password": "true"}
    client.post(reverse("admin:auth_user_add"), {"username": "new", **secret})
    person = get_user_model().objects.get(username="new")
    client.post(reverse("admin:auth_user_password_change", args=[person.pk]), secret)
    other = UserFactory(username="other")
    chosen = {"action": "delete_selected", "_selected_action": [person.pk, other.pk], "post": "yes"}
    client.post(reverse("admin:auth_user_changelist"), chosen)
    assert not get_user_model().objects.filter(username__in=["new", "other"]).exists()
    told = people_told()
    assert [(whom, details["what"]) for _who, whom, details in told[:2]] == [("new", "added"), ("new", "changed")]
    assert sorted((whom, details["what"]) for _who, whom, details in told[2:]) == [
        ("new", "deleted"),
        ("other", "deleted"),
    ]
    assert "a rather long secret" not in str(told)


def test_a_group_and_ones_own_password_are_recorded(client: Client) -> None:
    owner = OwnerFactory(username="owner")
    owner.set_password("what it was before")
    owner.save()
    client.force_login(owner)
    client.post(reverse("admin:auth_group_add"), {"name": "Night shift"})
    new = {"new_password1": "x7 is new and long", "new_password2": "x7 is new and long"}
    client.post(reverse("admin:password_change"), {**new, "old_password": "wrong"})
    client.post(reverse("admin:password_change"), {**new, "old_password": "what it was before"})
    assert [(whom, details["what"]) for _who, whom, details in people_told()] == [
        ("Night shift", "added"),
        ("owner", "own password"),
    ]


def test_an_entry_carries_the_request_it_was_made_in(client: Client) -> None:
    client.force_login(UserFactory())
    response = client.get(reverse("customers:csv"), REMOTE_ADDR="203.0.113.7")
    text_of(response)
    entry = AuditEntry.objects.get(action=AuditAction.EXPORT)
    assert (entry.request_id, entry.address) == (response["X-Request-ID"], "203.0.113.7")


def test_the_model_neither_changes_nor_deletes_an_entry() -> None:
    entry = audit.record(AuditAction.EXPORT, actor=None, subject="customers")
    entry.subject = "nothing"
    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(subject="nothing"),
    ):
        with pytest.raises(AppendOnlyError):
            attempt()


@pytest.mark.parametrize(
    "sql", ["UPDATE integrations_auditentry SET subject = ''", "DELETE FROM integrations_auditentry"]
)
def test_the_database_refuses_too(sql: str) -> None:
    audit.record(AuditAction.EXPORT, actor=None, subject="customers")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert AuditEntry.objects.get().subject == "customers"


def test_an_entry_outlives_the_person() -> None:
    person = AdminFactory(username="gone")
    audit.record(AuditAction.EXPORT, actor=person, subject="customers")
    person.delete()
    assert AuditEntry.objects.get().actor_name == "gone"


def test_the_list_filters_and_its_csv_holds_exactly_that(client: Client) -> None:
    client.force_login(AdminFactory(username="=ada()"))
    audit.record(AuditAction.SCOPE, actor=AdminFactory(username="=evil()"), subject="x")
    audit.record(AuditAction.DISCONNECTED, actor=None, subject="acct_1")
    page = client.get(reverse("admin:integrations_auditentry_changelist"), {"action__exact": "scope"}).content.decode()
    assert "Changed the scope" in page
    assert "acct_1" not in page
    text = text_of(client.get(reverse("admin:integrations_auditentry_csv"), {"action__exact": "scope"}))
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["who"], row["what"]) == ("'=evil()", "scope")
    assert AuditEntry.objects.filter(subject="audit log").count() == 1


def test_the_list_says_what_changed_in_words(client: Client) -> None:
    client.force_login(OwnerFactory())
    live = ConnectionFactory(fresh=True)
    scope.save_options(live, match_personal_emails=True, billing_signal_only=True, actor=None)
    scope.save_scope(live, products=["prod_a"], lookup_keys=[], actor=None)
    audit.record(
        AuditAction.PERSONAL_DOMAIN, actor=None, subject="x.example", details={"before": "", "after": "company"}
    )
    audit.record(AuditAction.LOGIN_FAILED, actor=None)
    page = client.get(reverse("admin:integrations_auditentry_changelist")).content.decode()
    assert "match personal emails: off, on" in page
    assert "before: —; after: company" in page
    assert "somebody not signed in" in page
    assert "before: products —, lookup keys —; after: products prod_a, lookup keys —" in page


@pytest.mark.parametrize(("who", "status"), [(StaffFactory, 403), (UserFactory, 302), (AdminFactory, 200)])
@pytest.mark.parametrize("view", ["changelist", "csv"])
def test_only_owners_and_admins_read_it(client: Client, who: Any, status: int, view: str) -> None:
    client.force_login(who())
    assert client.get(reverse(f"admin:integrations_auditentry_{view}")).status_code == status

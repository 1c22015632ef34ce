"""`manage.py customers import|export` and the same table in Django admin."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from customers.models import Activity, Customer
from tests.customers.announced import Committing, listening
from tests.factories import AdminFactory, CustomerDomainFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db
Import = Callable[..., tuple[int, str]]


@pytest.fixture
def imported(tmp_path: Path) -> Import:
    """Import a text; the answer is the exit code and what was said."""

    def run(text: str | bytes, *options: str) -> tuple[int, str]:
        file, said = tmp_path / "customers.csv", StringIO()
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        try:
            call_command("customers", "import", str(file), *options, stderr=said)
        except SystemExit as stopped:
            return int(stopped.code or 0), said.getvalue()
        return 0, said.getvalue()

    return run


def exported(*options: str) -> str:
    out = StringIO()
    call_command("customers", "export", *options, stdout=out)
    return out.getvalue()


def test_rows_create_customers_in_production(imported: Import) -> None:
    owner = UserFactory(username="priya")
    code, said = imported("name,domain,owner,status\nAcme,https://WWW.acme.com/x,priya,at_risk\nBeta,,,\n")
    acme, beta = Customer.objects.order_by("name")
    assert (code, said.strip()) == (0, "created 2, updated 0 (0 unchanged), failed 0")
    assert (acme.domain, acme.owner, acme.status, acme.environment) == ("acme.com", owner, "at_risk", "production")
    assert (beta.domain, beta.owner, beta.status) == ("", None, "active")


def test_the_environment_comes_from_the_option_and_a_column_wins(imported: Import) -> None:
    imported("name,domain\nAcme,acme.com\n", "--environment", "staging")
    imported("name,domain,environment\nBeta,beta.com,production\nGamma,gamma.com,\n", "--environment", "staging")
    environments = dict(Customer.objects.values_list("name", "environment"))
    assert environments == {"Acme": "staging", "Beta": "production", "Gamma": "staging"}


def test_a_second_import_updates_by_environment_domain_and_name(imported: Import) -> None:
    text = "name,domain,status\nAcme,acme.com,{}\nAcme,acme.io,active\n"
    imported(text.format("active"))
    code, said = imported(text.format("churned"))
    assert (code, said.strip()) == (0, "created 0, updated 2 (1 unchanged), failed 0")
    assert Customer.objects.get(domain="acme.com").status == "churned"


def test_two_customers_may_share_a_domain(imported: Import) -> None:
    imported("name,domain\nSchools,pinecrest.edu\nFoundation,pinecrest.edu\n")
    assert Customer.objects.filter(domain="pinecrest.edu").count() == 2


def test_the_same_name_and_domain_in_the_other_environment_is_another_customer(imported: Import) -> None:
    CustomerFactory(name="Acme", domain="acme.com", environment="staging")
    _code, said = imported("name,domain\nAcme,acme.com\n")
    assert said.startswith("created 1")


def test_an_id_updates_whatever_else_changed(imported: Import) -> None:
    customer = CustomerFactory(name="Acme", domain="acme.com", environment="staging", status="churned")
    code, _said = imported(f"id,name,domain,status\n{customer.pk},Acme Corp,acme.io,\n")
    customer.refresh_from_db()
    assert code == 0
    assert (customer.name, customer.domain) == ("Acme Corp", "acme.io")
    assert (customer.environment, customer.status) == ("staging", "churned")


def test_a_later_row_sees_what_an_earlier_one_created(imported: Import) -> None:
    _code, said = imported("name,domain,status\nAcme,acme.com,active\nAcme,acme.com,churned\n")
    assert said.strip() == "created 1, updated 1 (0 unchanged), failed 0"
    assert Customer.objects.get().status == "churned"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (",blank.com,,active", "line 3: name: A customer needs a name."),
        ("Acme,acme.com,ghost,active", "line 3: owner: There is no active person “ghost”"),
        ("Acme,acme.com,,sleeping", "line 3: status: “sleeping” is none of active, at_risk, churned, archived."),
        ("Acme,not a domain,,active", "line 3: domain: “not a domain” contains a blank."),
        ("Acme,10.0.0.1,,active", "line 3: domain: “10.0.0.1” is an IP address, not a domain."),
        ("Acme,acme.com", "line 3: Has 2 cells where the header has 4."),
        ("Acme,acme.com,,active,extra", "line 3: Has 5 cells where the header has 4."),
        ('"Acme" Corp,acme.com,,active', "line 3: Not CSV:"),
        ("A\x00me,acme.com,,active", "line 3: name: Contains control characters."),
        (f"{'x' * 256},acme.com,,active", "line 3: name: Longer than 255 characters."),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_does_not_stop_the_rest(imported: Import, row: str, sentence: str) -> None:
    code, said = imported(f"name,domain,owner,status\nBefore,before.com,,active\n{row}\nAfter,after.com,,active\n")
    assert code == 1
    assert sentence in said
    assert "created 2, updated 0 (0 unchanged), failed 1" in said
    assert set(Customer.objects.values_list("name", flat=True)) == {"Before", "After"}


def test_lines_are_counted_in_the_file_not_in_rows(imported: Import) -> None:
    _code, said = imported('name,domain\n"Two\nlines",\n\nBad,no dot\n')
    assert "line 2: name: Contains control characters." in said
    assert "line 5: domain:" in said


def test_an_unknown_id_fails_its_row(imported: Import) -> None:
    code, said = imported("id,name\n999999,Acme\nabc,Acme\n")
    assert code == 1
    assert "line 2: id: There is no customer 999999." in said
    assert "line 3: id: There is no customer abc." in said
    assert not Customer.objects.exists()


def test_a_refused_row_leaves_no_trace_on_the_customer_it_named(imported: Import) -> None:
    customer = CustomerFactory(name="Acme", domain="acme.com")
    text = f"id,name,domain,owner\n{customer.pk},Changed,changed.com,ghost\n{customer.pk},Acme,acme.io,\n"
    imported(text)
    customer.refresh_from_db()
    assert (customer.name, customer.domain) == ("Acme", "acme.io")


@pytest.mark.parametrize(
    "name", ["Caf\u00e9\u00a0Noir", "\u682a\u5f0f\u3000\u4f1a\u793e", "\U0001f469\u200d\U0001f680 Space"]
)
def test_every_language_may_name_a_customer(imported: Import, name: str) -> None:
    code, _said = imported(f"name,domain\n{name},acme.com\n")
    assert code == 0
    assert Customer.objects.get().name == name


def test_bytes_that_are_not_utf8_fail_their_line_only(imported: Import) -> None:
    code, said = imported(b"name,domain\nM\xfcller,mueller.de\nAcme,acme.com\n")
    assert code == 1
    assert "line 2: Is not UTF-8." in said
    assert Customer.objects.get().name == "Acme"


def test_a_byte_order_mark_is_no_part_of_the_first_column(imported: Import) -> None:
    code, _said = imported(b"\xef\xbb\xbfName,Domain\nAcme,acme.com\n")
    assert code == 0
    assert Customer.objects.get().name == "Acme"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The file is empty."),
        ("company,web\nAcme,acme.com\n", "names no column “name”"),
        ("name;domain\nAcme;acme.com\n", "semicolons"),
        ("name,name\nAcme,acme.com\n", "names a column twice"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_says_what_to_change(imported: Import, text: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        imported(text)


def test_a_file_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(CommandError, match=r"Cannot read /nowhere/x\.csv: No such file"):
        call_command("customers", "import", "/nowhere/x.csv")


def test_other_columns_are_named_and_billing_fields_stay(imported: Import) -> None:
    customer = CustomerFactory(name="Acme", domain="acme.com", billed=True)
    _code, said = imported("name,domain,mrr,plan,status\nAcme,acme.com,1.00,x,churned\n")
    customer.refresh_from_db()
    assert "columns not imported: mrr, plan" in said
    assert (str(customer.mrr), customer.plan, customer.status) == ("1400.00", "growth_monthly", "churned")


def test_an_owner_is_found_by_mail_and_a_blank_takes_the_owner_away(imported: Import) -> None:
    owner = UserFactory(email="Priya@Workspace.test")
    imported("name,domain,owner\nAcme,acme.com,priya@workspace.test\n")
    assert Customer.objects.get().owner == owner
    imported("name,domain,owner\nAcme,acme.com,\n")
    assert Customer.objects.get().owner is None


def test_an_import_is_announced_once_with_everything_that_matters(
    imported: Import, django_capture_on_commit_callbacks: Committing
) -> None:
    moved = CustomerFactory(name="Moved", domain="old.com")
    CustomerDomainFactory(customer=moved, domain="extra.com")
    CustomerFactory(name="Renamed", domain="same.com")
    text = f"id,name,domain,status\n{moved.pk},Moved,new.com,active\n,New,fresh.com,\n,Renamed,same.com,churned\n"
    with listening(django_capture_on_commit_callbacks) as announced:
        imported(text)
    new = Customer.objects.get(name="New")
    domains = frozenset({"old.com", "new.com", "extra.com", "fresh.com"})
    assert announced.heard == [("production", domains, frozenset({moved.pk, new.pk}))]


def test_every_imported_change_is_in_the_history(imported: Import) -> None:
    CustomerFactory(name="Acme", domain="acme.com")
    imported("name,domain,status\nAcme,acme.com,churned\nNew,new.com,active\n")
    entries = list(Activity.objects.order_by("event_type").values_list("event_type", "old", "new", "origin"))
    assert entries == [
        ("customer.created", "", "New", "Import"),
        ("customer.status_changed", "active", "churned", "Import"),
    ]


def test_a_move_takes_the_extra_domains_along(imported: Import) -> None:
    customer = CustomerFactory()
    extra = CustomerDomainFactory(customer=customer)
    imported(f"id,name,environment\n{customer.pk},Acme,staging\n")
    extra.refresh_from_db()
    assert extra.environment == "staging"


def test_statements_do_not_grow_with_the_rows(imported: Import) -> None:
    def statements(rows: int, start: int) -> int:
        lines = "".join(f"C{n},c{n}.com,active\n" for n in range(start, start + rows))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            imported("name,domain,status\n" + lines)
        return len(queries)

    assert statements(10, 0) == statements(200, 1000)


def test_an_export_reads_back_without_a_change(imported: Import) -> None:
    owner = UserFactory()
    CustomerFactory(name='=Quote " and, comma', owner=owner, billed=True)
    CustomerFactory(name="Staged", environment="staging", status="archived")
    code, said = imported(exported())
    assert code == 0
    assert "created 0, updated 2 (2 unchanged), failed 0" in said


def test_the_export_has_the_promised_columns_and_every_customer() -> None:
    CustomerFactory(billed=True, name="Acme", billing_started_at="2024-08-14T12:00:00+02:00", mrr=1400)
    CustomerFactory(status="archived", environment="staging")
    rows = list(csv.DictReader(StringIO(exported())))
    assert list(rows[0])[:10] == [
        "id", "name", "domain", "environment", "status", "plan", "mrr", "payment_status", "billing_started_at",
        "stripe_customer_id",
    ]  # fmt: skip
    assert (rows[0]["mrr"], rows[0]["billing_started_at"]) == ("1400.00", "2024-08-14T10:00:00Z")
    assert (rows[1]["status"], rows[1]["billing_started_at"], rows[1]["mrr"]) == ("archived", "", "0.00")


def test_the_export_as_json_is_one_array() -> None:
    first, second = CustomerFactory(billed=True), CustomerFactory(environment="staging")
    everything = json.loads(exported("--format", "json"))
    assert [row["id"] for row in everything] == [first.pk, second.pk]
    assert everything[0]["mrr"] == "1400.00"
    assert everything[1]["billing_started_at"] is None
    assert json.loads(exported("--format", "json", "--environment", "staging"))[0]["id"] == second.pk


def test_an_empty_export_is_still_json() -> None:
    assert json.loads(exported("--format", "json")) == []


def test_the_admin_imports_with_the_persons_name_after_showing_what_would_change() -> None:
    person = AdminFactory()
    client = Client()
    client.force_login(person)
    existing = CustomerFactory(name="Acme", domain="acme.com")
    file = SimpleUploadedFile("in.csv", b"name,domain,status\nAcme,acme.com,churned\nNew,new.com,active\n")
    shown = client.post("/admin/customers/customer/import/", {"import_file": file, "format": "0"})
    existing.refresh_from_db()
    assert (existing.status, Customer.objects.count()) == ("active", 1)
    client.post("/admin/customers/customer/process_import/", shown.context["confirm_form"].initial)
    existing.refresh_from_db()
    assert (existing.status, Customer.objects.count()) == ("churned", 2)
    assert set(Activity.objects.values_list("actor", flat=True)) == {person.pk}

"""A CSV of links: read line by line, judged before anything is decided."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from integrations.models import MatchDecision, Mode, StripeConnection
from integrations.stripe.sync import link_file
from integrations.stripe.sync.link_file import Line, Report, UnreadableFileError
from tests.factories import CustomerFactory, StripeConnectionFactory, StripeCustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def live() -> StripeConnection:
    return StripeConnectionFactory()


def judged(live: StripeConnection, text: str) -> Report:
    lines, mistakes, blank = link_file.read(f"stripe_customer_id,customer_id\n{text}".encode())
    report = link_file.judge(live, lines)
    report.mistakes += mistakes
    report.blank = blank
    return report


def test_a_line_says_from_where_to_where(live: StripeConnection) -> None:
    now, then = CustomerFactory(name="Now"), CustomerFactory(name="Then")
    StripeCustomerFactory(connection=live, stripe_id="cus_1", customer=now, match_reason="domain")
    StripeCustomerFactory(connection=live, stripe_id="cus_2")
    report = judged(live, f"cus_1,{then.pk}\n cus_2 , {now.pk} \n")
    assert [(each.number, each.row.stripe_id, each.now_on, each.customer) for each in report.links] == [
        (2, "cus_1", now, then),
        (3, "cus_2", None, now),
    ]
    assert report.pairs == f"cus_1,{then.pk}\ncus_2,{now.pk}"
    assert not MatchDecision.objects.exists()


def test_what_is_linked_already_and_lines_without_a_customer_are_counted(live: StripeConnection) -> None:
    acme = CustomerFactory()
    StripeCustomerFactory(connection=live, stripe_id="cus_1", customer=acme, match_reason="pinned")
    report = judged(live, f"cus_1,{acme.pk}\ncus_2,\n,\n\n")
    assert (report.links, report.mistakes, report.unchanged, report.blank) == ([], [], 1, 1)


def test_each_mistake_names_its_line_and_the_others_go_on(live: StripeConnection) -> None:
    acme = CustomerFactory()
    archived = CustomerFactory(name="Old", status="archived")
    staging = CustomerFactory(environment="staging")
    for number in range(1, 5):
        StripeCustomerFactory(connection=live, stripe_id=f"cus_{number}")
    StripeCustomerFactory(connection=StripeConnectionFactory(mode=Mode.TEST), stripe_id="cus_test")
    report = judged(
        live,
        f"cus_1,{acme.pk}\ncus_1,{acme.pk}\ncus_unknown,{acme.pk}\ncus_test,{acme.pk}\ncus_2,Acme\n"
        f"cus_2,{archived.pk}\ncus_3,{staging.pk}\ncus_4,{10**30}\n,{acme.pk}\n",
    )
    assert [each.number for each in report.links] == [2]
    assert [(each.number, each.reason) for each in report.mistakes] == [
        (3, "cus_1 is on line 2 already."),
        (4, "No Stripe customer cus_unknown in this mode."),
        (5, "No Stripe customer cus_test in this mode."),
        (6, "“Acme” is not the number of a customer."),
        (7, "cus_2 is on line 6 already."),
        (8, f"No customer {staging.pk} in this environment."),
        (9, f"“{10**30}” is not the number of a customer."),
        (10, "No stripe_customer_id."),
    ]


def test_an_archived_customer_is_restored_by_hand_only(live: StripeConnection) -> None:
    archived = CustomerFactory(name="Old", status="archived")
    StripeCustomerFactory(connection=live, stripe_id="cus_1")
    [mistake] = judged(live, f"cus_1,{archived.pk}").mistakes
    assert mistake.reason == "Old is archived; restore and link it on the list."


def test_further_columns_their_order_and_a_byte_order_mark_do_not_matter() -> None:
    content = '\ufeffName,Customer_ID, stripe_customer_id\r\n"A, B\nC",7,cus_1\r\nD,8,cus_2\r\n'.encode()
    lines, mistakes, _blank = link_file.read(content)
    assert (lines, mistakes) == ([Line(2, "cus_1", "7"), Line(4, "cus_2", "8")], [])


def test_an_apostrophe_that_keeps_a_spreadsheet_calm_is_no_part_of_a_number(live: StripeConnection) -> None:
    lines, _mistakes, _blank = link_file.read(b'stripe_customer_id,customer_id\n"cus_1","7\n')
    assert lines == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"name,id\n", "must name stripe_customer_id and customer_id"),
        (b"stripe_customer_id,customer_id,customer_id\n", "each once"),
        (b"stripe_customer_id;customer_id\n", "semicolons"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 2_000_001, "larger than 2 MB"),
    ],
)
def test_a_file_that_is_none_is_refused_with_what_to_change(content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableFileError, match=sentence):
        link_file.read(content)


def test_more_lines_than_a_job_should_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_file, "MOST_LINES", 1)
    with pytest.raises(UnreadableFileError, match="Split it"):
        link_file.read(b"stripe_customer_id,customer_id\ncus_1,1\ncus_2,2\n")


def test_judging_asks_twice_whatever_the_size(live: StripeConnection) -> None:
    acme = CustomerFactory()
    rows = [StripeCustomerFactory(connection=live) for _each in range(20)]

    def queries(number: int) -> int:
        lines = [Line(n, row.stripe_id, str(acme.pk)) for n, row in enumerate(rows[:number])]
        with CaptureQueriesContext(database) as captured:
            assert len(link_file.judge(live, lines).links) == number
        return len(captured)

    assert queries(2) == queries(20) == 2

"""The opt-in daily mail: to owners, about their own customers, once, and only when something changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from customers import daily_mail, tasks
from customers.models import DailyMail
from integrations.models import BillingSummary
from tests.factories import ActivityFactory, CustomerFactory, StripeConnectionFactory, UserFactory

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 11, 24, 8, 1, tzinfo=UTC)
YESTERDAY = MORNING - timedelta(days=1)


@pytest.fixture
def owner() -> User:
    """Somebody who has the daily mail since yesterday."""
    user: User = UserFactory(email="sam@workspace.test")
    DailyMail.objects.create(user=user, sent_through=YESTERDAY)
    return user


def changed(
    owner: User | None, name: str = "Acme Corp", field: str = "payment_status", old: str = "paid", **rest: Any
) -> Any:
    """Yesterday a field of one of the owner's customers changed."""
    customer = rest.pop("customer", None) or CustomerFactory(
        name=name, owner=owner, billed=True, payment_status="failing"
    )
    values = {"new": "failing", "at": MORNING - timedelta(hours=5), **rest}
    ActivityFactory(customer=customer, field=field, old=old, **values)
    return customer


def text() -> str:
    (sent,) = mail.outbox
    return str(sent.body)


def test_a_change_is_told_in_a_line_with_what_is_open(owner: User) -> None:
    customer = changed(owner)
    reason = {"why": "x", "message": "x", "invoice": "in_1", "currency": "usd", "amount_remaining": 140_000}
    BillingSummary.objects.create(
        customer=customer, connection=StripeConnectionFactory(), payment_reason=reason, computed_at=MORNING
    )
    assert daily_mail.send_due(MORNING) == 1
    assert "Acme Corp: paid → failing, $1,400 open\n" in text()
    assert mail.outbox[0].to == ["sam@workspace.test"]


def test_nothing_is_sent_when_nothing_changed(owner: User) -> None:
    CustomerFactory(owner=owner, billed=True)
    assert daily_mail.send_due(MORNING) == 0
    assert mail.outbox == []


def test_what_went_there_and_back_is_nothing(owner: User) -> None:
    customer = changed(owner)
    changed(owner, customer=customer, old="failing", new="paid", at=MORNING - timedelta(hours=4))
    assert daily_mail.send_due(MORNING) == 0


def test_several_steps_are_one(owner: User) -> None:
    customer = changed(owner, field="mrr", old="900.00", new="1000.00")
    changed(owner, customer=customer, field="mrr", old="1000.00", new="1400.00", at=MORNING - timedelta(hours=4))
    daily_mail.send_due(MORNING)
    assert "Acme Corp: MRR $900 → $1,400\n" in text()


def test_only_ones_own_customers_are_told(owner: User) -> None:
    changed(UserFactory(), name="Somebody else's")
    changed(None, name="Nobody's")
    assert daily_mail.send_due(MORNING) == 0


def test_a_name_is_edited_by_a_person_and_no_billing(owner: User) -> None:
    changed(owner, field="name", old="Acme", new="Acme Corp")
    assert daily_mail.send_due(MORNING) == 0


def test_test_data_says_so(owner: User) -> None:
    changed(owner, customer=CustomerFactory(name="Acme Corp", owner=owner, environment="staging"))
    daily_mail.send_due(MORNING)
    assert "Acme Corp (test data): paid → failing" in text()


def test_nobody_is_told_twice_and_nothing_is_left_out(owner: User) -> None:
    changed(owner)
    assert [daily_mail.send_due(MORNING), daily_mail.send_due(MORNING + timedelta(minutes=1))] == [1, 0]
    changed(owner, name="Late Corp", at=MORNING + timedelta(hours=3))
    assert daily_mail.send_due(MORNING + timedelta(hours=4)) == 0
    assert daily_mail.send_due(MORNING + timedelta(days=1)) == 1
    assert "Late Corp" in mail.outbox[1].body
    assert "Acme Corp" not in mail.outbox[1].body


def test_before_eight_of_the_workspace_nothing_is_sent(owner: User, settings: Settings) -> None:
    settings.TIME_ZONE = "America/New_York"
    changed(owner)
    assert daily_mail.send_due(MORNING) == 0
    assert daily_mail.send_due(MORNING + timedelta(hours=5)) == 1


def test_a_mail_that_fails_is_tried_again(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(message: EmailMessage) -> int:
        raise SMTPServerDisconnected("gone")

    changed(owner)
    with monkeypatch.context() as broken:
        broken.setattr(EmailMessage, "send", refuse)
        assert daily_mail.send_due(MORNING) == 0
    assert daily_mail.send_due(MORNING + timedelta(minutes=1)) == 1


@pytest.mark.parametrize("gone", [{"is_active": False}, {"email": ""}])
def test_who_has_left_or_has_no_address_gets_none(owner: User, gone: dict[str, Any]) -> None:
    changed(owner)
    User.objects.filter(pk=owner.pk).update(**gone)
    assert daily_mail.send_due(MORNING) == 0


def test_a_name_cannot_make_lines_of_its_own(owner: User) -> None:
    changed(owner, name="Acme\nEvil Corp: paid")
    daily_mail.send_due(MORNING)
    assert "Acme Evil Corp: paid: paid → failing\n" in text()


def test_links_lead_to_the_customer_where_the_address_is_known(owner: User, settings: Settings) -> None:
    settings.PUBLIC_BASE_URL = "https://pivotal.example.com/"
    customer = changed(owner)
    daily_mail.send_due(MORNING)
    assert f"https://pivotal.example.com{customer.get_absolute_url()}" in text()
    assert "https://pivotal.example.com/customers/daily-mail" in text()


def test_the_number_of_queries_does_not_grow_with_the_customers(
    owner: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        changed(owner, name=f"Corp {number}")
    with django_assert_max_num_queries(10):
        daily_mail.send_due(MORNING)


def test_the_schedule_sends_what_is_due(owner: User) -> None:
    changed(owner, at=datetime.now(UTC) - timedelta(days=2))
    DailyMail.objects.update(sent_through=datetime.now(UTC) - timedelta(days=3))
    tasks.send_daily_mails()
    assert len(mail.outbox) == 1


def test_somebody_asks_for_it_and_ends_it_on_their_own_page(client: Client) -> None:
    user = UserFactory()
    client.force_login(user)
    url = reverse("customers:daily_mail")
    assert "checked" not in client.get(url).content.decode()
    client.post(url, {"wanted": "on"})
    assert DailyMail.objects.get().user == user
    assert "checked" in client.get(url).content.decode()
    client.post(url, {})
    assert not DailyMail.objects.exists()

"""Notices to admins: each said once, by a banner and by one mail that is never sent twice."""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.utils import timezone
from pytest_django.fixtures import Settings

from integrations.models import Notice, NoticeKind, StripeConnection
from integrations.stripe import tasks
from integrations.stripe.sync import notices
from tests.factories import AdminFactory, OwnerFactory, StaffFactory, StripeConnectionFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection() -> StripeConnection:
    return StripeConnectionFactory()


def tell(connection: StripeConnection, about: str = "run 7") -> bool:
    return notices.tell(connection, NoticeKind.NIGHTLY_FAILED, about=about, detail="Stripe could not be reached.")


def test_it_goes_to_active_admins_and_owners_with_an_address(connection: StripeConnection) -> None:
    admin, owner = AdminFactory(), OwnerFactory()
    for nobody in (StaffFactory(), UserFactory(), AdminFactory(email=""), AdminFactory(is_active=False)):
        assert nobody.pk
    tell(connection)
    tasks.mail_notices()
    (sent,) = mail.outbox
    assert sorted(sent.to) == sorted([admin.email, owner.email])
    assert "Last night's check of Stripe (live) failed." in sent.subject
    assert "Stripe could not be reached." in sent.body


def test_what_was_told_is_not_told_again(connection: StripeConnection) -> None:
    AdminFactory()
    assert [tell(connection), tell(connection), tell(connection, "run 8")] == [True, False, True]
    assert [notices.send_mails(), notices.send_mails()] == [2, 0]


def test_a_mail_that_fails_is_logged_and_tried_again(
    connection: StripeConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(message: EmailMessage) -> int:
        raise SMTPServerDisconnected("gone")

    AdminFactory()
    tell(connection)
    with monkeypatch.context() as broken:
        broken.setattr(EmailMessage, "send", refuse)
        assert notices.send_mails() == 0
    assert "tried again" in caplog.text
    assert notices.send_mails() == 1
    assert len(mail.outbox) == 1


def test_one_that_another_worker_sends_is_left_to_it(
    connection: StripeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    AdminFactory()
    tell(connection)
    send = EmailMessage.send

    def while_another_looks(message: EmailMessage) -> int:
        assert notices.send_mails() == 0
        return send(message)

    monkeypatch.setattr(EmailMessage, "send", while_another_looks)
    assert notices.send_mails() == 1


def test_old_news_is_not_mailed(connection: StripeConnection) -> None:
    AdminFactory()
    tell(connection)
    Notice.objects.update(created_at=timezone.now() - timedelta(days=3))
    assert notices.send_mails() == 0


def test_without_anybody_to_tell_it_is_not_tried_forever(connection: StripeConnection) -> None:
    tell(connection)
    assert [notices.send_mails(), notices.send_mails()] == [0, 0]
    assert Notice.objects.get().mailed_at is not None


def test_the_mail_leads_to_the_page_that_helps(connection: StripeConnection, settings: Settings) -> None:
    settings.PUBLIC_BASE_URL = "https://pivotal.example.com"
    AdminFactory()
    notices.tell(connection, NoticeKind.DRIFT, about="report 1")
    notices.send_mails()
    assert "https://pivotal.example.com/admin/integrations/stripe/live/drift/" in mail.outbox[0].body

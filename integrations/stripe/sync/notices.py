"""Notices to admins: access was lost, a nightly run failed, drift was found. A banner each, and one e-mail.

``about`` names the occasion, so that whoever meets it again says nothing new. Mails are sent by the worker: the right
to send one is claimed on its row and given back when sending fails, so that no mail goes out twice.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from customers.permissions import ADMIN
from integrations.models import Notice, NoticeKind, StripeConnection

logger = logging.getLogger(__name__)

MAILED_WITHIN = timedelta(days=2)  # a mail that could not be sent for so long is no news any more


def tell(connection: StripeConnection, kind: str, *, about: str, detail: str = "") -> bool:
    """Tell admins of something, once; False when it was told already."""
    notice = Notice(connection=connection, kind=kind, about=about[:100], detail=detail)
    known = Notice.objects.filter(connection=connection, kind=kind, about=notice.about)
    if known.exists():
        return False
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
    return True


def over(connection: StripeConnection, kind: str) -> None:
    """What notices of a kind spoke of is the case no longer; their banners go."""
    Notice.objects.filter(connection=connection, kind=kind, over_at__isnull=True).update(over_at=Now())


def dismiss(notice: Notice) -> None:
    """Somebody has seen it; its banner goes for all admins."""
    Notice.objects.filter(pk=notice.pk, over_at__isnull=True).update(over_at=Now())


def shown() -> list[Notice]:
    """What admins have to know now, the newest first."""
    return list(Notice.objects.filter(over_at__isnull=True).select_related("connection"))


def headline(notice: Notice) -> str:
    """What happened, in one sentence."""
    mode = notice.connection.get_mode_display().lower()
    return {
        NoticeKind.REAUTHORIZE.value: _("Stripe (%(mode)s) no longer accepts our access."),
        NoticeKind.NIGHTLY_FAILED.value: _("Last night's check of Stripe (%(mode)s) failed."),
        NoticeKind.DRIFT.value: _("Last night's check of Stripe (%(mode)s) found drift."),
    }[notice.kind] % {"mode": mode}


def next_step(notice: Notice) -> str:
    """What it means and the one thing to do."""
    return {
        NoticeKind.REAUTHORIZE.value: _("Figures stay as they are until somebody connects the same account again."),
        NoticeKind.NIGHTLY_FAILED.value: _("Figures may differ from Stripe; see the log, or run a sync now."),
        NoticeKind.DRIFT.value: _("The figures are right again; see which ones nobody had told us of."),
    }[notice.kind]


def path_of(notice: Notice) -> str:
    """The page that helps."""
    view = {NoticeKind.NIGHTLY_FAILED.value: "log", NoticeKind.DRIFT.value: "drift"}.get(notice.kind, "integration")
    return reverse(f"stripe:{view}", args=[notice.connection.mode])


def recipients() -> list[str]:
    """The addresses of the active people who can do something about it."""
    admins = User.objects.filter(Q(groups__name=ADMIN) | Q(is_superuser=True), is_active=True).exclude(email="")
    return sorted(set(admins.values_list("email", flat=True)))


def send_mails() -> int:
    """Send what has not been mailed yet; returns how many mails went out. One that fails is tried again later."""
    waiting = Notice.objects.filter(mailed_at__isnull=True, created_at__gte=Now() - MAILED_WITHIN)
    sent = 0
    for notice in waiting.select_related("connection").order_by("pk"):
        if not Notice.objects.filter(pk=notice.pk, mailed_at__isnull=True).update(mailed_at=Now()):
            continue  # another worker sends it
        addresses = recipients()
        if not addresses:
            logger.warning("notice %s is not mailed: no admin has an e-mail address", notice.pk)
            continue
        try:
            with translation.override(settings.LANGUAGE_CODE):  # one mail to several people
                mail_of(notice, addresses).send()
        except OSError as error:  # every error of smtplib is one
            logger.warning("notice %s could not be mailed and is tried again: %s", notice.pk, error)
            Notice.objects.filter(pk=notice.pk).update(mailed_at=None)
        else:
            sent += 1
    return sent


def mail_of(notice: Notice, addresses: list[str]) -> EmailMessage:
    """The mail about a notice, plain text."""
    base = settings.PUBLIC_BASE_URL.rstrip("/")
    where = f"{base}{path_of(notice)}" if base else "Admin > Integrations > Stripe"
    parts = [headline(notice), notice.detail, next_step(notice), where]
    subject = f"{settings.WORKSPACE_NAME or 'Pivotal'}: {headline(notice)}"
    return EmailMessage(subject, "\n\n".join(part for part in parts if part) + "\n", to=addresses)

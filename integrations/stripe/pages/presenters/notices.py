"""Notices to admins as a banner on every page of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from customers.stored_words import translated
from integrations.models import NoticeKind
from integrations.permissions import CONNECT
from integrations.stripe.sync import notices

LINKS = {
    NoticeKind.REAUTHORIZE.value: _("Connect again"),
    NoticeKind.NIGHTLY_FAILED.value: _("See the log"),
    NoticeKind.DRIFT.value: _("See the differences"),
}


@dataclass(frozen=True, slots=True)
class Banner:
    """One notice in words, where it leads, and where it is dismissed."""

    kind: str
    headline: str
    detail: str
    next_step: str
    link: str
    url: str
    dismiss_url: str


def banners_for(user: AbstractBaseUser | AnonymousUser | None) -> Sequence[Banner]:
    """What this person has to know, if it is an admin; one query then, else none."""
    if user is None or not getattr(user, "is_staff", False) or not user.has_perm(CONNECT):  # type: ignore[union-attr]
        return ()
    return [
        Banner(
            kind=notice.kind,
            headline=notices.headline(notice),
            detail=translated(notice.detail),
            next_step=notices.next_step(notice),
            link=str(LINKS[notice.kind]),
            url=notices.path_of(notice),
            dismiss_url=reverse("stripe:notice_dismiss", args=[notice.connection.mode, notice.pk]),
        )
        for notice in notices.shown()
    ]

"""The opt-in daily mail to owners: what happened to their customers' billing since the last one, in a line each.

Sent at 08:00 workspace time, and not at all when nothing changed. Which part of the history was told is claimed on the
row before a mail goes out and given back when sending fails, so that nobody is told twice and nothing is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customers import presenters
from customers.models import Activity, Customer, DailyMail, Environment, PaymentStatus
from customers.panels import registry
from customers.permissions import visible_customers

logger = logging.getLogger(__name__)

AT = time(8, 0)
LONGEST = timedelta(days=7)  # whoever was away or without an address hears of one week
FIELDS = ("payment_status", "mrr", "plan")
BILLING_EVENTS = ("billing.attached", "billing.detached", "billing.cleared")
SEVERITY = {PaymentStatus.FAILING.value: 0, PaymentStatus.PAST_DUE.value: 1}


@dataclass(slots=True)
class Changes:
    """What became of one customer: per field from what to what, and whether billing came or went."""

    customer: Customer
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def add(self, activity: Activity) -> None:
        """Take the next entry of the history in; between the first old and the last new value nobody wants to know."""
        if activity.event_type in BILLING_EVENTS:
            self.events.append(presenters.entry(activity).sentence)
        else:
            old, _new = self.fields.get(activity.field, (activity.old, ""))
            self.fields[activity.field] = (old, activity.new)

    @property
    def moved(self) -> dict[str, tuple[str, str]]:
        """The fields that are not what they were."""
        return {name: pair for name, pair in self.fields.items() if pair[0] != pair[1]}


def subscribe(user: User, *, wanted: bool) -> None:
    """Start or end the daily mail of a person; it tells what happens from now on."""
    if wanted:
        DailyMail.objects.get_or_create(user=user, defaults={"sent_through": timezone.now()})
    else:
        DailyMail.objects.filter(user=user).delete()


def is_subscribed(user: User) -> bool:
    """Whether a person gets the daily mail."""
    return DailyMail.objects.filter(user=user).exists()


def this_morning(now: datetime) -> datetime:
    """Today's 08:00 of the workspace."""
    return datetime.combine(timezone.localtime(now).date(), AT, tzinfo=timezone.get_default_timezone())


def send_due(now: datetime | None = None) -> int:
    """Send this morning's mails that were not sent yet; returns how many. Safe to repeat, and in several workers."""
    now = now or timezone.now()
    until = this_morning(now)
    if now < until:
        return 0
    waiting = DailyMail.objects.filter(sent_through__lt=until, user__is_active=True).exclude(user__email="")
    return sum(send(mail, until) for mail in waiting.select_related("user").order_by("pk"))


def send(mail: DailyMail, until: datetime) -> bool:
    """Tell one person what happened up to ``until``; False when there is nothing to tell or it could not be sent."""
    since = mail.sent_through
    if not DailyMail.objects.filter(pk=mail.pk, sent_through=since).update(sent_through=until):
        return False  # another worker has it
    found = changes(mail.user, max(since, until - LONGEST), until)
    if not found:
        return False
    try:
        message(mail.user, found).send()
    except OSError as error:  # every error of smtplib is one
        logger.warning("The daily mail to user %s could not be sent and is tried again: %s", mail.pk, error)
        DailyMail.objects.filter(pk=mail.pk, sent_through=until).update(sent_through=since)
        return False
    return True


def changes(user: User, since: datetime, until: datetime) -> list[Changes]:
    """What happened to the billing of this person's customers, the worst first."""
    entries = (
        Activity.objects.filter(Q(field__in=FIELDS) | Q(event_type__in=BILLING_EVENTS), at__gt=since, at__lte=until)
        .filter(customer__in=visible_customers(user).filter(owner=user))
        .select_related("customer")
        .order_by("at", "id")
    )
    found: dict[int, Changes] = {}
    for activity in entries:
        found.setdefault(activity.customer_id, Changes(activity.customer)).add(activity)
    told = [each for each in found.values() if each.moved or each.events]
    return sorted(told, key=lambda each: (SEVERITY.get(each.customer.payment_status, 2), each.customer.name.lower()))


def message(user: User, found: list[Changes]) -> EmailMessage:
    """The mail, plain text."""
    subject = ngettext("%(n)d of your customers changed", "%(n)d of your customers changed", len(found)) % {
        "n": len(found)
    }
    base = settings.PUBLIC_BASE_URL.rstrip("/")
    settings_page = f"{base}{reverse('customers:daily_mail')}" if base else _("“Daily mail” in your account menu")
    end = _("You asked for this mail. To end it: %(where)s") % {"where": settings_page}
    body = "\n".join([*lines(found, base), "", end, ""])
    return EmailMessage(f"{settings.WORKSPACE_NAME or 'Pivotal'}: {subject}", body, to=[user.email])


def lines(found: list[Changes], base: str) -> Iterable[str]:
    """A line per customer, ``Acme Corp: paid → failing, $1,400 open; MRR $900 → $1,400``, and where to read more."""
    notes = registry.open_amounts([each.customer for each in found])
    for each in found:
        parts = [
            part_of(name, *each.moved[name], notes.get(each.customer.pk, "")) for name in FIELDS if name in each.moved
        ]
        about = one_line(each.customer.name)
        if each.customer.environment == Environment.STAGING:
            about = _("%(name)s (test data)") % {"name": about}
        yield f"{about}: {'; '.join([*parts, *each.events])}"
        if base:
            yield f"  {base}{each.customer.get_absolute_url()}"


def part_of(name: str, old: str, new: str, open_amount: str) -> str:
    """One field from what to what, plain."""
    change = (
        f"{one_line(presenters.value_text(name, old)) or '—'} → {one_line(presenters.value_text(name, new)) or '—'}"
    )
    if name == "payment_status":
        still_open = _("%(amount)s open") % {"amount": open_amount}
        return f"{change}, {still_open}" if open_amount else change
    label = _("MRR") if name == "mrr" else _("plan")
    return f"{label} {change}"


def one_line(text: str) -> str:
    """Text from elsewhere without line breaks, so that it cannot pretend to be another line."""
    return " ".join(text.split())[:200]

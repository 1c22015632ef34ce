"""Filters and tags every template has: figures, moments, drawings, badges, form fields, the Admin sidebar."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from django import forms, template
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.forms import BoundField
from django.http import HttpRequest
from django.template.context import Context
from django.template.defaultfilters import truncatechars
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from customers import stored_words, wording
from pivotal import drawings, figures, navigation

register = template.Library()

CENT = Decimal("0.01")
Person = AbstractBaseUser | AnonymousUser


@register.filter
def money(amount: Decimal | int | str | None, currency: str = "usd") -> str:
    """`$1,400`; cents only when not zero."""
    return wording.money(amount, currency)


@register.filter
def money_exact(amount: Decimal | int | str | None, currency: str = "usd") -> str:
    """`$1,400.00`, for receipts."""
    return wording.money(amount, currency, exact=True)


@register.filter
def money_rounded(amount: Decimal | None) -> str:
    """`$1,400` of an exact amount, rounded to cents."""
    return wording.money(amount if amount is None else amount.quantize(CENT, ROUND_HALF_UP))


@register.filter
def money_change(amount: Decimal | None, currency: str = "usd") -> str:
    """`+ $225`, `−$40`; nothing for None."""
    if amount is None:
        return ""
    return f"{'+ ' if amount > 0 else ''}{wording.money(amount, currency)}"


register.filter("number", wording.number)
register.filter("percent", wording.percent)
register.filter("mid_sentence", wording.mid_sentence)
register.filter("stored", stored_words.translated)


@register.filter
def ago(moment: datetime | None) -> str | SafeString:
    """`40 s ago`, with the absolute moment in the title."""
    return _time(moment, wording.ago(moment)) if moment else "—"


@register.filter
def when(moment: datetime | None) -> str | SafeString:
    """`03:10 today`, with the absolute moment in the title."""
    return _time(moment, wording.when(moment)) if moment else "—"


@register.filter
def day(moment: datetime | None) -> str | SafeString:
    """`24 Nov`, with the absolute moment in the title."""
    return _time(moment, wording.day(moment)) if moment else "—"


@register.filter
def month(moment: datetime | None) -> str | SafeString:
    """`Aug 2024`, with the absolute moment in the title."""
    return _time(moment, wording.month(moment)) if moment else "—"


@register.filter
def month_text(moment: datetime | None) -> str:
    """`Aug 2024`, plain, for use inside a sentence that has a title of its own."""
    return wording.month(moment) if moment else "—"


@register.filter
def day_text(moment: datetime | None) -> str:
    """`24 Nov`, plain."""
    return wording.day(moment) if moment else "—"


@register.filter
def date_word(value: date) -> str:
    """`Today`, `Yesterday`, `14 November`, `3 March 2025`: the heading of a day in a history."""
    return wording.date_word(value)


@register.filter
def clock(moment: datetime | None) -> str | SafeString:
    """`10:14`, with the absolute moment in the title."""
    return _time(moment, wording.clock(moment)) if moment else "—"


@register.filter
def absolute(moment: datetime | None) -> str:
    """`20 Nov 2026, 10:23:20 CET`, plain."""
    return wording.absolute(moment) if moment else "—"


@register.filter
def duration(span: timedelta | float | None) -> str:
    """`2 min 41 s`, of a timedelta or of seconds."""
    return wording.duration(span) if span is not None else "—"


@register.filter
def age(moment: datetime | None) -> str:
    """`2 d`: how long ago in the largest unit, for badges."""
    return wording.rough_span(timezone.now() - moment) if moment else ""


@register.filter
def tenure(moment: datetime | None) -> str:
    """`2 years and 3 months`, for the title of "Billed since"."""
    return wording.tenure(moment) if moment else ""


def _time(moment: datetime, text: str) -> SafeString:
    here = timezone.localtime(moment)
    return _time_element(here, here.isoformat(timespec="seconds"), here.tzname(), get_language(), text)


@lru_cache(maxsize=4096)  # the same moments stand on page after page
def _time_element(here: datetime, written: str, _zone: str | None, _language: str | None, text: str) -> SafeString:
    """The zone and the language keep apart what is equal as a moment and written otherwise."""
    return format_html('<time datetime="{}" title="{}">{}</time>', written, wording.absolute(here), text)


@register.filter("truncatechars", is_safe=True)
def truncated(text: Any, limit: int) -> Any:
    """Django's own, which takes apart what is short enough, too: nearly everything is."""
    if isinstance(text, str) and len(text) <= limit and text.isascii():
        return text
    return truncatechars(text, limit)


@register.filter
def isolated(text: Any, limit: int) -> SafeString:
    """Text that Stripe supplied, cut to ``limit``: isolated from the direction of what surrounds it."""
    text = str(text)
    if len(text) <= limit:
        return format_html("<bdi>{}</bdi>", text)
    return format_html('<bdi title="{}">{}</bdi>', truncatechars(text, 500), truncatechars(text, limit))


@register.simple_tag
def stripe_id(number: str, url: str) -> SafeString:
    """An id of Stripe's with its page there; ``url`` is empty where it has none of its own."""
    if not url:
        return format_html('<span class="code">{}</span>', truncated(number, 60))
    return format_html(
        '<a class="code" href="{}" rel="noopener noreferrer" target="_blank">{}</a>', url, truncated(number, 60)
    )


@register.filter
def person(user: Person | None) -> str:
    """A person's full name, else their user name; a dash for nobody."""
    if user is None or user.is_anonymous:
        return "—"
    return user.get_full_name() or user.get_username() if hasattr(user, "get_full_name") else user.get_username()


@register.filter
def initials(user: Person | None) -> str:
    """`PR` for the avatar."""
    words = person(user).replace("@", " ").replace(".", " ").split()
    return "".join(word[0] for word in words[:2]).upper()


@register.simple_tag
def languages() -> list[tuple[str, str]]:
    """The languages of the product, each in its own name."""
    return list(settings.LANGUAGES)


register.simple_tag(drawings.icon)
register.simple_tag(drawings.shape)
register.simple_tag(drawings.sort_arrow)
register.simple_tag(drawings.bar_chart)


@register.simple_tag
def badge(status: str, label: str, title: str = "") -> SafeString:
    """A shape and a word."""
    return drawings.badge(status, conditional_escape(label), conditional_escape(title))


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, help_text: str = "") -> dict[str, Any]:
    """A form field with its label, help and errors, joined for assistive technology."""
    described = [f"{bound.auto_id}_help"] if help_text or bound.help_text else []
    described += [f"{bound.auto_id}_error"] if bound.errors else []
    attributes: dict[str, str | bool] = {"class": _widget_class(bound.field.widget)}
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if bound.errors:
        attributes["aria-invalid"] = "true"
    return {
        "field": bound,
        "widget": bound.as_widget(attrs=attributes),
        "help": help_text or bound.help_text,
        "is_check": isinstance(bound.field.widget, forms.CheckboxInput),
    }


def _widget_class(widget: forms.Widget) -> str:
    if isinstance(widget, forms.CheckboxInput):
        return ""
    if isinstance(widget, forms.Select):
        return "select"
    return "textarea" if isinstance(widget, forms.Textarea) else "input"


@register.simple_tag(takes_context=True)
def means(context: Context, name: str) -> str:
    """What a figure of `pivotal.figures` means, for its title; the end of the page explains it too."""
    return str(figures.note_used(context.get("request"), name).means)


@register.inclusion_tag("components/figures.html", takes_context=True)
def figures_used(context: Context) -> dict[str, Any]:
    """What the figures named above it on this page mean."""
    return {"figures": figures.used(context.get("request"))}


@register.simple_tag(takes_context=True)
def admin_sections(context: Context) -> list[navigation.Section]:
    """The sections of the Admin sidebar that this person may open."""
    request = context.get("request")
    return navigation.admin_sections(request) if isinstance(request, HttpRequest) else []


@register.filter
def area(request: HttpRequest | None) -> str:
    """Which entry of the top bar a page belongs to: ``customers``, ``admin`` or none."""
    match = getattr(request, "resolver_match", None)
    if match is None:
        return ""
    return "customers" if match.app_name == "customers" else "admin" if match.route.startswith("admin/") else ""

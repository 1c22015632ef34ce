"""The product's drawings: line icons on a 16 px grid, and the shapes that go with a status (never colour alone)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

CHART_WIDTH, CHART_HEIGHT = 690, 64

_ICONS = {
    "check": '<path d="m3.5 8.5 3 3 6-7"/>',
    "chevron-down": '<path d="m4 6 4 4 4-4"/>',
    "chevron-right": '<path d="m6 4 4 4-4 4"/>',
    "clock": '<circle cx="8" cy="8" r="5.5"/><path d="M8 5v3.2l2 1.3"/>',
    "close": '<path d="m4.5 4.5 7 7m0-7-7 7"/>',
    "download": '<path d="M8 2.5v7.5m-3-3 3 3 3-3M3 12.5h10"/>',
    "edit": '<path d="M3 13v-2.6l7.4-7.4 2.6 2.6L5.6 13zM8.7 4.7l2.6 2.6"/>',
    "external": '<path d="M6 3.5H3.5v9h9V10M9 3.5h3.5V7M12.5 3.5 7 9"/>',
    "list": '<path d="M3 4.5h10M3 8h10M3 11.5h10"/>',
    "lock": '<path d="M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>',
    "menu": '<path d="M3.5 8h.01M8 8h.01M12.5 8h.01" stroke-width="2.2"/>',
    "plus": '<path d="M8 3v10M3 8h10"/>',
    "printer": '<path d="M4.5 6V2.5h7V6M4.5 11H2.5V6h11v5h-2M4.5 9.5h7v4h-7z"/>',
    "resync": '<path d="M13 6.5A5.2 5.2 0 0 0 3.6 5M3 2.5V5h2.5M3 9.5A5.2 5.2 0 0 0 12.4 11M13 13.5V11h-2.5"/>',
    "search": '<circle cx="7" cy="7" r="4.2"/><path d="m10.2 10.2 3.3 3.3"/>',
}

_DOT = '<circle cx="5" cy="5" r="4.2"/>'
_TRIANGLE = '<path d="M5 .8 9.7 9.2H.3z"/>'
_SQUARE = '<rect x=".8" y=".8" width="8.4" height="8.4" rx="1"/>'
_RING = '<circle cx="5" cy="5" r="3.6" fill="none" stroke="currentColor" stroke-width="1.6"/>'
_ARC = (
    '<path d="M5 1.2a3.8 3.8 0 1 1-3.8 3.8" fill="none" stroke="currentColor" stroke-width="1.8" '
    'stroke-linecap="round"/>'
)
_DASH = '<path d="M1 5h8" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/>'
_DIAMOND = '<path d="M5 .8 9.2 5 5 9.2.8 5z" fill="none" stroke="currentColor" stroke-width="1.4"/>'

_SHAPES = {
    **dict.fromkeys(("paid", "active", "connected", "succeeded", "success"), _DOT),
    **dict.fromkeys(("past_due", "late", "reauthorize", "undecided", "at_risk", "partial", "warning"), _TRIANGLE),
    **dict.fromkeys(("failing", "failed", "error"), _SQUARE),
    **dict.fromkeys(("none", "disconnected", "stale", "churned", "archived", "cancelled", "queued"), _RING),
    "running": _ARC,
    **dict.fromkeys(("note", "info", "debug"), _DASH),
    "test": _DIAMOND,
}


def icon(name: str, size: str = "") -> SafeString:
    """The line icon ``name``; ``size`` is empty or ``small``. Decoration: a word stands beside it or in a label.

    Raises KeyError for a name that was never drawn.
    """
    return format_html(
        '<svg class="icon{}" viewBox="0 0 16 16" aria-hidden="true">{}</svg>',
        " icon--small" if size == "small" else "",
        mark_safe(_ICONS[name]),  # noqa: S308 (a constant of this module)
    )


def shape(status: str) -> SafeString:
    """The shape of a status; one that is not known yet gets the neutral dash."""
    return format_html(
        '<svg class="badge__shape" viewBox="0 0 10 10" aria-hidden="true">{}</svg>',
        mark_safe(_SHAPES.get(status, _DASH)),  # noqa: S308 (a constant of this module)
    )


@lru_cache(maxsize=1024)  # a list shows the same few in every row
def badge(status: str, label: SafeString, title: SafeString) -> SafeString:
    """The shape of a status with its word, both texts escaped; ``title`` may be empty."""
    titled = format_html(' title="{}"', title) if title else ""
    return format_html('<span class="badge" data-status="{}"{}>{}{}</span>', status, titled, shape(status), label)


def sort_arrow(direction: str) -> SafeString:
    """The arrow of a sorted column: ``ascending`` points up."""
    points = "M5 1.5 8.5 6h-7z" if direction == "ascending" else "M5 8.5 1.5 4h7z"
    return format_html('<svg class="sort-icon" viewBox="0 0 10 10" aria-hidden="true"><path d="{}"/></svg>', points)


def bar_chart(bars: Sequence[tuple[str, int | None]], sentence: str) -> SafeString:
    """Bars for a few dozen labelled numbers, with ``sentence`` as what they say; a table stands beside them.

    None leaves its place free.
    """
    highest = max((value or 0 for _label, value in bars), default=0) or 1
    slot = CHART_WIDTH / max(len(bars), 1)
    drawn = format_html_join(
        "",
        '<rect class="chart__bar{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>',
        (
            (
                "" if value else " chart__bar--none",
                f"{number * slot + slot * 0.15:.1f}",
                f"{CHART_HEIGHT - bar_height(value, highest):.1f}",
                f"{slot * 0.7:.1f}",
                f"{bar_height(value, highest):.1f}",
                label,
                value,
            )
            for number, (label, value) in enumerate(bars)
            if value is not None
        ),
    )
    ends = [label for label, _value in (*bars[:1], *bars[1:][-1:])]
    return format_html(
        '<div class="chart chart--short"><div class="chart__y" aria-hidden="true"><span>{}</span><span>0</span></div>'
        '<svg class="chart__plot" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '{}<line class="chart__base" x1="0" x2="{}" y1="{}" y2="{}"/></svg>'
        '<div class="chart__x" aria-hidden="true">{}</div></div>',
        highest,
        CHART_WIDTH,
        CHART_HEIGHT,
        sentence,
        drawn,
        CHART_WIDTH,
        CHART_HEIGHT,
        CHART_HEIGHT,
        format_html_join("", "<span>{}</span>", ((label,) for label in ends)),
    )


def bar_height(value: int, highest: int) -> float:
    """How high a bar is; nothing is a thin line, so that one sees that somebody looked."""
    return max(2.0, CHART_HEIGHT * value / highest)

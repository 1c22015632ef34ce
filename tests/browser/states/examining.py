"""What holds for every page in every state, asked of the browser."""

from __future__ import annotations

import json
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.waiting import wait_for

WATCH = """
window.seen = {shift: 0, blocked: [], swaps: 0};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.seen.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
addEventListener("securitypolicyviolation", (event) => window.seen.blocked.push(event.violatedDirective));
addEventListener("htmx:afterSettle", () => { window.seen.swaps += 1; });
"""
SCRIPT = f"{WATCH}\n{AXE_SCRIPT}"
"""Goes into every page before its own scripts; the policy of the page does not stop it."""

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")
WIDTHS = (1440, 390)
LARGEST_SHIFT = 0.01


def problems(page: Page, *, swaps: int = 0) -> list[str]:
    """What is wrong with the page that is open, at both widths and in both themes; ``swaps`` by htmx come first."""
    if swaps:
        wait_for(lambda: page.evaluate("window.seen.swaps") >= swaps)  # the policy forbids Playwright's own waiting
    found = []
    if (shift := page.evaluate("window.seen.shift")) > LARGEST_SHIFT:
        found.append(f"the layout shifted by {shift:.3f}")
    found += [f"nobody sees: {text}" for text in page.evaluate(UNSEEN)]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(f"scrolls sideways at {width}: {', '.join(page.evaluate(WIDER))}")
        for scheme, options in (
            ("light", {"runOnly": {"type": "tag", "values": RULES}}),
            ("dark", {"runOnly": {"type": "rule", "values": ["color-contrast"]}}),  # all that a theme changes
        ):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found += [f"{width} {scheme} {each}" for each in _violations(page, options)]
    found += [f"the policy blocked {each}" for each in page.evaluate("window.seen.blocked")]
    return found


UNSEEN = """[...document.querySelectorAll(".card__foot")]
  .filter((foot) => foot.textContent.trim() && getComputedStyle(foot).display === "none")
  .map((foot) => foot.textContent.trim())"""

WIDER = """[...document.querySelectorAll("body *")]
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.className || element.tagName).slice(-5)"""


def _violations(page: Page, options: dict[str, Any]) -> list[str]:
    asked = {**options, "resultTypes": ["violations"], "preload": False}  # preloading styles is what the policy blocks
    answer = page.evaluate(f"axe.run({json.dumps(asked)})")
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in answer["violations"]
        for node in violation["nodes"][:3]
    ]

"""The pictures of the guides, taken from the running demo, so that they show what the code shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, sync_playwright

from customers.models import Customer, Environment
from integrations.models import Mode
from pivotal.demo import people

ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
WIDE, NARROW = (1280, 860), (390, 780)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its file, whose screen it is, and which page; ``address`` is asked once the demo is synced."""

    name: str
    who: str
    address: Callable[[], str]
    size: tuple[int, int] = WIDE
    scheme: str = "light"


def customer(domain: str) -> Callable[[], str]:
    """The page of the demo's production customer with this domain."""
    return lambda: Customer.objects.get(domain=domain, environment=Environment.PRODUCTION).get_absolute_url()


def receipt(domain: str) -> Callable[[], str]:
    """The receipt of the demo's production customer with this domain."""

    def address() -> str:
        found = Customer.objects.get(domain=domain, environment=Environment.PRODUCTION)
        return reverse("stripe:receipt", args=[found.pk])

    return address


def stripe(view: str, mode: str = Mode.LIVE) -> Callable[[], str]:
    """A page of Admin > Integrations > Stripe."""
    return lambda: reverse(f"stripe:{view}", args=[mode])


PICTURES = (
    Picture("connect", "admin", stripe("integration", Mode.TEST)),
    Picture("integration", "admin", stripe("integration")),
    Picture("unmatched", "staff", stripe("unmatched")),
    Picture("ambiguous", "staff", stripe("ambiguous")),
    Picture("mrr", "admin", stripe("mrr")),
    Picture("log", "admin", stripe("log")),
    Picture("customers", "csm", lambda: f"{reverse('customers:list')}?whose=all"),
    Picture("customer", "csm", customer("saltmarshfoods.com")),
    Picture("customer-merged", "csm", customer("acme.com")),
    Picture("customer-dark", "csm", customer("saltmarshfoods.com"), scheme="dark"),
    Picture("customer-narrow", "csm", customer("saltmarshfoods.com"), size=NARROW),
    Picture("receipt", "csm", receipt("acme.com")),
)


def take(url: str, folder: Path, say: Callable[[str], None]) -> None:
    """Take every picture of the demo at ``url`` into ``folder``, written over."""
    folder.mkdir(parents=True, exist_ok=True)
    addresses = [(picture, picture.address()) for picture in PICTURES]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=settings.BROWSER_PATH, args=ARGUMENTS)
        for picture, address in addresses:
            _take_one(browser, url, picture, address, folder / f"{picture.name}.png")
            say(f"  {picture.name}.png  {address}")
        browser.close()


def _take_one(browser: Browser, url: str, picture: Picture, address: str, path: Path) -> None:
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if picture.scheme == "dark" else "light",
        reduced_motion="reduce",
        base_url=url,
    )
    page = context.new_page()
    page.goto(reverse("login"))
    page.fill("[name=username]", picture.who)
    page.fill("[name=password]", people.PASSWORD)
    page.click("button[type=submit]")
    page.goto(address)
    page.screenshot(path=path)
    context.close()

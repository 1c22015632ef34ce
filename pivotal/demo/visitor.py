"""The admin who clicks through the connection, over HTTP as a browser would: no shortcut past login or consent."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests
from django.urls import reverse

from pivotal.demo.errors import DemoError

TIMEOUT_SECONDS = 30


class Visitor:
    """A browser session at the web server's `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment is none of this machine's business

    def log_in(self, username: str, password: str) -> None:
        """Fill in the login form. Raises DemoError when it is refused."""
        address = self._address(reverse("login"))
        self._get(address)
        self._post(address, {"username": username, "password": password, **self._token()})
        if "sessionid" not in self._session.cookies:
            raise DemoError(f"{username} could not log in with the demo's password. `make demo-reset` starts afresh.")

    def connect_stripe(self, mode: str) -> None:
        """Press Connect Stripe, agree on the consent screen and come back."""
        consent = self._post(self._address(reverse("stripe:connect", args=[mode])), self._token())
        form = Form.first_of(consent.text)
        if form is None or consent.url.startswith(self._url):
            raise DemoError(f"Connect Stripe did not lead to the consent screen but to {consent.url}")
        self._post(urljoin(consent.url, form.action), {**form.fields, "decision": "connect"})

    def run_sync(self, mode: str) -> None:
        """Press Run initial sync."""
        self._post(self._address(reverse("stripe:run_start", args=[mode])), self._token())

    def _address(self, path: str) -> str:
        return f"{self._url}{path}"

    def _token(self) -> dict[str, str]:
        return {"csrfmiddlewaretoken": self._session.cookies.get("csrftoken") or ""}

    def _get(self, url: str) -> requests.Response:
        return _checked(self._session.get(url, timeout=TIMEOUT_SECONDS))

    def _post(self, url: str, fields: dict[str, str]) -> requests.Response:
        return _checked(self._session.post(url, data=fields, timeout=TIMEOUT_SECONDS))


def _checked(response: requests.Response) -> requests.Response:
    if not response.ok:
        raise DemoError(f"{response.request.method} {response.url} answered {response.status_code}")
    return response


class Form(HTMLParser):
    """The first form of a page: where it goes and what a browser would send without touching it."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._state = "before"

    @classmethod
    def first_of(cls, html: str) -> Form | None:
        """Read `html`; None when it has no form."""
        form = cls()
        form.feed(html)
        return None if form._state == "before" else form

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the form's address and the inputs a browser would send."""
        values = dict(attrs)
        if tag == "form" and self._state == "before":
            self._state, self.action = "inside", values.get("action") or ""
        elif tag == "input" and self._state == "inside" and _is_sent(values):
            self.fields[str(values["name"])] = values.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        """Stop at the end of the form."""
        if tag == "form" and self._state == "inside":
            self._state = "after"


def _is_sent(attributes: dict[str, str | None]) -> bool:
    """Whether a browser sends this input untouched."""
    if attributes.get("type") in {"radio", "checkbox"} and "checked" not in attributes:
        return False
    return bool(attributes.get("name"))

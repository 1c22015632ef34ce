"""Whatever Stripe says is text and stays text: on every page and in every export, for every role."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models

from customers.models import Customer
from customers.terminal import visible
from tests.security.walking import ROLES, addresses, body_of, signed_in, workspace

pytestmark = pytest.mark.django_db

MARK = "hostile"
HOSTILE = {
    "markup": f"</textarea></script>\"><script>{MARK}()</script><img src=x onerror={MARK}()>'{{{{7*7}}}}{{% x %}}",
    "address": f"javascript:{MARK}()//'\"><svg onload={MARK}()>",
    "formula": f'=HYPERLINK("https://{MARK}.example","paid")',
    "at sign": f"@SUM({MARK})|cmd",
    "tabulator": f"\t={MARK}()\r\n+1",
}
FORMULA = tuple("=+-@\t\r")
# What the product itself writes and reads back: codes and keys, not words of Stripe's.
OURS = {
    "SyncIssue": {"code"},
    "SyncRun": {"phase", "error_code"},
    "Customer": {"billing_source", "domain", "slug"},
    "CustomerDomain": {"domain"},
    "StripeCustomer": {"match_reason", "ambiguous_kind", "stripe_id", "email_domain"},
    "StripeConnection": {"access_token", "refresh_token", "webhook_secret", "webhook_secret_next"},
    "StripeSubscription": {"customer_id"},
    "StripeInvoice": {"customer_id"},
    "StripePrice": {"stripe_id", "product_id"},
    "StripeProduct": {"stripe_id"},
    "Attempt": {"error_code"},
    "ExchangeRate": {"currency"},
    "AuditEntry": {"action"},
    "DecisionJob": {"action"},
    "ScopeFilter": set(),
}
TYPED = {"status", "currency", "interval", "kind", "customer", "subscription", "why_zero", "collection_method", "usd",
         "contribution", "duration", "product", "id", "invoice", "billing_scheme", "problem", "why",
         "message"}  # fmt: skip


def fill(text: str) -> int:
    """Put ``text`` into every text column of every table that holds what Stripe or people say; how many there were."""
    filled = 0
    for model in apps.get_models():
        if model._meta.app_label not in ("customers", "integrations") or model.__name__ == "AuditEntry":
            continue
        for field in model._meta.concrete_fields:
            if field.name in OURS.get(model.__name__, ()) or getattr(field, "choices", None) or field.primary_key:
                continue
            if isinstance(field, models.JSONField):
                filled += fill_json(model, field, text)
            elif type(field) in (models.CharField, models.TextField):
                filled += fill_text(model, field, text)
    return filled


def fill_text(model: Any, field: Any, text: str) -> int:
    for row in model._default_manager.order_by("pk"):
        unique = f"{text}{row.pk}"
        value = unique if field.max_length is None else unique[: field.max_length]
        model._default_manager.filter(pk=row.pk).update(**{field.attname: value})
    return 1


def fill_json(model: Any, field: Any, text: str) -> int:
    for row in model._default_manager.order_by("pk"):
        value = hostile(getattr(row, field.attname), text)
        model._default_manager.filter(pk=row.pk).update(**{field.attname: value})
    return 1


def hostile(value: Any, text: str, name: str = "") -> Any:
    """The same JSON with ``text`` for every word of Stripe's in it."""
    if isinstance(value, dict):
        return {key: hostile(item, text, key) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item, text, name) for item in value]
    return text if isinstance(value, str) and name not in TYPED else value


class Danger(HTMLParser):
    """Collects what a browser would run or follow because of hostile text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = dict(attributes)
        if tag == "script" and "src" not in names and names.get("type") != "application/json":
            self.found.append("an inline script")
        if tag in ("svg", "img") and MARK in str(names):
            self.found.append(f"<{tag}> with {names}")
        for name, value in attributes:
            if name.startswith("on"):
                self.found.append(f"{name}={value}")
            if name in ("href", "src", "action", "formaction") and (value or "").strip().lower().startswith(
                ("javascript:", "data:text", "=", "@")
            ):
                self.found.append(f"{name}={value}")


def danger_in(html: str) -> list[str]:
    """What a browser would do with this page that Stripe asked for."""
    parser = Danger()
    parser.feed(html)
    return parser.found


def test_the_look_for_danger_finds_it() -> None:
    assert danger_in(HOSTILE["markup"])
    assert danger_in(f'<a href="{HOSTILE["address"]}">')
    assert danger_in(f"<p {HOSTILE['markup']}>")
    assert not danger_in("<p>&lt;script&gt;</p>")


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_page_and_no_export_lets_it_do_anything(kind: str, settings: Any) -> None:
    known = workspace()
    assert fill(HOSTILE[kind]) > 60
    pages, shown = 0, 0
    for role in ROLES:
        client = signed_in(role)
        for address in addresses(known):
            response = client.get(address)
            assert response.status_code < 500, f"{role} {address}"
            text = body_of(response)
            kind_of = response.headers.get("Content-Type", "")
            if kind_of.startswith("text/html"):
                assert danger_in(text) == [], f"{role} {address}"
                shown += MARK in text
            elif kind_of.startswith("text/csv"):
                for row in csv.reader(io.StringIO(text)):
                    for cell in row:
                        assert not cell.startswith(FORMULA) or re.fullmatch(r"-?[0-9.,]+", cell), f"{address}: {cell}"
            elif kind_of.startswith("application/json"):
                json.loads(text)
            pages += 1
    assert pages > 300
    assert shown > 40  # the text did get to the pages


def test_json_of_the_commands_stays_json(capsys: Any) -> None:
    known = workspace()
    fill(HOSTILE["markup"])
    customer = Customer.objects.get(pk=known["customer_id"])
    for command in (
        ["stripe", "explain", str(customer.pk), "--json"],
        ["stripe", "status", "--mode", "live", "--json"],
        ["stripe", "calls", "--mode", "live", "--json"],
        ["customers", "export", "--format", "json"],
    ):
        call_command(*command)
        json.loads(capsys.readouterr().out)


TERMINAL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202etxt.exe\rover"


@pytest.mark.parametrize(
    "command",
    [
        ["stripe", "explain", "{customer}"],
        ["stripe", "status", "--mode", "live"],
        ["stripe", "calls", "--mode", "live"],
        ["stripe", "mrr", "--mode", "live"],
        ["customers", "export"],
        ["customers", "export", "--format", "json"],
        ["privacy", "export", "{customer}"],
    ],
    ids=" ".join,
)
def test_no_command_steers_the_terminal(command: list[str], capsys: Any) -> None:
    known = workspace()
    fill(TERMINAL)
    call_command(*(word.format(customer=known["customer_id"]) for word in command))
    written = "".join(capsys.readouterr())
    assert visible(written) == written
    assert "\\u001b" in written or "calls" in command or "mrr" in command  # a path is ours; the sums name no texts


def test_an_error_of_a_command_steers_no_terminal_either(tmp_path: Any) -> None:
    out, err = io.StringIO(), io.StringIO()
    file = tmp_path / "in.csv"
    file.write_text(f"name,domain,{TERMINAL.partition(chr(13))[0]}\nAcme,acme.com,x\n")
    call_command("customers", "import", str(file), stdout=out, stderr=err)
    assert "\\u001b" in err.getvalue()
    assert visible(err.getvalue()) == err.getvalue()


def test_a_json_text_made_visible_means_the_same() -> None:
    assert json.loads(visible(json.dumps(TERMINAL, ensure_ascii=False))) == TERMINAL

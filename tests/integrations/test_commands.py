"""`manage.py stripe`: names, options, JSON keys and exit codes that others script against."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from customers.models import Customer
from integrations.models import (
    ConnectionState,
    ScopeFilter,
    StripeConnection,
    StripeCustomer,
    StripeProduct,
    StripeSubscription,
    SyncRun,
)
from sandbox.testing import Running, running
from tests.integrations.stripe.sync.conftest import as_after_a_start
from tests.integrations.stripe.sync.syncing import crm_rows, import_crm

pytestmark = pytest.mark.django_db

SYNC_KEYS = {
    "run",
    "state",
    "matched",
    "unmatched",
    "skipped",
    "ambiguous",
    "failed",
    "warnings",
    "stripe_customers",
    "subscriptions",
    "api_requests",
    "duration_s",
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Running]:
    with running("demo") as started:
        yield started


@pytest.fixture
def stripe(bench: Running, settings: Settings) -> Iterator[Running]:
    with as_after_a_start(bench, settings) as started:
        yield started


class Terminal:
    """Runs `manage.py stripe …` in this process, and keeps what it said on either stream."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.out = self.err = ""

    def __call__(self, *arguments: object, stdin: str = "") -> str:
        """What it wrote to stdout. Raises CommandError, or SystemExit with the exit code of a run without success."""
        out, err = io.StringIO(), io.StringIO()
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            call_command("stripe", *map(str, arguments), stdout=out, stderr=err)
        finally:
            self.out, self.err = out.getvalue(), err.getvalue()
        return self.out


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


@pytest.fixture
def connected(stripe: Running, terminal: Terminal) -> Running:
    """Live mode connected, our customers there, nothing synced."""
    import_crm(crm_rows("demo"))
    terminal("connect", "--mode", "live", "--restricted-key-stdin", stdin="rk_live_all\n")
    return stripe


@pytest.fixture
def synced(connected: Running, terminal: Terminal) -> Running:
    """The same, synced."""
    terminal("sync", "--mode", "live")
    return connected


# --- connect, disconnect ---------------------------------------------------------------------------------------------


def test_connect_takes_the_key_from_stdin(connected: Running, terminal: Terminal) -> None:
    connection = StripeConnection.objects.get(mode="live")

    assert connection.state == ConnectionState.CONNECTED
    assert connection.access_token == "rk_live_all"
    assert terminal.out == ""
    assert "8 of 8 permissions" in terminal.err
    assert "rk_live_all" not in terminal.err


def test_connect_does_not_know_an_option_that_takes_the_key(terminal: Terminal) -> None:
    with pytest.raises(CommandError):
        terminal("connect", "--mode", "live", "--restricted-key", "rk_live_all")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (["--mode", "live"], "", "No key came on stdin"),
        (["--mode", "live"], "sk_live_0123456789", "[invalid_key]"),
        (["--mode", "test"], "rk_live_all", "[wrong_mode]"),
        (["--mode", "live"], "rk_live_unheard", "[reauthorize]"),
    ],
)
def test_connect_refuses_what_is_no_key_of_this_mode(
    stripe: Running, terminal: Terminal, arguments: list[str], stdin: str, code: str
) -> None:
    with pytest.raises(CommandError) as caught:
        terminal("connect", *arguments, "--restricted-key-stdin", stdin=stdin)

    assert code in str(caught.value)
    assert not StripeConnection.objects.filter(state=ConnectionState.CONNECTED).exists()


def test_connect_believes_the_admin_about_the_account_of_a_key_that_cannot_name_it(
    stripe: Running, terminal: Terminal
) -> None:
    terminal("connect", "--mode", "live", "--account", "acct_x", "--restricted-key-stdin", stdin="rk_live_all")

    assert StripeConnection.objects.get(mode="live").account_id == "acct_x"


def test_disconnect_says_how_to_end_the_access_on_the_other_side(connected: Running, terminal: Terminal) -> None:
    terminal("disconnect", "--mode", "live")

    assert StripeConnection.objects.get(mode="live").state == ConnectionState.DISCONNECTED
    assert "_all" in terminal.err


# --- scope, set ------------------------------------------------------------------------------------------------------


def test_scope_narrows_by_products_and_lookup_keys(synced: Running, terminal: Terminal) -> None:
    products = list(StripeProduct.objects.order_by("stripe_id").values_list("stripe_id", flat=True)[:3])
    terminal(
        "scope", "--mode", "live", "--product", *products[:2], "--product", products[2], "--lookup-key", "scale_annual"
    )

    saved = set(ScopeFilter.objects.values_list("kind", "value"))
    assert saved == {*(("product", each) for each in products), ("lookup_key", "scale_annual")}
    assert "matched" in terminal.err


def test_scope_all_takes_every_filter_away(synced: Running, terminal: Terminal) -> None:
    terminal("scope", "--mode", "live", "--lookup-key", "scale_annual")
    narrowed = Customer.objects.filter(mrr__gt=0).count()
    terminal("scope", "--mode", "live", "--all")

    assert not ScopeFilter.objects.exists()
    assert Customer.objects.filter(mrr__gt=0).count() > narrowed


def test_scope_refuses_what_the_account_does_not_have(synced: Running, terminal: Terminal) -> None:
    with pytest.raises(CommandError) as caught:
        terminal("scope", "--mode", "live", "--lookup-key", "scale_annual", "no_such_key")

    assert "no_such_key" in str(caught.value)
    assert not ScopeFilter.objects.exists()


@pytest.mark.parametrize("arguments", [[], ["--all", "--product", "prod_x"]])
def test_scope_wants_one_clear_word(connected: Running, terminal: Terminal, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        terminal("scope", "--mode", "live", *arguments)


def test_set_switches_one_toggle_and_leaves_the_other(synced: Running, terminal: Terminal) -> None:
    terminal("set", "--mode", "live", "--match-personal-emails", "on")
    terminal("set", "--mode", "live", "--billing-signal-only", "off")

    connection = StripeConnection.objects.get(mode="live")
    assert (connection.match_personal_emails, connection.billing_signal_only) == (True, False)


def test_set_wants_a_toggle(connected: Running, terminal: Terminal) -> None:
    with pytest.raises(CommandError):
        terminal("set", "--mode", "live")


# --- sync ------------------------------------------------------------------------------------------------------------


def test_sync_prints_one_object_with_the_promised_keys(connected: Running, terminal: Terminal) -> None:
    found = json.loads(terminal("sync", "--mode", "live", "--json"))

    run = SyncRun.objects.get()
    assert set(found) == SYNC_KEYS
    assert (found["run"], found["state"]) == (run.pk, "succeeded")
    assert found["matched"] + found["unmatched"] + found["skipped"] + found["failed"] == found["stripe_customers"]
    assert found["ambiguous"] <= found["matched"]
    assert found["subscriptions"] == StripeSubscription.objects.filter(live=True).count()
    assert found["api_requests"] == run.api_requests > 5
    assert found["duration_s"] > 0


def test_sync_without_json_says_nothing_on_stdout(connected: Running, terminal: Terminal) -> None:
    assert terminal("sync", "--mode", "live") == ""
    assert "succeeded" in terminal.err


def test_a_partial_sync_prints_its_object_and_exits_1(connected: Running, terminal: Terminal) -> None:
    query = {"status": "all", "limit": "100"}
    connected.fault("broken_object", "/v1/subscriptions", query=query, index=36)
    with pytest.raises(SystemExit) as caught:
        terminal("sync", "--mode", "live", "--json")

    found = json.loads(terminal.out)
    assert caught.value.code == 1
    assert (found["state"], found["failed"]) == ("partial", 1)
    assert "invalid_response" in terminal.err


def test_a_failed_sync_prints_its_object_says_why_and_exits_1(
    connected: Running, terminal: Terminal, settings: Settings
) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    settings.STRIPE_RETRY_TRIES = 2
    with pytest.raises(SystemExit) as caught:
        terminal("sync", "--mode", "live", "--json")

    assert caught.value.code == 1
    assert json.loads(terminal.out)["state"] == "failed"
    assert "Stripe could not be reached" in terminal.err
    assert "Check the network" in terminal.err


def test_sync_without_a_connection_says_what_to_do(stripe: Running, terminal: Terminal) -> None:
    with pytest.raises(CommandError) as caught:
        terminal("sync", "--mode", "live", "--json")

    assert "Connect Stripe" in str(caught.value)
    assert terminal.out == ""


# --- status, calls ---------------------------------------------------------------------------------------------------


def test_status_tells_state_times_last_run_and_backlog(synced: Running, terminal: Terminal) -> None:
    found = json.loads(terminal("status", "--mode", "live", "--json"))

    assert found["state"] == "connected"
    assert found["last_run"]["state"] == "succeeded"
    assert found["backlog"] == 0
    assert found["counts"]["matched"] > 30
    assert all(found[name].endswith("+00:00") for name in ("last_full_sync", "last_look"))
    assert found["last_incremental_update"] is None


def test_status_of_a_mode_that_was_never_connected(terminal: Terminal) -> None:
    found = json.loads(terminal("status", "--mode", "test", "--json"))

    assert (found["state"], found["last_run"]) == ("disconnected", None)


def test_status_for_people_names_the_same_things(synced: Running, terminal: Terminal) -> None:
    said = terminal("status", "--mode", "live")

    assert "state: connected" in said
    assert "last full sync: " in said


def test_calls_are_listed_newest_first_and_hold_no_secret(synced: Running, terminal: Terminal) -> None:
    found = json.loads(terminal("calls", "--mode", "live", "--json"))

    assert [call["at"] for call in found] == sorted((call["at"] for call in found), reverse=True)
    assert {call["method"] for call in found} == {"GET"}
    assert set(found[0]) == {"at", "method", "path", "status", "duration_ms", "request_id", "error_code"}
    assert "rk_live" not in terminal.out
    assert len(terminal("calls", "--mode", "live").splitlines()) == len(found)


# --- refresh, explain ------------------------------------------------------------------------------------------------


def test_mrr_adds_up_to_the_last_digit(synced: Running, terminal: Terminal) -> None:
    terminal("scope", "--mode", "live", "--lookup-key", "growth_monthly")

    answer = json.loads(terminal("mrr", "--mode", "live", "--json"))

    places = [answer[name] for name in ("matched", "unmatched", "failed", "unplaced", "outside_scope")]
    places += answer["skipped"].values()
    everything = answer["all"]
    for key, number in (("stripe_customers", int), ("subscriptions", int), ("mrr_exact", Decimal)):
        assert sum(number(place[key]) for place in places) == number(everything[key]), key
    assert answer["outside_scope"]["subscriptions"] > 0
    for cut in ("by_status", "by_currency"):
        assert sum(Decimal(each["mrr_exact"]) for each in answer[cut]) == Decimal(everything["mrr_exact"]), cut
        assert sum(each["subscriptions"] for each in answer[cut]) == everything["subscriptions"], cut
    assert Decimal(everything["mrr"]) == round(Decimal(everything["mrr_exact"]), 2)
    known = [Decimal(each["difference"]) for each in answer["beside_stripe"]["differences"] if each["difference"]]
    expected = Decimal(answer["beside_stripe"]["expected"])
    assert abs(Decimal(everything["mrr"]) + sum(known) - expected) <= Decimal("0.02")
    rated = {each["currency"]: each["rates"] for each in answer["by_currency"] if each["rates"]}
    assert rated["eur"][0].keys() == {"usd_per_unit", "date", "source"}
    told = answer["customer_list"]
    assert told["settled"]
    exact = Decimal(answer["matched"]["mrr_exact"]) - Decimal(told["waiting"]) + Decimal(told["failed"])
    assert exact + Decimal(told["rounding"]) == Decimal(told["mrr"])


def test_mrr_for_people_shows_the_same_sums(synced: Running, terminal: Terminal) -> None:
    everything = json.loads(terminal("mrr", "--mode", "live", "--json"))["all"]

    [line] = [line for line in terminal("mrr", "--mode", "live").splitlines() if line.startswith("all ")]

    number = f"{everything['stripe_customers']:,} {everything['subscriptions']:,} {Decimal(everything['mrr']):,.2f}"
    assert " ".join(line.split()) == f"all {number}"


def test_refresh_reads_customers_fresh_and_says_what_changed(synced: Running, terminal: Terminal) -> None:
    one = StripeCustomer.objects.filter(ambiguous_kind="", customer__mrr__gt=0).order_by("stripe_id")[0]
    subscriptions = StripeSubscription.objects.filter(customer_id=one.stripe_id, live=True)
    for subscription in subscriptions:
        synced.patch("subscriptions", subscription.stripe_id, {"status": "canceled"}, event="none")
    terminal("refresh", "--mode", "live", one.stripe_id)

    assert f"{one.stripe_id}: " in terminal.err
    assert "mrr" in terminal.err
    assert terminal.out == ""


def test_refresh_of_an_unknown_id_says_so_and_reads_the_others(synced: Running, terminal: Terminal) -> None:
    one = StripeCustomer.objects.filter(match_state="matched")[0]
    with pytest.raises(CommandError) as caught:
        terminal("refresh", "--mode", "live", "cus_unheard", one.stripe_id)

    assert "no customer cus_unheard" in str(caught.value)
    assert f"{one.stripe_id}: nothing changed" in terminal.err


def test_poll_reads_what_changed_and_says_so(synced: Running, terminal: Terminal) -> None:
    one = StripeCustomer.objects.filter(match_state="matched", standing="live")[0]
    synced.patch("customers", one.stripe_id, {"name": "Renamed"})
    terminal("poll", "--mode", "live")
    one.refresh_from_db()

    assert one.name == "Renamed"
    assert "1 new events; 1 Stripe customers read" in terminal.err


def test_poll_exits_1_while_something_cannot_be_read(synced: Running, terminal: Terminal) -> None:
    one = StripeCustomer.objects.filter(match_state="matched", standing="live")[0]
    synced.patch("customers", one.stripe_id, {"name": "Renamed"})
    synced.fault("500", f"/v1/customers/{one.stripe_id}", times=0)
    with pytest.raises(CommandError) as caught:
        terminal("poll", "--mode", "live")
    synced.clear_faults()

    assert "1 events could not be dealt with yet" in str(caught.value)


def test_poll_before_any_sync_or_connection_says_what_to_do(stripe: Running, terminal: Terminal) -> None:
    with pytest.raises(CommandError, match="reauthorize"):
        terminal("poll", "--mode", "test")


def test_refresh_exits_1_when_a_record_cannot_be_read(synced: Running, terminal: Terminal) -> None:
    one = StripeSubscription.objects.filter(live=True)[0]
    synced.fault("broken_object", "/v1/subscriptions", query={"customer": one.customer_id})
    with pytest.raises(CommandError) as caught:
        terminal("refresh", "--mode", "live", one.customer_id)

    assert "invalid_response" in str(caught.value)
    assert "invalid_response" in terminal.err


def test_explain_prints_every_line_of_the_receipt(synced: Running, terminal: Terminal) -> None:
    customer = Customer.objects.filter(mrr__gt=0).order_by("pk")[0]
    found: dict[str, Any] = json.loads(terminal("explain", customer.pk, "--json"))

    assert (found["customer"], found["mrr"], found["plan"]) == (customer.pk, f"{customer.mrr:.2f}", customer.plan)
    assert found["payment_status"] == customer.payment_status
    assert found["stripe_customer_id"] == customer.stripe_customer_id
    assert all(one["receipt"]["lines"] for one in found["subscriptions"])
    said = terminal("explain", customer.pk)
    assert customer.name in said
    assert "contributes" in said


def test_explain_of_nobody_is_an_error(terminal: Terminal) -> None:
    with pytest.raises(CommandError):
        terminal("explain", 0, "--json")


# --- the contract of names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["connect", "scope", "set", "sync", "status", "refresh", "calls", "disconnect"])
def test_every_action_but_explain_wants_a_mode(terminal: Terminal, action: str) -> None:
    with pytest.raises(CommandError) as caught:
        terminal(action)

    assert "--mode" in str(caught.value)


@pytest.mark.django_db(transaction=True)
def test_as_a_process_json_is_alone_on_stdout_and_the_exit_code_tells(
    stripe: Running, child_environment: dict[str, str]
) -> None:
    environment = {**child_environment, "STRIPE_API_BASE": stripe.url, "STRIPE_RATE_LIVE": "0", "LOG_LEVEL": "DEBUG"}
    manage = [sys.executable, str(django_settings.BASE_DIR / "manage.py"), "stripe"]

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*manage, *arguments], env=environment, input=stdin, capture_output=True, text=True, timeout=120
        )

    connect = run("connect", "--mode", "live", "--restricted-key-stdin", stdin="rk_live_all")
    sync = run("sync", "--mode", "live", "--json")
    stripe.fault("broken_object", "/v1/subscriptions", query={"status": "all", "limit": "100"}, index=36)
    partial = run("sync", "--mode", "live", "--json")
    unknown = run("connect", "--mode", "live", "--restricted-key-stdin", stdin="rk_live_unheard")

    assert (connect.returncode, connect.stdout) == (0, "")
    assert (sync.returncode, json.loads(sync.stdout)["state"]) == (0, "succeeded")
    assert sync.stdout.count("\n") == 1
    assert (partial.returncode, json.loads(partial.stdout)["state"]) == (1, "partial")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "Traceback" not in unknown.stderr + partial.stderr
    assert "rk_live" not in "".join(one.stderr for one in (connect, sync, partial, unknown))
    assert stripe.requests()["non_get_outside_token_endpoints"] == 0

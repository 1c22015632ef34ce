"""The web around the product: logins, sessions, cookies, headers, forms, error pages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt
from cryptography.fernet import Fernet
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.views.debug import get_exception_reporter_class

from integrations.models import AuditEntry, Mode
from integrations.stripe.api.client import StripeReader
from pivotal.addresses import client_address
from tests.factories import AdminFactory, CustomerFactory, OwnerFactory, StaffFactory, UserFactory
from tests.integrations.stripe.pages.factories import ConnectionFactory, IssueFactory, RunFactory
from tests.security.walking import ROLES, addresses, patterns, signed_in, workspace

pytestmark = pytest.mark.django_db
CHECKOUT = Path(__file__).resolve().parents[2]
PASSWORD = "a long enough password"


def somebody(name: str = "ada") -> None:
    UserFactory(username=name).set_password(PASSWORD)
    user = UserFactory._meta.model.objects.get(username=name)
    user.set_password(PASSWORD)
    user.save()


def log_in(client: Client, name: str = "ada", password: str = PASSWORD, **where: str) -> Any:
    return client.post(reverse("login"), {"username": name, "password": password}, **where)


# --- logins ------------------------------------------------------------------------------------------------------


def test_five_wrong_passwords_pause_the_login_with_a_kind_page(client: Client) -> None:
    somebody()
    for _number in range(4):
        assert log_in(client, password="wrong").status_code == 200
    assert log_in(client, password="wrong").status_code == 429
    response = log_in(client)
    assert response.status_code == 429
    page = response.content.decode()
    assert "paused for 15 minutes" in page
    assert "ask an admin" in page
    assert AuditEntry.objects.filter(action="locked_out", subject="ada").exists()


def test_nobody_locks_somebody_else_out(client: Client) -> None:
    somebody()
    for _number in range(6):
        log_in(client, password="wrong", REMOTE_ADDR="198.51.100.1")
    assert log_in(Client(), REMOTE_ADDR="203.0.113.9").status_code == 302


def test_one_address_tries_thirty_names_in_all(client: Client) -> None:
    somebody()
    for number in range(29):
        assert log_in(client, name=f"name-{number}", password="wrong").status_code == 200
    assert log_in(client, name="name-29", password="wrong").status_code == 429
    assert log_in(client).status_code == 429
    assert log_in(Client(), REMOTE_ADDR="203.0.113.9").status_code == 302


def fail_from_everywhere(name: str = "ada", times: int = 30) -> int:
    """So many failures for one name, each from another address; the last answer."""
    for number in range(times):
        response = log_in(Client(), name, password="wrong", REMOTE_ADDR=f"198.51.100.{number}")
    return int(response.status_code)


def test_many_addresses_try_one_name_thirty_times_in_all(client: Client) -> None:
    somebody()
    assert fail_from_everywhere(times=29) == 200
    assert log_in(Client(), password="wrong", REMOTE_ADDR="203.0.113.1").status_code == 429
    assert log_in(Client(), REMOTE_ADDR="203.0.113.2").status_code == 429


def test_nobody_is_locked_out_of_where_they_have_signed_in(client: Client) -> None:
    somebody()
    office = "203.0.113.9"
    assert log_in(Client(), REMOTE_ADDR=office).status_code == 302
    assert fail_from_everywhere() == 429
    assert log_in(Client(), REMOTE_ADDR=office).status_code == 302
    for number in range(40):  # a colleague's machine in that office
        log_in(Client(), name=f"name-{number}", password="wrong", REMOTE_ADDR=office)
    assert log_in(Client(), REMOTE_ADDR=office).status_code == 302
    for _number in range(5):  # five tries are all there are, there too
        last = log_in(Client(), password="wrong", REMOTE_ADDR=office).status_code
    assert last == 429


def test_a_pause_is_over_after_a_quarter_of_an_hour_even_while_the_attack_goes_on(client: Client) -> None:
    somebody()
    for _number in range(6):
        log_in(client, password="wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert log_in(client).status_code == 302


def test_failures_are_recorded_until_the_pause_and_what_is_nobodys_name_is_not_kept(client: Client) -> None:
    somebody()
    for _number in range(9):
        log_in(client, password="wrong")
    log_in(client, name="my secret password", password="")
    log_in(client, name="my secret password", password="x")
    told = list(AuditEntry.objects.values_list("action", "subject").order_by("pk"))
    assert told == [*[("login_failed", "ada")] * 5, ("locked_out", "ada"), ("login_failed", "")]


def test_a_script_gets_the_same_page_and_no_leave_to_ask_from_anywhere(client: Client) -> None:
    for _number in range(6):
        response = log_in(client, password="wrong", HTTP_X_REQUESTED_WITH="XMLHttpRequest")
    assert response.status_code == 429
    assert "Access-Control-Allow-Origin" not in response.headers


def test_a_right_password_starts_the_count_anew(client: Client) -> None:
    somebody()
    for _number in range(2):
        for _wrong in range(4):
            log_in(client, password="wrong")
        assert log_in(client).status_code == 302


def test_an_unknown_name_is_answered_like_a_wrong_password(client: Client) -> None:
    somebody()
    known = log_in(client, password="wrong").content.decode()
    unknown = log_in(client, name="eve", password="wrong").content.decode()
    token = re.compile(r'csrfmiddlewaretoken" value="\w+"')
    assert token.sub("", known) == token.sub("", unknown).replace('value="eve"', 'value="ada"')


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "expected"),
    [
        (False, "", "192.0.2.1"),
        (False, "203.0.113.7", "192.0.2.1"),
        (True, "203.0.113.7", "203.0.113.7"),
        (True, "10.9.9.9, 203.0.113.7", "203.0.113.7"),
        (True, "nonsense", "192.0.2.1"),
        (True, "", "192.0.2.1"),
    ],
)
def test_a_visitor_cannot_choose_the_address_that_is_counted(
    settings: Any, behind_proxy: bool, forwarded: str, expected: str
) -> None:
    settings.BEHIND_PROXY = behind_proxy
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == expected


def test_a_login_never_goes_on_with_the_session_it_was_given(client: Client) -> None:
    somebody()
    client.get(reverse("customers:list"))
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before
    log_in(client)
    assert client.cookies["sessionid"].value != before
    assert Client().session.session_key != client.cookies["sessionid"].value


def test_logging_out_ends_the_session_on_the_server(client: Client) -> None:
    somebody()
    log_in(client)
    kept = client.cookies["sessionid"].value
    client.post(reverse("logout"))
    again = Client()
    again.cookies["sessionid"] = kept
    assert again.get(reverse("customers:list")).status_code == 302


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "https:evil.example", "/\\evil.example"])
def test_no_login_leads_to_another_site(client: Client, target: str) -> None:
    somebody()
    response = client.post(reverse("login"), {"username": "ada", "password": PASSWORD, "next": target})
    assert response["Location"] == reverse("customers:list")
    client.force_login(StaffFactory())
    assert client.get(reverse("admin:login"), {"next": target})["Location"] == reverse("admin:index")


def test_retrying_a_record_never_leads_to_another_site(client: Client) -> None:
    client.force_login(StaffFactory())
    issue = IssueFactory(connection=ConnectionFactory(state="disconnected"))
    url = reverse("stripe:issue_retry", args=["live", issue.pk])
    response = client.post(url, {"next": "https://evil.example/"}, HTTP_REFERER="https://evil.example/")
    assert response["Location"].startswith("/")


def test_a_password_needs_twelve_characters_and_is_no_common_one() -> None:
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    for password in ("short1!", "password1234", "123456789012"):
        with pytest.raises(ValidationError):
            validate_password(password)
    validate_password(PASSWORD)


# --- who may what -------------------------------------------------------------------------------------------------


def test_a_stranger_gets_nothing_but_the_login(client: Client) -> None:
    known = workspace()
    open_to_all = {reverse("login"), reverse("healthz"), reverse("readyz"), "/styleguide/"}
    for address in addresses(known):
        if address not in open_to_all:
            response = client.get(address)
            assert response.status_code in (302, 403, 404, 405), address
            assert response.status_code != 302 or response["Location"].startswith(
                ("/login/", "/admin/login/", "/customers/")
            )


OF_STAFF = (
    "/issues/",
    "/attempts/",
    "/ambiguous/",
    "/decisions/",
    "/unmatched/",
    "/skipped/",
    "/link/",
    "/create-customers/",
    "/ignore/",
    "/jobs/",
)
"""Addresses below which staff retry records and decide matches."""


@pytest.mark.parametrize("role", ["nobody", "member", "staff"])
def test_those_who_may_not_connect_change_nothing_by_any_post(role: str) -> None:
    known = workspace()
    client = signed_in(role)
    for address in addresses(known):
        if address.startswith("/admin/integrations/stripe/"):
            response = client.post(address)
            staffs_work = role == "staff" and any(part in address for part in OF_STAFF)
            assert staffs_work or response.status_code in (302, 403, 404, 405), address
            if response.status_code == 302 and not staffs_work:
                assert "/login/" in response["Location"], address


def test_a_row_of_one_mode_is_not_found_under_the_other(client: Client) -> None:
    client.force_login(OwnerFactory())
    live, test = ConnectionFactory(), ConnectionFactory(mode=Mode.TEST, account_id="acct_2")
    run, issue = RunFactory(connection=live), IssueFactory(connection=live)
    assert client.get(reverse("stripe:run_detail", args=["test", run.pk])).status_code == 404
    assert client.post(reverse("stripe:run_cancel", args=["test", run.pk])).status_code == 404
    assert client.post(reverse("stripe:issue_retry", args=["test", issue.pk])).status_code == 404
    assert test.runs.count() == 0


def test_a_member_with_only_their_own_finds_no_other_customer_anywhere(client: Client, settings: Any) -> None:
    settings.DEFAULT_ACCESS = "assigned"
    known = workspace()
    client.force_login(UserFactory())
    for route, pattern in patterns():
        if "customer_id" in route and pattern.name:
            for address in (each for each in addresses(known) if f"customers/{known['customer_id']}" in each):
                assert client.get(address).status_code in (403, 404, 405), address
                assert client.post(address).status_code in (403, 404, 405), address


def test_nobody_writes_a_schedule_in_admin(client: Client) -> None:
    """A schedule names any function there is: whoever writes one runs code."""
    client.force_login(OwnerFactory())
    form = {"name": "x", "func": "os.system", "args": "'id'", "schedule_type": "O", "repeats": 1}
    assert client.post(reverse("admin:django_q_schedule_add"), form).status_code == 403
    for name in ("schedule", "failure", "success", "ormq"):
        assert client.get(reverse(f"admin:django_q_{name}_changelist")).status_code == 200
        assert client.get(reverse(f"admin:django_q_{name}_add")).status_code == 403


# --- forms, headers, cookies ------------------------------------------------------------------------------------------


def test_no_address_takes_a_form_of_another_site() -> None:
    known = workspace()
    client = Client(enforce_csrf_checks=True)
    client.force_login(OwnerFactory())
    exempt = {pattern.name for _route, pattern in patterns() if getattr(pattern.callback, "csrf_exempt", False)}
    assert exempt <= {"webhook", "account_webhook"}  # signed instead
    for address in addresses(known):
        if "webhook" not in address:
            response = client.post(address, {"post": "yes"})
            assert response.status_code in (403, 404, 405), address


def test_every_answer_carries_the_headers_that_hold_a_browser_back() -> None:
    known = workspace()
    for role in ROLES:
        client = signed_in(role)
        for address in addresses(known):
            response = client.get(address)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                policy = response["Content-Security-Policy"]
                assert "default-src 'self'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "object-src 'none'" in policy
                assert "unsafe" not in policy
                assert response["X-Frame-Options"] == "DENY"
            assert response["X-Content-Type-Options"] == "nosniff"
            assert response["Referrer-Policy"] == "same-origin"
            assert response["Cross-Origin-Opener-Policy"] == "same-origin"
            assert "no-store" in response["Cache-Control"], address


def test_a_form_may_lead_to_stripes_consent_page_and_nowhere_else(client: Client) -> None:
    client.force_login(AdminFactory())
    policy = client.get(reverse("stripe:integration"))["Content-Security-Policy"]
    targets = re.search(r"form-action ([^;]+)", policy)
    assert targets is not None
    for origin in targets[1].split():
        assert origin == "'self'" or origin.endswith((".stripe.com", "127.0.0.1:9")) or "127.0.0.1" in origin


def production(**environment: str) -> dict[str, str]:
    """An environment as in production."""
    return {
        **os.environ,
        "DEBUG": "false",
        "DATABASE_URL": "postgresql://localhost/pivotal",
        "SECRET_KEY": "x9" * 30,
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ALLOWED_HOSTS": "pivotal.example.com",
        "PUBLIC_BASE_URL": "https://pivotal.example.com",
        **environment,
    }


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, CHECKOUT / "manage.py", *arguments],
        env=production(**environment),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_deployment_check_has_no_warning() -> None:
    secret = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    answer = manage("check", "--deploy", "--fail-level", "WARNING", SECRET_KEY=secret)
    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("SECRET_KEY", "change-me"),
        ("SECRET_KEY", ""),
        ("FIELD_ENCRYPTION_KEYS", ""),
        ("FIELD_ENCRYPTION_KEYS", "not-a-fernet-key"),
        ("DATABASE_URL", ""),
        ("METRICS_TOKEN", "secret"),
    ],
)
def test_production_does_not_start_with_a_default(setting: str, value: str) -> None:
    answer = manage("check", **{setting: value})
    assert answer.returncode == 1
    assert setting in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_cookies_and_transport_are_for_https_only_in_production() -> None:
    names = (
        "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD",
    )  # fmt: skip
    script = f"from django.conf import settings as s; print(*[getattr(s, n) for n in {names}])"
    script += "; print(s.SESSION_COOKIE_SAMESITE, s.CSRF_COOKIE_SAMESITE, s.SECURE_HSTS_SECONDS, s.SESSION_COOKIE_AGE)"
    answer = manage("shell", "-v", "0", "-c", script)
    assert answer.stdout.split() == ["True"] * 6 + ["Lax", "Lax", "31536000", "43200"], answer.stderr


# --- where requests of ours go, and what leaks ---------------------------------------------------------------------


def test_no_view_and_no_form_takes_an_address_to_call() -> None:
    """Base addresses come from the settings alone: nothing that arrives by the web is ever fetched."""
    for _route, pattern in patterns():
        assert isinstance(pattern, URLPattern)
    sources = [*CHECKOUT.glob("integrations/**/*.py"), *CHECKOUT.glob("customers/**/*.py")]
    calling = {
        path.relative_to(CHECKOUT).as_posix()
        for path in sources
        if re.search(r"\brequests\.(get|post|Session|request)|urlopen|httpx|OAuth2Session\(", path.read_text())
    }
    wire = {
        "integrations/stripe/api/oauth.py",
        "integrations/stripe/api/token_endpoint.py",
        "integrations/stripe/api/transport.py",
    }
    assert calling <= wire | {"integrations/stripe/sync/ecb.py"}


def test_an_id_cannot_lead_a_request_anywhere_else() -> None:
    from integrations.stripe.api.query import object_path

    for hostile in ("../../evil", "cus_1?x=1", "cus_1/../../v1/charges", "//evil.example", "cus_1#x"):
        path = object_path("customers", hostile)
        assert path.startswith("/v1/customers/")
        assert path.count("/") == 3
        assert "?" not in path
        assert "#" not in path


def test_a_base_address_that_is_not_https_is_refused_by_the_reader(settings: Any) -> None:
    from django.core.exceptions import ImproperlyConfigured

    from integrations.stripe.api.factory import reader_for

    settings.STRIPE_API_BASE = "http://169.254.169.254"
    with pytest.raises(ImproperlyConfigured):
        reader_for("live", "rk_live_1")
    assert StripeReader  # the one class that reads


def test_the_debug_page_hides_keys_and_tokens(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = True  # and the page shows this source, so every secret is made here
    made = {name: name * 3 for name in ("setting", "posted", "framed", "raised")}
    settings.STRIPE_SECRET_KEY_LIVE = f"sk_live_{made['setting']}"
    request = RequestFactory().post("/x", {"key": f"rk_live_{made['posted']}", "name": "fine"})
    request.sensitive_post_parameters = ["key"]  # type: ignore[attr-defined]  # as the view's decorator does
    access_token = made["framed"]
    del made
    try:
        raise ValueError(f"with {len(access_token)} characters and rk_live_{'raised' * 3}")
    except ValueError:
        reporter = get_exception_reporter_class(request)(request, *sys.exc_info())
    for text in (reporter.get_traceback_html(), reporter.get_traceback_text()):
        for name in ("setting", "posted", "framed", "raised"):
            assert name * 3 not in text
        assert settings.SECRET_KEY not in text
    assert settings.FIELD_ENCRYPTION_KEYS[0] not in reporter.get_traceback_html()


def test_a_server_error_in_production_says_nothing_about_itself(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DEBUG = False
    client = Client(raise_request_exception=False)
    client.force_login(OwnerFactory())

    def fail(*args: Any, **kwargs: Any) -> None:
        raise ValueError("rk_live_verysecret of ada@acme.com")

    monkeypatch.setattr("customers.presenters.rows", fail)
    CustomerFactory()
    response = client.get(reverse("customers:list"))
    assert response.status_code == 500
    page = response.content.decode()
    for leak in ("verysecret", "acme.com", "ValueError", "Traceback"):
        assert leak not in page


def test_the_styleguide_and_debug_addresses_are_not_routed_in_production() -> None:
    script = "from django.urls import get_resolver as r; print([getattr(p, 'name', '') for p in r().url_patterns])"
    answer = manage("shell", "-v", "0", "-c", script)
    assert "healthz" in answer.stdout
    assert "styleguide" not in answer.stdout

"""Stripe's deliveries: a signature is the only way in, and whatever is wrong has a reason and a status of its own."""

from __future__ import annotations

import io
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings
from stripe import WebhookSignature

from integrations.models import Attempt, StripeConnection, StripeEvent
from integrations.stripe.pages.views.webhooks import MOST_BYTES
from tests.factories import StripeConnectionFactory
from tests.fuzz.values import CASES
from tests.integrations.stripe.api.test_events import event

pytestmark = pytest.mark.django_db

APP = "whsec_app"
OWN = "whsec_own"


@pytest.fixture
def connection(settings: Settings) -> StripeConnection:
    """A live connection, an app endpoint for live and test, and an endpoint of the account's own."""
    settings.STRIPE_WEBHOOK_SECRET_LIVE = settings.STRIPE_WEBHOOK_SECRET_TEST = APP
    return StripeConnectionFactory(account_id="acct_1", webhook_secret=OWN)


def post(
    body: bytes, *, secret: str = APP, mode: str = "live", own: bool = False, seconds_off: float = 0, **headers: Any
) -> HttpResponse:
    """A delivery as Stripe makes it: a stranger without cookies, CSRF checks on; signed ``seconds_off`` from now."""
    moment = int(time.time() + seconds_off)
    signature = WebhookSignature.generate_signature_header(body.decode("utf-8", "replace"), secret, moment)
    url = reverse("stripe:account_webhook" if own else "stripe:webhook", args=[mode])
    sent = {"Stripe-Signature": signature, **headers}
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    return client.post(url, body, content_type="application/json", headers=sent)


def said(response: HttpResponse) -> tuple[int, str]:
    return response.status_code, json.loads(response.content)["done"]


def test_a_delivery_is_kept_as_a_hint_and_wakes_one_drain(
    connection: StripeConnection, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = post(event(account="acct_1"))

    kept = StripeEvent.objects.get()
    assert said(response) == (200, "received")
    assert (kept.event_id, kept.stripe_customer_id, kept.state, kept.source) == ("evt_1", "cus_1", "waiting", "webhook")
    assert OrmQ.objects.count() == 1
    connection.refresh_from_db()
    assert connection.webhook_at is not None


def test_many_deliveries_queue_one_drain(connection: StripeConnection, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(25):
            assert said(post(event(id=f"evt_{number}", account="acct_1"))) == (200, "received")

    assert StripeEvent.objects.count() == 25
    assert OrmQ.objects.count() == 1


def test_the_same_event_counts_once(connection: StripeConnection) -> None:
    answers = [said(post(event(account="acct_1"))) for _time in range(10)]
    answers.append(said(post(event(), secret=OWN, own=True)))

    assert answers == [(200, "received"), *[(200, "known")] * 10]
    assert StripeEvent.objects.count() == 1


def test_an_account_endpoint_has_secrets_of_its_own(connection: StripeConnection) -> None:
    assert said(post(event(), secret=OWN, own=True)) == (200, "received")
    assert said(post(event(id="evt_2"), secret=APP, own=True)) == (400, "signature_invalid")
    assert said(post(event(id="evt_2", account="acct_1"), secret=OWN)) == (400, "signature_invalid")


@pytest.mark.parametrize("own", [True, False])
def test_two_secrets_are_taken_while_one_is_rotated(
    connection: StripeConnection, settings: Settings, own: bool
) -> None:
    settings.STRIPE_WEBHOOK_SECRET_LIVE = "whsec_old, whsec_new"
    StripeConnection.objects.update(webhook_secret="whsec_old", webhook_secret_next="whsec_new")
    connection.webhook_secret, connection.webhook_secret_next = "whsec_old", "whsec_new"
    connection.save()
    answers = [
        said(post(event(id=f"evt_{secret}", account="acct_1"), secret=secret, own=own))
        for secret in ("whsec_old", "whsec_new")
    ]

    assert answers == [(200, "received")] * 2


def test_consent_being_given_is_nobodys_mistake(connection: StripeConnection) -> None:
    StripeConnection.objects.update(state="disconnected", account_id="")
    body = event(account="acct_1", type="account.application.authorized")

    assert said(post(body)) == (200, "ignored")
    assert not Attempt.objects.exists()
    assert said(post(body, secret="whsec_forged")) == (400, "signature_invalid")


@pytest.mark.parametrize("seconds", [-290, 290])
def test_clocks_may_differ_a_little(connection: StripeConnection, seconds: int) -> None:
    assert said(post(event(account="acct_1"), seconds_off=seconds)) == (200, "received")


@pytest.mark.parametrize(
    ("body", "options", "expected"),
    [
        (event(account="acct_1"), {"secret": "whsec_forged"}, (400, "signature_invalid")),
        (event(account="acct_1"), {"seconds_off": -400}, (400, "signature_invalid")),
        (event(account="acct_1"), {"seconds_off": 400}, (400, "signature_invalid")),
        (event(account="acct_1"), {"Stripe-Signature": ""}, (400, "signature_invalid")),
        (b"{no json", {}, (400, "invalid_response")),
        (b'{"object":"event"}', {}, (400, "invalid_response")),
        (b'{"id":"evt_1","object":"v2.core.event"}', {}, (400, "invalid_response")),
        (event(account="acct_1", livemode=False), {}, (422, "wrong_mode")),
        (event(account="acct_1"), {"mode": "test"}, (422, "wrong_mode")),
        (event(account="acct_other"), {}, (404, "wrong_account")),
        (event(), {}, (404, "wrong_account")),
        (event(account="acct_other"), {"secret": OWN, "own": True}, (404, "wrong_account")),
        (event(livemode=False), {"mode": "test", "own": True}, (404, "not_configured")),
        (b" " * (MOST_BYTES + 1), {}, (413, "too_large")),
    ],
    ids=range(14),
)
def test_what_is_wrong_has_its_own_status_and_reason(
    connection: StripeConnection, body: bytes, options: dict[str, Any], expected: tuple[int, str]
) -> None:
    response = post(body, **options)

    assert said(response) == expected
    assert json.loads(response.content)["reason"]
    assert not StripeEvent.objects.exists()


def test_a_body_whose_length_is_a_lie_is_read_no_further_than_the_limit(connection: StripeConnection) -> None:
    response = post(event(account="acct_1"), CONTENT_LENGTH=str(MOST_BYTES * 2))

    assert response.status_code in (200, 413)


def test_only_a_post_is_answered(client: Client, connection: StripeConnection) -> None:
    url = reverse("stripe:webhook", args=["live"])

    assert [client.get(url).status_code, client.put(url).status_code] == [405, 405]


def test_a_type_that_changes_nothing_is_ignored(connection: StripeConnection) -> None:
    assert said(post(event("charge.succeeded", account="acct_1"))) == (200, "ignored")
    assert not StripeEvent.objects.exists()
    connection.refresh_from_db()
    assert connection.webhook_at is not None


def test_a_disconnected_account_is_no_account_of_ours(connection: StripeConnection) -> None:
    StripeConnection.objects.update(state="disconnected")

    assert said(post(event(account="acct_1"))) == (404, "wrong_account")


def test_what_arrives_while_access_is_over_waits(connection: StripeConnection) -> None:
    StripeConnection.objects.update(state="reauthorize")

    assert said(post(event(account="acct_1"))) == (200, "received")
    assert not OrmQ.objects.exists()


def test_access_that_was_ended_in_stripe_disconnects(connection: StripeConnection) -> None:
    StripeConnection.objects.update(access_token="secret")
    ended = {"object": "application", "id": "ca_1"}
    now = int(time.time())
    response = post(event("account.application.deauthorized", account="acct_1", object=ended, created=now))

    connection.refresh_from_db()
    assert response.status_code == 200
    assert (connection.state, connection.access_token) == ("disconnected", "")
    assert "ended in Stripe" in connection.state_reason


def test_an_end_of_access_from_before_we_connected_again_is_old_news(connection: StripeConnection) -> None:
    StripeConnection.objects.update(connected_at=timezone.now())
    ended = {"object": "application", "id": "ca_1"}
    then = int(time.time()) - 86_400
    post(event("account.application.deauthorized", account="acct_1", object=ended, created=then))

    connection.refresh_from_db()
    assert connection.state == "connected"


def test_a_flood_of_forgeries_is_one_row_a_minute(connection: StripeConnection) -> None:
    for _number in range(30):
        post(event(account="acct_1"), secret="whsec_forged")
    post(event(account="acct_other"))

    rows = list(Attempt.objects.order_by("id").values_list("kind", "state", "error_code", "events"))
    assert rows == [("webhook", "failed", "signature_invalid", 30), ("webhook", "failed", "wrong_account", 1)]
    connection.refresh_from_db()
    assert connection.webhook_rejected_at is not None

    Attempt.objects.update(started_at=timezone.now() - timedelta(minutes=2))
    post(event(account="acct_1"), secret="whsec_forged")
    assert Attempt.objects.filter(error_code="signature_invalid").count() == 2


class CutShort(io.BytesIO):
    """A connection that ends in the middle of a body, with an error as some servers have it."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError("connection reset")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CONTENT_LENGTH": str(MOST_BYTES + 1)}, (413, "too_large")),
        ({"wsgi.input": CutShort(), "CONTENT_LENGTH": "100"}, (400, "cut_short")),
        ({"wsgi.input": io.BytesIO(b'{"id":'), "CONTENT_LENGTH": "100"}, (400, "cut_short")),
    ],
    ids=["too large", "reset", "ended early"],
)
@pytest.mark.parametrize("own", [True, False])
def test_a_body_that_is_not_there_to_be_checked_is_one_row_a_minute_too(
    connection: StripeConnection, environment: dict[str, Any], expected: tuple[int, str], own: bool
) -> None:
    url = reverse("stripe:account_webhook" if own else "stripe:webhook", args=["live"])
    answers = [Client().post(url, b"", content_type="application/json", **environment) for _number in range(30)]

    assert {said(answer) for answer in answers} == {expected}
    rows = list(Attempt.objects.values_list("kind", "state", "error_code", "events"))
    assert rows == [("webhook", "failed", expected[1], 30)]
    connection.refresh_from_db()
    assert connection.webhook_rejected_at is not None


def statements(*, expected: int, **options: Any) -> None:
    """Count what one delivery asks the database, transactions aside."""
    with CaptureQueriesContext(database) as captured:
        assert post(**options).status_code == expected
    asked = [one["sql"] for one in captured if not one["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(asked) <= 4, asked


def test_a_delivery_costs_few_statements(connection: StripeConnection, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        statements(expected=200, body=event(account="acct_1"))
    statements(expected=200, body=event(account="acct_1"))
    statements(expected=200, body=event(id="evt_2", account="acct_1"))
    statements(expected=200, body=event("charge.succeeded", account="acct_1"))
    statements(expected=200, body=event(id="evt_3"), secret=OWN, own=True)
    statements(expected=400, body=event(account="acct_1"), secret="whsec_forged")
    statements(expected=400, body=event(account="acct_1"), secret="whsec_forged")


def test_a_busy_endpoint_asks_three_times_a_delivery(connection: StripeConnection) -> None:
    post(event(account="acct_1"))  # wakes the drain that those behind it find woken
    with CaptureQueriesContext(database) as captured:
        assert said(post(event(id="evt_2"), secret=OWN, own=True)) == (200, "received")
    assert len(captured) == 3, captured.captured_queries


def test_a_delivery_meets_nothing_that_serves_people(connection: StripeConnection, settings: Settings) -> None:
    behind = settings.MIDDLEWARE.index("pivotal.deliveries.DeliveriesMiddleware") + 1
    assert "django.contrib.sessions.middleware.SessionMiddleware" in settings.MIDDLEWARE[behind:]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:behind], f"{__name__}.never"]

    response = post(event(account="acct_1"))
    assert said(response) == (200, "received")
    assert response.headers["X-Request-ID"]


def never(get_response: Any) -> Any:
    """A middleware that no delivery may reach."""

    def refuse(request: Any) -> HttpResponse:
        raise AssertionError(request.path)

    return refuse


def test_a_delivery_to_a_host_that_is_not_ours_is_refused(connection: StripeConnection) -> None:
    assert post(event(account="acct_1"), Host="elsewhere.example").status_code == 400
    assert not StripeEvent.objects.exists()


def test_secrets_that_no_key_opens_are_our_trouble_and_stripe_comes_again(connection: StripeConnection) -> None:
    with database.cursor() as cursor:
        cursor.execute("UPDATE integrations_stripeconnection SET webhook_secret = 'garbage'")

    assert said(post(event(), secret=OWN, own=True)) == (503, "not_configured")
    assert said(post(event(account="acct_1"))) == (200, "received")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
odd_events = st.fixed_dictionaries(
    {},
    optional={
        name: json_values | st.sampled_from(["event", "v2.core.event", "customer.updated", "acct_1", "price.updated"])
        for name in ("id", "object", "type", "created", "livemode", "account", "data")
    },
).map(lambda value: json.dumps(value).encode())


@hypothesis_settings(
    max_examples=max(150, CASES), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=80) | odd_events | json_values.map(lambda one: event(object=one, account="acct_1")))
def test_no_body_whatever_is_an_error_of_ours(connection: StripeConnection, body: bytes) -> None:
    assert post(body).status_code in (200, 400, 404, 413, 422)
    assert post(body, secret="whsec_forged").status_code == 400

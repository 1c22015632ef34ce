"""The reader: what it repeats, what it gives up, and what it tells."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from integrations.errors import IntegrationError
from integrations.stripe.api.failures import CursorGone, PermissionMissing, TimedOut
from integrations.stripe.api.governor import Governor
from integrations.stripe.api.objects import Customer, Page
from tests.integrations.stripe.api.factories import KEY, Clock, reading
from tests.integrations.stripe.api.server import Answer, Request, error, page, serving

GOOD = Answer({"id": "cus_1", "object": "customer", "email": "a@b.co"}, headers={"Request-Id": "req_9"})
HTML = b"<html><body>Sign in to the network</body></html>"


def test_an_object_comes_decoded() -> None:
    with serving([GOOD]) as server, reading(server.url) as watched:
        assert watched.reader.get_object("/v1/customers/cus_1", None, Customer) == Customer(id="cus_1", email="a@b.co")


def test_a_page_comes_with_its_objects_undecoded() -> None:
    with serving([page({"id": 7}, {"id": "b"}, has_more=True)]) as server, reading(server.url) as watched:
        answer = watched.reader.get_page("/v1/customers", {"limit": 2})

    assert [bytes(raw) for raw in answer.data] == [b'{"id": 7}', b'{"id": "b"}']
    assert answer.has_more


@pytest.mark.parametrize(
    ("bad", "pauses"),
    [
        pytest.param(error(500), [1.0], id="500"),
        pytest.param(error(503), [1.0], id="503"),
        pytest.param(Answer(HTML, 502), [1.0], id="html 502"),
        pytest.param(Answer(HTML, 200), [1.0], id="html 200"),
        pytest.param(Answer(HTML, 403), [1.0], id="html 403 of a proxy"),
        pytest.param(error(409, "lock_timeout"), [1.0], id="409"),
        pytest.param(error(429), [1.0], id="429"),
        pytest.param(Answer(HTML, 429), [1.0], id="html 429"),
        pytest.param(error(429, Retry_After="7"), [8.0], id="429 with Retry-After"),
        pytest.param(Answer({"id": "cus_1", "pad": "x" * 200}, fault="truncated"), [1.0], id="truncated"),
        pytest.param(Answer({"id": "cus_1", "pad": "x" * 200}, fault="reset"), [1.0], id="reset"),
        pytest.param(Answer(b'{"id": "cus_1", "pad'), [1.0], id="cut JSON"),
        pytest.param(Answer(b""), [1.0], id="empty"),
    ],
)
def test_a_passing_trouble_is_waited_out(bad: Answer, pauses: list[float]) -> None:
    with serving([bad, GOOD]) as server, reading(server.url) as watched:
        assert watched.reader.get("/v1/customers/cus_1") == GOOD.content

    assert watched.pauses == pauses
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("bad", "code", "tries"),
    [
        pytest.param(error(500), "stripe_unavailable", 4, id="500"),
        pytest.param(error(429), "rate_limited", 4, id="429"),
        pytest.param(Answer(HTML, 200), "invalid_response", 3, id="html"),
        pytest.param(Answer(HTML, 302), "stripe_unavailable", 3, id="redirect to a sign-in page"),
        pytest.param(Answer({"pad": "x" * 200}, fault="truncated"), "invalid_response", 3, id="truncated"),
        pytest.param(Answer({"pad": "x" * 200}, fault="reset"), "stripe_unavailable", 4, id="reset"),
        pytest.param(error(400, "parameter_unknown"), "invalid_response", 1, id="400"),
        pytest.param(error(401), "reauthorize", 1, id="401"),
        pytest.param(error(403, "account_invalid"), "reauthorize", 1, id="uninstalled"),
        pytest.param(error(403, "platform_api_key_expired"), "reauthorize", 1, id="expired"),
        pytest.param(error(404, "resource_missing"), "record_gone", 1, id="gone"),
        pytest.param(error(400, "resource_missing", param="customer"), "record_gone", 1, id="gone filter"),
        pytest.param(error(404), "invalid_response", 1, id="no such address"),
    ],
)
def test_a_lasting_trouble_has_its_code_and_its_number_of_tries(bad: Answer, code: str, tries: int) -> None:
    with serving([bad]) as server, reading(server.url) as watched, pytest.raises(IntegrationError) as caught:
        watched.reader.get("/v1/customers/cus_1")

    assert caught.value.code == code
    assert len(server.requests) == tries


def test_no_answer_in_time_is_told_apart() -> None:
    with (
        serving([Answer(fault="silent")]) as server,
        reading(server.url, tries=2, timeout=(1, 0.1)) as watched,
        pytest.raises(TimedOut) as caught,
    ):
        watched.reader.get("/v1/customers")

    assert caught.value.code == "stripe_unavailable"
    assert len(server.requests) == 2


def test_a_caller_may_have_a_timeout_told_at_once() -> None:
    with (
        serving([Answer(fault="silent")]) as server,
        reading(server.url, timeout=(1, 0.1)) as watched,
        pytest.raises(TimedOut),
    ):
        watched.reader.get_page("/v1/customers", timeout_tries=1)

    assert len(server.requests) == 1


def test_pauses_double_up_to_the_cap() -> None:
    with serving([error(500)]) as server, reading(server.url, tries=8) as watched, pytest.raises(IntegrationError):
        watched.reader.get("/v1/customers")

    assert watched.pauses == [1, 2, 4, 8, 16, 32, 32]


def test_a_wait_longer_than_our_patience_is_left_to_the_caller() -> None:
    with (
        serving([error(429, Retry_After="3600")]) as server,
        reading(server.url) as watched,
        pytest.raises(IntegrationError) as caught,
    ):
        watched.reader.get("/v1/customers")

    assert caught.value.code == "rate_limited"
    assert caught.value.retry_after == 3600
    assert watched.pauses == []


def test_a_429_slows_the_governor_down() -> None:
    clock = Clock()
    governor = Governor(0, 0, clock=clock, sleep=clock.sleep)
    answer = error(429, Stripe_Rate_Limited_Reason="endpoint-rate", Retry_After="2")
    with serving([answer, GOOD]) as server, reading(server.url, governor=governor) as watched:
        watched.reader.get("/v1/customers")

    assert governor.slowed_until is not None
    assert clock.slept == [2.0]


def test_a_locked_object_slows_nothing_down() -> None:
    governor = Governor(0, 0)
    with serving([error(429, "lock_timeout"), GOOD]) as server, reading(server.url, governor=governor) as watched:
        watched.reader.get("/v1/customers")

    assert governor.slowed_until is None


@pytest.mark.parametrize(
    ("message", "slug"),
    [
        (
            "The provided key 'rk_test_***x' does not have the required permissions for this endpoint on account "
            "'acct_1'. Having the 'rak_subscription_read' permission would allow this request to continue.",
            "subscription_read",
        ),
        ("This application needs coupon_read.", "coupon_read"),
        ("No.", ""),
    ],
)
def test_a_missing_permission_is_named(message: str, slug: str) -> None:
    with (
        serving([error(403, "", message)]) as server,
        reading(server.url) as watched,
        pytest.raises(PermissionMissing) as caught,
    ):
        watched.reader.get("/v1/subscriptions")

    assert caught.value.slug == slug
    assert caught.value.code == "permission_missing"


def test_a_cursor_that_is_gone_is_recognised() -> None:
    answer = error(400, "resource_missing", "No such subscription: 'sub_1'", param="starting_after")
    with serving([answer]) as server, reading(server.url) as watched, pytest.raises(CursorGone):
        watched.reader.get_page("/v1/subscriptions", {"starting_after": "sub_1"})


def test_an_answer_that_is_no_list_is_not_asked_for_again() -> None:
    with (
        serving([Answer({"object": "customer"})]) as server,
        reading(server.url) as watched,
        pytest.raises(IntegrationError) as caught,
    ):
        watched.reader.get_page("/v1/customers")

    assert caught.value.code == "invalid_response"
    assert len(server.requests) == 1


def test_a_token_that_was_renewed_meanwhile_is_used_for_one_more_try() -> None:
    tokens = ["rk_test_old", "rk_test_new", "rk_test_new"]

    def respond(request: Request) -> Answer:
        old = request.headers["Authorization"] == "Bearer rk_test_old"
        return error(403, "platform_api_key_expired") if old else GOOD

    with serving(respond) as server, reading(server.url, lambda: tokens.pop(0)) as watched:
        assert watched.reader.get("/v1/customers/cus_1") == GOOD.content


def test_a_token_that_is_refused_twice_needs_a_person() -> None:
    count = iter(range(100))
    with (
        serving([error(401)]) as server,
        reading(server.url, lambda: f"rk_test_{next(count)}") as watched,
        pytest.raises(IntegrationError) as caught,
    ):
        watched.reader.get("/v1/customers")

    assert caught.value.code == "reauthorize"
    assert len(server.requests) == 2


def test_every_try_is_reported_as_a_call() -> None:
    before = datetime.now(UTC)
    answers = [error(404, "resource_missing", Request_Id="req_1"), GOOD]
    with serving(answers) as server, reading(server.url) as watched:
        with pytest.raises(IntegrationError):
            watched.reader.get("/v1/customers/cus_0")
        watched.reader.get(
            "/v1/customers/cus_1", {"expand": ["a", "b"], "created": {"gte": 5}, "live": True, "x": None}
        )

    failed, succeeded = watched.calls
    assert (failed.method, failed.status, failed.request_id) == ("GET", 404, "req_1")
    assert failed.error_code == "resource_missing"
    assert (succeeded.status, succeeded.request_id, succeeded.error_code) == (200, "req_9", "")
    assert succeeded.path == "/v1/customers/cus_1?expand[]=a&expand[]=b&created[gte]=5&live=true"
    assert succeeded.path == unquote(server.requests[1].target)
    assert before <= failed.at <= succeeded.at
    assert watched.reader.sent_at == succeeded.at


def test_a_call_without_an_answer_has_status_0() -> None:
    with (
        serving([Answer(fault="silent")]) as server,
        reading(server.url, tries=1, timeout=(1, 0.1)) as watched,
        pytest.raises(TimedOut),
    ):
        watched.reader.get("/v1/customers")

    assert [(call.status, call.error_code) for call in watched.calls] == [(0, "stripe_unavailable")]


def test_no_secret_gets_into_errors_calls_or_our_log(caplog: pytest.LogCaptureFixture) -> None:
    message = f"Invalid API Key provided: {KEY}"
    with (
        caplog.at_level(logging.DEBUG),
        serving([error(500, "", message)]) as server,
        reading(server.url) as watched,
        pytest.raises(IntegrationError) as caught,
    ):
        watched.reader.get("/v1/customers", {"email": KEY})

    told = [caught.value.answer, caught.value.message, repr(caught.value), *(call.path for call in watched.calls)]
    told += [record.getMessage() for record in caplog.records if record.name.startswith("integrations")]
    assert "Invalid API Key provided" in caught.value.answer
    assert [text for text in told if "SECRET" in text] == []
    assert caught.value.__context__ is None


def test_an_answer_kept_for_a_person_is_short_and_storable() -> None:
    with (
        serving([Answer(b"<p>\x00" + b"x" * 100_000, 400)]) as server,
        reading(server.url) as watched,
        pytest.raises(IntegrationError) as caught,
    ):
        watched.reader.get("/v1/customers")

    assert len(caught.value.answer) <= 2000
    assert "\x00" not in caught.value.answer


def test_several_threads_read_at_once() -> None:
    def respond(request: Request) -> Answer:
        return page({"id": request.query["starting_after"][0]})

    with serving(respond) as server, reading(server.url) as watched, ThreadPoolExecutor(6) as pool:

        def read(number: int) -> Page:
            return watched.reader.get_page("/v1/customers", {"starting_after": f"cus_{number}"})

        pages = list(pool.map(read, range(60)))

    assert [bytes(answer.data[0]) for answer in pages] == [f'{{"id": "cus_{number}"}}'.encode() for number in range(60)]
    assert len(watched.calls) == 60


def test_a_sleep_that_raises_ends_the_waiting() -> None:
    class StoppedError(Exception):
        pass

    def stop(seconds: float) -> None:
        raise StoppedError

    governor = Governor(0.001, 0, sleep=stop)
    with serving([GOOD]) as server, reading(server.url, governor=governor) as watched:
        watched.reader.get("/v1/customers")
        with pytest.raises(StoppedError):
            watched.reader.get("/v1/customers")
        governor_is_free = governor.slots > 0 and governor._under_way == 0

    assert governor_is_free

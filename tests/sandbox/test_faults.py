"""Every way an answer can go wrong, each seen from the client's side."""

from collections.abc import Iterator

import pytest
import requests

from sandbox.testing import Running
from tests.sandbox.helpers import error_of

PATH = "/v1/subscriptions"


@pytest.fixture(autouse=True)
def _nothing_is_broken_afterwards(stripe: Running) -> Iterator[None]:
    """Whatever comes next, in whatever order, finds the shared sandbox whole."""
    yield
    stripe.clear_faults()


@pytest.mark.parametrize(
    ("kind", "status"), [("429", 429), ("500", 500), ("503", 503), ("403", 403), ("revoked", 401), ("html", 502)]
)
def test_a_fault_answers_with_its_status_once(stripe: Running, kind: str, status: int) -> None:
    stripe.fault(kind, PATH)
    assert stripe.get(PATH).status_code == status
    assert stripe.get(PATH).status_code == 200


def test_a_429_gives_stripes_reason_and_when_to_come_back(stripe: Running) -> None:
    stripe.fault("429", PATH, reason="global-rate", retry_after=1)
    answer = stripe.get(PATH)
    assert answer.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    assert answer.headers["Retry-After"] == "1"
    assert error_of(answer)["code"] == "rate_limit"


def test_html_is_no_json(stripe: Running) -> None:
    stripe.fault("html", PATH)
    assert stripe.get(PATH).headers["Content-Type"].startswith("text/html")


def test_the_nth_request_is_the_one_that_fails(stripe: Running) -> None:
    stripe.fault("500", PATH, nth=3, times=2)
    assert [stripe.get(PATH).status_code for _ in range(6)] == [200, 200, 500, 500, 200, 200]


def test_every_nth_request_can_fail(stripe: Running) -> None:
    stripe.fault("503", PATH, nth=2, every=2, times=0)
    assert [stripe.get(PATH).status_code for _ in range(6)] == [200, 503, 200, 503, 200, 503]


def test_a_fault_meets_only_what_it_matches(stripe: Running) -> None:
    stripe.fault("500", PATH, mode="test", query={"status": "all"})
    assert stripe.get(PATH, status="all").status_code == 200
    assert stripe.get(PATH, "rk_test_all").status_code == 200
    assert stripe.get(PATH, "rk_test_all", status="all").status_code == 500


def test_a_reset_drops_the_connection(stripe: Running) -> None:
    stripe.fault("reset", PATH)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        stripe.get(PATH, limit=100)
    assert stripe.get(PATH).status_code == 200


def test_a_truncated_answer_is_shorter_than_it_promised(stripe: Running) -> None:
    whole = len(stripe.get(PATH, limit=50).content)
    stripe.fault("truncate", PATH)
    url = f"{stripe.url}{PATH}?limit=50"
    with requests.get(url, auth=("rk_live_all", ""), stream=True, timeout=30) as answer:
        assert int(answer.headers["Content-Length"]) == whole
        chunks = answer.iter_content(100)
        received = len(next(chunks))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            received += sum(len(chunk) for chunk in chunks)
    assert 0 < received < whole


def test_a_timeout_holds_the_request_until_the_client_leaves(stripe: Running) -> None:
    stripe.fault("timeout", PATH)
    with pytest.raises(requests.Timeout):
        requests.get(stripe.url + PATH, auth=("rk_live_all", ""), timeout=0.3)
    assert stripe.get(PATH).status_code == 200


def test_a_slow_answer_comes_late_and_whole(stripe: Running) -> None:
    stripe.fault("slow", PATH, delay_ms=400)
    with pytest.raises(requests.Timeout):
        requests.get(stripe.url + PATH, auth=("rk_live_all", ""), timeout=0.1)
    stripe.fault("slow", PATH, delay_ms=400)
    answer = stripe.get(PATH)
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.4


def test_a_broken_object_leaves_its_neighbours_whole(stripe: Running) -> None:
    whole = stripe.get(PATH, limit=5).json()["data"]
    stripe.fault("broken_object", PATH, index=2)
    broken = stripe.get(PATH, limit=5).json()["data"]
    assert broken[2] == {**whole[2], "items": "broken"}
    assert [*broken[:2], *broken[3:]] == [*whole[:2], *whole[3:]]


def test_a_broken_object_can_lose_its_id(stripe: Running) -> None:
    stripe.fault("broken_object", PATH, index=0, unreadable_id=True)
    assert "id" not in stripe.get(PATH).json()["data"][0]


def test_a_change_can_happen_in_the_middle_of_a_walk(own: Running) -> None:
    customer = own.data()["customers"][0]["id"]
    changed = {"kind": "customers", "id": customer, "object": {"name": "Renamed meanwhile"}}
    own.fault("mutation", PATH, nth=2, mutation=changed)
    own.get(PATH)
    assert own.get(f"/v1/customers/{customer}").json()["name"] != "Renamed meanwhile"
    assert own.get(PATH).status_code == 200
    assert own.get(f"/v1/customers/{customer}").json()["name"] == "Renamed meanwhile"


def test_token_endpoints_can_fail_too(stripe: Running) -> None:
    stripe.fault("500", "/v1/oauth/token", method="POST")
    answer = requests.post(stripe.url + "/v1/oauth/token", auth=("sk_live_sandbox", ""), timeout=30)
    assert answer.status_code == 500


def test_rate_limits_answer_429_with_the_bucket_that_ran_out(own: Running) -> None:
    own.pace(rate_per_endpoint=2)
    answers = [own.get(PATH) for _ in range(4)]
    refused = [one for one in answers if one.status_code == 429]
    assert refused
    assert refused[0].headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    own.pace(rate_per_endpoint=0, rate_per_account=2)
    reasons = {own.get(PATH).headers.get("Stripe-Rate-Limited-Reason") for _ in range(4)}
    assert "global-rate" in reasons


def test_latency_is_waited_for(own: Running) -> None:
    own.pace(latency_ms=150)
    assert own.get(PATH).elapsed.total_seconds() >= 0.15

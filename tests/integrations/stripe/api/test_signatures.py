"""Signatures on raw bytes: any of the secrets, not too old, not from the future, and never an exception of ours."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import WebhookSignature

from integrations.errors import IntegrationError
from integrations.stripe.api.signatures import TOLERANCE_SECONDS, verify

SECRET, NEXT = "whsec_one", "whsec_two"
BODY = '{"id":"evt_1","name":"Zoë"}'.encode()
NOW = 1_790_000_000


def signed(body: bytes = BODY, *secrets: str, at: int = NOW) -> str:
    """A header as Stripe sends it: one signature for each secret in use."""
    headers = [WebhookSignature.generate_signature_header(body.decode(), secret, at) for secret in secrets or [SECRET]]
    return ",".join([headers[0], *(header.partition(",")[2] for header in headers[1:])])


def is_accepted(body: bytes, header: str, *secrets: str, now: float = NOW) -> bool:
    try:
        verify(body, header, secrets or [SECRET], now=now)
    except IntegrationError as error:
        return error.code != "signature_invalid"
    return True


def test_the_raw_bytes_count() -> None:
    assert is_accepted(BODY, signed())
    assert not is_accepted(BODY + b" ", signed())


@pytest.mark.parametrize("known", [[SECRET], [NEXT], [SECRET, NEXT], ["whsec_old", NEXT]])
def test_either_of_two_secrets_opens_during_a_rotation(known: list[str]) -> None:
    assert is_accepted(BODY, signed(BODY, SECRET, NEXT), *known)


def test_an_unknown_secret_does_not() -> None:
    assert not is_accepted(BODY, signed(BODY, "whsec_other"), SECRET, NEXT)


@pytest.mark.parametrize("seconds", [-TOLERANCE_SECONDS, -299, 0, 299, TOLERANCE_SECONDS])
def test_clocks_may_be_five_minutes_apart_either_way(seconds: int) -> None:
    assert is_accepted(BODY, signed(at=NOW + seconds))


@pytest.mark.parametrize(("seconds", "direction"), [(-301, "past"), (301, "future"), (10**9, "future")])
def test_more_than_that_is_refused_and_says_which_way(seconds: int, direction: str) -> None:
    with pytest.raises(IntegrationError, match=direction):
        verify(BODY, signed(at=NOW + seconds), [SECRET], now=NOW)


def test_the_clock_of_this_machine_is_the_measure() -> None:
    verify(BODY, signed(at=int(time.time())), [SECRET])


def test_a_second_time_in_the_header_changes_nothing() -> None:
    assert not is_accepted(BODY, f"{signed(at=NOW - 10_000)},t={NOW}")
    assert not is_accepted(BODY, f"t={NOW},{signed(at=NOW - 10_000)}")


@pytest.mark.parametrize(
    "header",
    ["", "t", "t=", "t=x,v1=y", "v1=abc", f"t={NOW}", f"t={NOW},v1=é", f"t={'9' * 5000},v1=a", "t=-1,v1=a", ",,=,"],
)
def test_a_header_that_is_none_is_refused(header: str) -> None:
    assert not is_accepted(BODY, header)


def test_a_body_that_is_no_text_is_refused() -> None:
    assert not is_accepted(b"\xff\xfe", f"t={NOW},v1=abc")


@given(body=st.binary(max_size=200), header=st.text(max_size=200))
def test_nothing_else_ever_happens(body: bytes, header: str) -> None:
    assert not is_accepted(body, header)

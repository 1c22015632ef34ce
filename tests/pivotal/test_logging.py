"""Nothing secret leaves in a log line."""

from __future__ import annotations

import logging
import sys

import pytest

from pivotal.logging import RedactSecrets

SECRETS = [
    "sk_live_51AbCdEfGh",
    "rk_test_51AbCdEfGh",
    "whsec_AbCdEfGh1234",
    "ac_AbCdEfGh1234",
    "rt_AbCdEfGh1234",
    "Bearer eyJhbGciOi.abc",
]


def written(record: logging.LogRecord) -> str:
    assert RedactSecrets().filter(record)
    return logging.Formatter().format(record)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_an_argument_is_replaced(secret: str) -> None:
    record = logging.LogRecord("name", logging.INFO, __file__, 1, "answer: %s", (secret,), None)
    assert written(record).startswith("answer: ")
    assert secret.split()[-1] not in written(record)


def test_a_secret_in_a_traceback_is_replaced() -> None:
    try:
        raise ValueError("the key is sk_live_51AbCdEfGh")
    except ValueError:
        record = logging.LogRecord("name", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    assert "ValueError" in written(record)
    assert "51AbCdEfGh" not in written(record)


def test_other_text_stays_as_it_is() -> None:
    record = logging.LogRecord("name", logging.INFO, __file__, 1, "run %d: %s", (7, "cus_123 is back"), None)
    assert written(record) == "run 7: cus_123 is back"

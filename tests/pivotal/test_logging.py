"""Nothing secret leaves in a log line."""

from __future__ import annotations

import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils.module_loading import import_string

from integrations import context
from pivotal.logging import AddContext, RedactSecrets

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


@pytest.mark.parametrize("text", ["ada.lovelace@acme.com", "<ada.lovelace@acme.com>", "to=ada.lovelace@acme.com;"])
def test_an_address_keeps_a_letter_and_its_domain(text: str) -> None:
    record = logging.LogRecord("name", logging.INFO, __file__, 1, "mail %s", (text,), None)
    assert written(record) == f"mail {text.replace('ada.lovelace', 'a…')}"


def test_no_line_steers_the_terminal_it_is_read_on() -> None:
    record = logging.LogRecord("name", logging.INFO, __file__, 1, "from %s", ("\x1b]0;owned\x07",), None)
    assert written(record) == r"from \u001b]0;owned\u0007"


def test_what_django_says_of_an_answer_belongs_to_its_request(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged when the middleware has been left."""
    response = client.get("/stripe/webhooks/live/")  # GET is refused by a plain answer
    (record,) = [each for each in caplog.records if each.name == "django.request"]
    AddContext().filter(record)
    assert response.status_code == 405
    assert record.request_id == response["X-Request-ID"]  # type: ignore[attr-defined]


def test_a_line_says_what_it_belongs_to() -> None:
    record = logging.LogRecord("stripe", logging.INFO, __file__, 1, "read", (), None)
    with context.working_on(request="r-1"), context.working_on(run=7, connection="live"):
        AddContext().filter(record)
    assert formatted("line", record).endswith("INFO stripe [request=r-1 run=7 connection=live] read")
    as_json = json.loads(formatted("json", record))
    assert as_json["message"] == "read"
    assert (as_json["request_id"], as_json["run_id"], as_json["connection"]) == ("r-1", "7", "live")
    assert as_json["level"] == "INFO"


def test_a_line_that_belongs_to_nothing_says_nothing() -> None:
    record = logging.LogRecord("stripe", logging.INFO, __file__, 1, "read", (), None)
    AddContext().filter(record)
    assert formatted("line", record).endswith("INFO stripe read")


def test_threads_know_what_they_work_on() -> None:
    with context.working_on(run=7), ThreadPoolExecutor() as pool:
        known = pool.submit(context.carry(context.current)).result()
    assert known == {"run": "7"}
    assert context.current() == {}


def formatted(name: str, record: logging.LogRecord) -> str:
    """A record as the settings format it."""
    values = dict(django_settings.LOGGING["formatters"][name])
    made = values.pop("()", None)
    formatter = import_string(made)(**values) if made else logging.Formatter(values["format"], style=values["style"])
    return str(formatter.format(record))

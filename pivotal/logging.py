"""What every log line passes on its way out."""

from __future__ import annotations

import logging
import re

from customers.terminal import visible
from integrations import context
from integrations.stripe.api.redaction import redact

KNOWN_AS = "pivotal.request_id"

_formatter = logging.Formatter()
_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])([A-Za-z0-9])[A-Za-z0-9._%+-]*@(?=[A-Za-z0-9-]+\.[A-Za-z0-9.-]*[A-Za-z])")


def clean(text: str) -> str:
    """``text`` without secrets, and with e-mail addresses down to a first letter and the domain."""
    return _EMAIL.sub(r"\1…@", redact(text))


class RedactSecrets(logging.Filter):
    """Cleans the message and the traceback of a record, terminal codes included; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean `record` in place. The arguments are folded into the message, where a secret may hide as well."""
        record.msg = clean(visible(record.getMessage()))
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = _formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = clean(visible(record.exc_text))
        if record.stack_info:
            record.stack_info = clean(record.stack_info)
        return True


class AddContext(logging.Filter):
    """Says which request, run and connection a line belongs to: as ``where`` for people, as fields for machines."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields; they are on every record, empty where nothing is known."""
        known = {**_of_request(record), **context.current()}
        for name in ("request", "run", "connection"):
            setattr(record, f"{name}_id" if name != "connection" else name, known.get(name, ""))
        named = [f"{name}={known[name]}" for name in ("request", "run", "connection") if known.get(name)]
        record.where = f" [{' '.join(named)}]" if named else ""
        return True


def _of_request(record: logging.LogRecord) -> dict[str, str]:
    """The request a record of Django's own is about."""
    request_id = getattr(getattr(record, "request", None), "META", {}).get(KNOWN_AS)
    return {"request": request_id} if request_id else {}

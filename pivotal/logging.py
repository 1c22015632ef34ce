"""What every log line passes on its way out."""

from __future__ import annotations

import logging

from integrations.stripe.api.redaction import redact

_formatter = logging.Formatter()


class RedactSecrets(logging.Filter):
    """Replaces keys, tokens and codes in the message and in the traceback of a record; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact `record` in place. The arguments are folded into the message, where a secret may hide as well."""
        record.msg = redact(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = _formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True

"""What Django's debug page and error reports may show: no secret, in DEBUG either.

A debug page is copied into tickets and chats. Django's own filter works outside DEBUG only, and knows names of settings
but not of local variables; this one works always and looks at names and values of both.
"""

from __future__ import annotations

import re
from types import FrameType
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from pivotal.logging import clean


class RedactingFilter(SafeExceptionReporterFilter):
    """Names that sound like a secret are starred, and what looks like one is taken out of every other value."""

    hidden_settings = re.compile(
        "API_?KEY|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE|REDIS|DATABASE|DSN", re.IGNORECASE
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        """Always."""
        return True

    def get_traceback_frame_variables(self, request: Any, tb_frame: FrameType) -> Any:
        """The variables of a frame, cleansed."""
        return [
            (name, self._cleansed(name, value))
            for name, value in super().get_traceback_frame_variables(request, tb_frame)
        ]

    def _cleansed(self, name: str, value: Any) -> Any:
        if self.hidden_settings.search(name):
            return self.cleansed_substitute
        try:
            shown = repr(value)
        except Exception as error:  # noqa: BLE001 (anybody's __repr__; the page says so and goes on)
            return f"unprintable: {type(error).__name__}"
        cleaned = clean(shown)
        for secret in (settings.SECRET_KEY, *settings.FIELD_ENCRYPTION_KEYS):
            cleaned = cleaned.replace(secret, self.cleansed_substitute)
        return value if cleaned == shown else cleaned


class RedactingReporter(ExceptionReporter):
    """The message of the exception and of its causes are cleaned as log lines are."""

    def get_traceback_data(self) -> Any:
        """What the templates of the page and of the mail are given."""
        data = super().get_traceback_data()
        if data.get("exception_value"):
            data["exception_value"] = clean(data["exception_value"])
        return data

    def get_exception_traceback_frames(self, exc_value: BaseException | None, tb: Any) -> Any:
        """The frames, with the causes as cleaned text."""
        for frame in super().get_exception_traceback_frames(exc_value, tb):
            cause = frame.get("exc_cause")
            yield {**frame, "exc_cause": clean(str(cause)) if cause else cause}

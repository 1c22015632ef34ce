"""What an import says before it is confirmed: what would change, and which line is wrong."""

from __future__ import annotations

import re
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from import_export.resources import Diff, ModelResource
from import_export.results import Result

MARKED = re.compile(r'<(ins|del) style="[^"]*">')  # in what people wrote, "<" is escaped
HEADER_LINES = 1


class PlainDiff(Diff):
    """`<ins>` and `<del>` without inline styles, which the pages' Content Security Policy would block."""

    def as_html(self) -> list[SafeString]:
        """The cells of a row."""
        return [mark_safe(MARKED.sub(r"<\1>", cell)) for cell in super().as_html()]  # noqa: S308 (escaped by Diff)


class LineResult(Result):
    """Numbers broken rows as the file's lines, the header among them, as an editor or a spreadsheet shows them."""

    def append_invalid_row(self, number: int, row: Any, validation_error: Any) -> None:
        """A row with a value that is refused."""
        super().append_invalid_row(number + HEADER_LINES, row, validation_error)

    def append_error_row(self, number: int, row: Any, errors: Any) -> None:
        """A row that could not be worked on."""
        super().append_error_row(number + HEADER_LINES, row, errors)


class ReportedResource(ModelResource):
    """A resource whose import reports in these ways."""

    def get_diff_class(self) -> type[PlainDiff]:
        """How changes are shown."""
        return PlainDiff

    @classmethod
    def get_result_class(cls) -> type[LineResult]:
        """How rows are counted."""
        return LineResult

"""The translations are whole and current: nothing missing, empty, guessed or with other placeholders."""

from __future__ import annotations

import ast
import gettext
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings

from customers import stored_words
from integrations.errors import ERRORS
from integrations.stripe.api.permissions import PERMISSIONS
from integrations.stripe.rules.receipt import WHY_ZERO
from integrations.stripe.sync.phases import LABELS

ROOT = Path(settings.BASE_DIR)
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
READ = [
    "customers",
    "integrations",
    "pivotal",
    "templates",
    "locale",
    "docs",
    "manage.py",
    "pyproject.toml",
    "CHANGELOG.md",
]
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "pgettext", "pgettext_lazy", "ngettext_lazy"}
PLACEHOLDER = re.compile(r"%\(\w+\)[.\d]*[sd]|%%|%[sd]|\{\w*\}|</?[a-z]+|href=\"[^\"]*\"")


@dataclass
class Message:
    """One entry of a .po file."""

    flags: str = ""
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> list[str]:
        return [text for name, text in self.texts.items() if name.startswith("msgid")]

    @property
    def translations(self) -> list[str]:
        return [text for name, text in self.texts.items() if name.startswith("msgstr")]


def messages(path: Path) -> list[Message]:
    """The entries of a .po file, without its header."""
    found = []
    for block in path.read_text().split("\n\n"):
        message, name = Message(), ""
        for line in block.splitlines():
            if line.startswith("#,"):
                message.flags += line
            elif match := re.match(r"(msg\S+) (\".*\")$", line):
                name = match[1]
                message.texts[name] = ast.literal_eval(match[2])
            elif line.startswith('"'):
                message.texts[name] += ast.literal_eval(line)
        found.append(message)
    return [message for message in found if message.texts.get("msgid")]


def catalogue(language: str, root: Path = ROOT) -> Path:
    return root / "locale" / language / "LC_MESSAGES" / "django.po"


def compiled(path: Path) -> dict[object, str]:
    """What a .mo file holds, without its header, which names the day."""
    with path.with_suffix(".mo").open("rb") as file:
        held = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    del held[""]
    return held


@pytest.fixture(scope="module")
def updated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source after `make messages`."""
    assert shutil.which("xgettext"), "GNU gettext is missing; `make gettext` installs it."
    copy = tmp_path_factory.mktemp("source")
    for name in READ:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "images"))
        else:
            shutil.copy(source, copy / name)
    environment = {
        "PATH": os.environ["PATH"], "DEBUG": "true", "DATABASE_URL": "postgresql://localhost/nothing",
        "PIVOTAL_DIR": str(copy / ".pivotal"), "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "manage.py", "messages"], cwd=copy, env=environment, check=True, capture_output=True
    )
    return copy


@pytest.mark.parametrize("language", LANGUAGES)
def test_updating_the_catalogue_changes_nothing(updated: Path, language: str) -> None:
    now, then = (
        {(message.texts.get("msgctxt"), *message.sources) for message in messages(catalogue(language, root))}
        for root in (updated, ROOT)
    )
    assert now - then == set(), "new in the source: run `make messages` and translate"
    assert then - now == set(), "gone from the source: run `make messages`"
    assert compiled(catalogue(language, updated)) == compiled(catalogue(language)), "run `make messages`"


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_translated_and_nothing_is_guessed(language: str) -> None:
    found = messages(catalogue(language))
    assert len(found) > 1000
    assert [message.sources for message in found if not all(message.translations)] == []
    assert [message.sources for message in found if "fuzzy" in message.flags] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_and_markup_are_those_of_the_source(language: str) -> None:
    wrong = []
    for message in messages(catalogue(language)):
        allowed = [set(PLACEHOLDER.findall(source)) for source in message.sources]
        wrong += [text for text in message.translations if set(PLACEHOLDER.findall(text)) not in allowed]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_edges_of_a_text_are_those_of_the_source(language: str) -> None:
    """Texts are put together; a blank at an end belongs to it."""
    for message in messages(catalogue(language)):
        source = message.sources[0]
        for translation in message.translations:
            edges = [text[: len(text) - len(text.lstrip())] for text in (source, translation)]
            assert edges[0] == edges[1], source
            assert source.endswith(" ") == translation.endswith(" "), source


def sources_of_python() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("customers", "integrations", "pivotal"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text())


def called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def test_every_marked_text_is_one_that_xgettext_can_read() -> None:
    """It sees neither into an f-string nor through a variable, which would stay English for ever."""
    hidden = []
    for path, tree in sources_of_python():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                hidden += [f"{path}:{inner.lineno}" for inner in ast.walk(node) if called(inner) in CALLS]  # type: ignore[attr-defined]
    assert hidden == []


def literal_pattern(node: ast.JoinedStr) -> str:
    """An f-string as a text with a stand-in for each part."""
    return "".join(part.value if isinstance(part, ast.Constant) else "1" for part in node.values)  # type: ignore[misc]


def texts_of_rules() -> set[str]:
    """Every sentence a problem of the rules is told with."""
    found = set()
    for path in sorted((ROOT / "integrations/stripe/rules").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                text = literal_pattern(node)
                if text[:1].isupper() and text.endswith(".") and " " in text:
                    found.add(text)
    return found


def test_what_a_run_says_of_itself_is_known_for_translation() -> None:
    assert [label for label in LABELS.values() if not stored_words.knows(label)] == []
    told = [text for one in PERMISSIONS for text in (one.label, one.why, one.without)]
    assert [text for text in told if not stored_words.knows(text)] == []


def test_what_rules_and_errors_store_is_known_for_translation() -> None:
    stored = texts_of_rules() | set(WHY_ZERO.values())
    stored |= {text for error in ERRORS.values() for text in (error.what, error.next_step)}
    assert len(texts_of_rules()) > 15
    assert sorted(text for text in stored if not stored_words.knows(text)) == []

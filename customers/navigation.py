"""The Admin sidebar: integrations add their section here, so that the shell need not know them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of the sidebar; ``nested`` ones belong to the entry above, ``count`` stands at the right."""

    label: str
    url: str
    nested: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Entries under one title. A section without entries is not shown."""

    title: str
    entries: Sequence[Entry]


Provider = Callable[[HttpRequest], Section | None]
_providers: list[Provider] = []


def register(provider: Provider) -> None:
    """Add a provider; it is asked on every page of Admin and returns only what the person may open."""
    if provider not in _providers:
        _providers.append(provider)


def sections(request: HttpRequest) -> list[Section]:
    """What all providers offer this person."""
    offered = [provider(request) for provider in _providers]
    return [section for section in offered if section and section.entries]

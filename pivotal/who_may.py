"""docs/permissions.md, from the addresses of the product and what each of their views asks of a person.

Nobody is looked up: the roles are the permissions that `migrate` gives the groups, so the table can be written without
a database and is what a fresh workspace has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from inspect import getdoc
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, get_resolver

from customers.permissions import ADMIN, CUSTOMER_PERMISSIONS, MEMBER, STAFF, Needed, needed_by
from integrations.permissions import INTEGRATION_PERMISSIONS

OWNER = "Owner"
ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:\[[^\]]*\]|[^()])*\)")
ACTIONS = ("view", "add", "change", "delete")

BESIDE: dict[str, str] = {
    "root": "leads to the customer list",
    "login": "anybody",
    "logout": "anybody",
    "language": "anybody; sets nothing but the language of the pages",
    "guide": "everybody who is signed in",
    "healthz": "anybody; says only that it is alive",
    "readyz": "anybody; names neither hosts nor accounts",
    "metrics": "a signed-in Owner or Admin, or whoever holds `METRICS_TOKEN`",
    "webhook": "whoever holds the signing secret",
    "account_webhook": "whoever holds the signing secret",
}
"""Addresses whose views ask for no permission, and who may use them instead."""

DEBUG_ONLY = {"styleguide"}  # the same table whether DEBUG is on or off


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of person, as far as permission checks look: stands in for a user."""

    name: str
    is_staff: bool
    is_superuser: bool = False
    is_active = is_authenticated = True

    def has_perm(self, permission: str, obj: object = None) -> bool:
        """By the tables that the groups are made from."""
        app, _dot, code = permission.partition(".")
        granted = {"customers": CUSTOMER_PERMISSIONS, "integrations": INTEGRATION_PERMISSIONS}.get(app, {})
        return self.is_superuser or code in granted.get(self.name, ())

    def has_module_perms(self, app: str) -> bool:
        """The admin asks for the permission itself as well."""
        return True

    def may(self, needed: Needed) -> bool:
        """Whether a view that asks for this lets the role in."""
        return self.has_perm(needed.permission) and (self.is_staff or not needed.staff)


ROLES = (Role(OWNER, True, is_superuser=True), Role(ADMIN, True), Role(MEMBER, False), Role(STAFF, True))


@dataclass(frozen=True, slots=True)
class Page:
    """An address with one of its views: what it does and what it asks; `needed` is None for one in BESIDE."""

    name: str
    route: str
    method: str
    does: str
    needed: Needed | None


def pages() -> Iterator[Page]:
    """Every address of ours, in the order of the URL configuration; an address that has two names comes once."""
    seen = set()
    for route, pattern in _patterns(get_resolver(), ""):
        if pattern.name not in DEBUG_ONLY and (route, pattern.callback) not in seen:
            seen.add((route, pattern.callback))
            for method, view in vars(pattern.callback).get("by_method", {"": pattern.callback}).items():
                yield Page(str(pattern.name), route, method, _does(view), needed_by(view))


def _patterns(resolver: URLResolver, before: str) -> Iterator[tuple[str, URLPattern]]:
    for each in resolver.url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            if each.app_name != "admin":
                yield from _patterns(each, route)
        else:
            yield ARGUMENT.sub(_argument, route).replace("^", "").removesuffix("$"), each


def _argument(found: re.Match[str]) -> str:
    return f"<{found[1] or found[2]}>"


def _does(view: Callable[..., Any]) -> str:
    """The first sentence of a view's docstring, on one line."""
    return " ".join((getdoc(view) or "").partition("\n\n")[0].split()).replace("|", "/")


def undeclared() -> list[str]:
    """The names of addresses that neither ask for a permission nor stand in BESIDE."""
    return [page.name for page in pages() if page.needed is None and page.name not in BESIDE]


def allowed(page: Page) -> set[str]:
    """The names of the roles that may use a page which asks for a permission."""
    return {role.name for role in ROLES if page.needed and role.may(page.needed)}


def document() -> str:
    """The whole of docs/permissions.md."""
    return "\n".join(
        [
            *_INTRODUCTION,
            *_section("Customers", [page for page in pages() if page.needed and page.route.startswith("customers/")]),
            *_section("Stripe", [page for page in pages() if page.needed and page.route.startswith("admin/")]),
            *_admin_section(),
            "## Without a permission",
            "",
            "| address | for whom |",
            "|---|---|",
            *(f"| `/{page.route}` | {BESIDE[page.name]} |" for page in pages() if page.needed is None),
            "",
        ]
    )


_INTRODUCTION = (
    "# Who may do what",
    "",
    "Made by `manage.py who_may` from the addresses of the product and what each of their views asks; `make check`",
    "fails when it is not current. Every view checks for itself, whatever menus and buttons show.",
    "",
    "**Owner** is a superuser. **Admin**, **Member** and **Staff** are groups; Owner, Admin and Staff may enter Django",
    "admin as well (`is_staff`). With `DEFAULT_ACCESS=assigned` a Member finds only the customers they own. Somebody",
    "who is not signed in is asked to log in; somebody in no group may do nothing of this.",
    "",
)


def _head(*columns: str) -> list[str]:
    names = [*columns, *(role.name for role in ROLES)]
    return [f"| {' | '.join(names)} |", "|---" * len(columns) + "|---" * len(ROLES) + "|"]


def _section(title: str, shown: Sequence[Page]) -> list[str]:
    rows = [
        f"| {page.does} | {f'{page.method} ' if page.method else ''}`/{page.route}` | "
        + " | ".join("yes" if role.name in allowed(page) else "no" for role in ROLES)
        + " |"
        for page in shown
    ]
    return [f"## {title}", "", *_head("what", "address"), *rows, ""]


def _admin_section() -> list[str]:
    rows = [
        f"| {options.model._meta.verbose_name_plural} | " + " | ".join(_actions(options, role) for role in ROLES) + " |"
        for options in sorted(admin.site._registry.values(), key=lambda each: each.model._meta.label)
    ]
    return ["## Records in Django admin", "", *_head("records"), *rows, ""]


def _actions(options: admin.ModelAdmin[Model], role: Role) -> str:
    request = HttpRequest()
    request.user = role  # type: ignore[assignment]
    if not role.is_staff:
        return "no"
    return ", ".join(action for action in ACTIONS if getattr(options, f"has_{action}_permission")(request)) or "no"

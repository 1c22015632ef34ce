"""What Pivotal keeps, as a document for whoever must approve the connection; made of the code that keeps it."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator

import msgspec
from django.apps import apps
from django.db import models

from integrations.fields import EncryptedTextField
from integrations.stripe.api import objects
from integrations.stripe.api.purposes import NOT_KEPT, PURPOSES

DISCONNECT = "until the mirror is deleted"
CUSTOMER = "as long as the customer"
LOG = "LOG_KEPT_DAYS, 30 days when not said"

# Table: how long its rows stay. A new table needs its line here: a test notices one without.
KEPT: dict[str, str] = {
    "StripeCustomer": DISCONNECT,
    "StripeSubscription": DISCONNECT,
    "StripeInvoice": DISCONNECT,
    "StripeInvoicePayment": DISCONNECT,
    "StripePaymentIntent": DISCONNECT,
    "StripePrice": DISCONNECT,
    "StripeProduct": DISCONNECT,
    "StripeCoupon": DISCONNECT,
    "StripeEvent": f"{DISCONNECT}; ids and types only, never what the event says",
    "BillingSummary": CUSTOMER,
    "StripeConnection": "for ever; its secrets until it is disconnected",
    "ScopeFilter": DISCONNECT,
    "SyncRun": LOG,
    "SeenId": "until its run ends",
    "SyncIssue": f"until it is resolved, then {LOG}",
    "Attempt": LOG,
    "ApiCall": "the last 200",
    "MonthlyReads": "as long as the connection",
    "DriftReport": "as long as the connection",
    "DriftEntry": "as long as the connection",
    "Notice": "as long as the connection",
    "MatchDecision": "as long as the connection: a decision is undone, not deleted",
    "MatchDecisionMember": "as its decision",
    "DecisionJob": "as its decision",
    "LastVisit": "as long as the person",
    "ExchangeRate": "for ever; nothing about anybody",
    "RateConversion": "until its figures are converted; currencies and an id",
    "KeptFigures": "until they are taken anew; sums and counts only",
    "WorkerHeartbeat": "for ever; a line for each worker",
    "AuditEntry": "for ever: append-only",
    "Customer": "until somebody deletes it",
    "CustomerDomain": CUSTOMER,
    "CustomerTally": "folded each minute; sums and counts only",
    "Activity": f"{CUSTOMER}, or ACTIVITY_KEPT_DAYS",
    "MrrPoint": CUSTOMER,
    "PersonalDomain": "until somebody deletes it",
    "DailyMail": "as long as the person",
    "SavedView": "as long as the person",
}


def document() -> str:
    """The whole document, as Markdown."""
    return "\n".join([*introduction(), *read_from_stripe(), *tables(), ""])


def shown() -> dict[str, list[tuple[str, str, str]]]:
    """The same for a page: fields read from Stripe with their reasons, and tables with how long they keep."""
    fields = [
        (f"{name}.{field.name}", type_name(field.type), PURPOSES[name][field.name])
        for name, struct in structs()
        for field in msgspec.structs.fields(struct)
    ]
    kept = [(str(model._meta.verbose_name), first_line(model), KEPT[model.__name__]) for model in own_models()]
    return {"fields": fields, "tables": kept}


def introduction() -> Iterator[str]:
    """What this is, and what is never kept."""
    yield from (
        "# What we store",
        "",
        "For whoever must approve the connection to Stripe: every field that is read and kept, why, and for how long.",
        "This page is made by `manage.py what_we_store` from the code that reads and keeps; a test fails when it is",
        "not current. An object of Stripe's is decoded field by field: what is not listed here is not even parsed.",
        "",
        "Never read: card and bank numbers, payment methods, addresses, phone numbers, tax ids, payouts, balances,",
        "line items of invoices, what an event says beyond whose it is.",
        "",
        "How to take it out or delete it: `manage.py privacy export|forget|forget-connection` (docs/operations.md).",
    )


def read_from_stripe() -> Iterator[str]:
    """A table of fields for each kind of object."""
    yield from ("", "## Read from Stripe", "")
    for name, struct in structs():
        yield from (f"### {name}", "", first_line(struct), "", "| field | type | why |", "|---|---|---|")
        for field in msgspec.structs.fields(struct):
            yield f"| `{field.name}` | {type_name(field.type)} | {PURPOSES[name][field.name]} |"
        yield ""


def structs() -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Every struct that is kept, in the order of PURPOSES."""
    for name in PURPOSES:
        yield name, getattr(objects, name)


def every_struct() -> set[str]:
    """The names of all there are."""
    found = inspect.getmembers(objects, lambda each: inspect.isclass(each) and issubclass(each, objects.Wire))
    return {name for name, struct in found if struct is not objects.Wire} - NOT_KEPT


def type_name(kind: object) -> str:
    """A type as people read it: what may be absent says so, expandable ids too."""
    if typing.get_origin(kind) is typing.Annotated:  # a limit says nothing about what is kept
        return type_name(typing.get_args(kind)[0])
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        names = [type_name(each) for each in typing.get_args(kind) if each not in (type(None), msgspec.UnsetType)]
        return " or ".join(dict.fromkeys(names))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is list:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return f"{type_name(arguments[1])} by name"
    plain = {"str": "text", "int": "number", "bool": "yes or no", "Decimal": "decimal"}
    name = getattr(kind, "__name__", str(kind))
    return plain.get(name, name)


def tables() -> Iterator[str]:
    """A line for each table of ours, and its columns."""
    yield from ("## Tables", "", "| table | what | columns | how long |", "|---|---|---|---|")
    for model in own_models():
        columns = ", ".join(column(field) for field in model._meta.concrete_fields)
        yield f"| {model._meta.verbose_name} | {first_line(model)} | {columns} | {KEPT[model.__name__]} |"
    yield from (
        "",
        "Beside these: people with hashed passwords, groups, sessions (SESSION_HOURS), Django admin's own history,",
        "tasks that wait or failed (ids of rows only), and failed logins with name and address (a day).",
        "Encrypted columns are encrypted with FIELD_ENCRYPTION_KEYS, which are not in the database.",
    )


def own_models() -> Iterator[type[models.Model]]:
    """The models of the CRM side and of the integrations that have a table of their own."""
    for label in ("customers", "integrations"):
        yield from (model for model in apps.get_app_config(label).get_models() if not model._meta.proxy)


def column(field: models.Field[object, object]) -> str:
    """A column; an encrypted one says so."""
    return f"`{field.attname}` (encrypted)" if isinstance(field, EncryptedTextField) else f"`{field.attname}`"


def first_line(described: type) -> str:
    """The first sentence of a docstring."""
    return " ".join((inspect.getdoc(described) or "").partition("\n\n")[0].split())

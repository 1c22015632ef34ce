"""Reads for the customer list: filters, sorting, totals, and what a page needs, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DecimalField, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from customers.by_owner import owner_key
from customers.keyset import Key
from customers.models import Activity, BillingFlag, Customer, MrrPoint, PaymentStatus, Status
from customers.models.customer import FAR_AHEAD, LONG_AGO, CustomerQuerySet, name_words, payment_rank, since_or
from customers.panels import registry
from customers.search import found_by

PAGE_SIZE = 50
LATE = (PaymentStatus.PAST_DUE, PaymentStatus.FAILING)
BILLING_FIELDS = ("plan", "mrr", "payment_status", "billing_started_at", "stripe_customer_id")
_STATUSES: dict[str, tuple[str, ...]] = {
    "": (Status.ACTIVE, Status.AT_RISK),
    "at_risk": (Status.AT_RISK,),
    "churned": (Status.CHURNED,),
    "with_churned": (Status.ACTIVE, Status.AT_RISK, Status.CHURNED),
    "archived": (Status.ARCHIVED,),
    "all": tuple(Status.values),
}

SORTS = ("name", "plan", "mrr", "payment", "since", "owner")
DEFAULT_SORT, RISK_SORT = "-mrr", "-risk"
NOT_WORKED_OUT = Q(mrr_at_risk__isnull=True) & ~Q(billing_source="")


def filtered(customers: CustomerQuerySet, environment: str, chosen: dict[str, Any]) -> CustomerQuerySet:
    """The customers of one environment that the filters of :class:`customers.forms.FilterForm` find.

    Churned and archived ones are hidden unless asked for; a search finds churned ones too.
    """
    return searched(customers, environment, chosen)[0]


def searched(
    customers: CustomerQuerySet, environment: str, chosen: dict[str, Any]
) -> tuple[CustomerQuerySet, list[CustomerQuerySet]]:
    """The same, and the parts of it to add up, which have nobody in common."""
    found = _narrowed(customers, environment, chosen)
    if not (text := chosen.get("q")):
        return found, [found]
    found = found.alias(words=name_words())
    search = found_by(text, environment)
    return found.filter(search.all), [found.filter(part) for part in search.parts]


def _narrowed(customers: CustomerQuerySet, environment: str, chosen: dict[str, Any]) -> CustomerQuerySet:
    found = customers.in_environment(environment)
    found = found.filter(status__in=statuses_of(chosen))
    if pay := chosen.get("pay"):
        found = found.filter(payment_status__in=payment_statuses(pay))
    if plan := chosen.get("plan"):
        found = found.filter(plan_label="" if plan == "-" else plan)
    if owner := chosen.get("owner"):
        found = found.filter(owner=None if owner == "none" else int(owner))
    if changed := chosen.get("changed"):
        found = found.filter(pk__in=_changed_since(since_of(changed)))
    if chosen.get("risk"):
        found = found.exclude(at_risk_reason="")
    return _flagged(found, environment, chosen)


def statuses_of(chosen: dict[str, Any]) -> tuple[str, ...]:
    """The statuses that a list with these filters shows."""
    default = "with_churned" if chosen.get("q") else ""
    return _STATUSES[chosen.get("status") or default]


def payment_statuses(pay: str) -> tuple[str, ...]:
    """The payment statuses behind a choice of the filter."""
    return LATE if pay == "late" else (pay,)


def _flagged(found: CustomerQuerySet, environment: str, chosen: dict[str, Any]) -> CustomerQuerySet:
    """The tick boxes narrow together."""
    flags = [
        flag
        for name, flag in (
            ("undecided", BillingFlag.UNDECIDED),
            ("incomplete", BillingFlag.INCOMPLETE),
            ("older", BillingFlag.OLDER_INVOICE_OPEN),
        )
        if chosen.get(name)
    ]
    if flags:
        found = found.exclude(billing_flags=[]).filter(billing_flags__contains=flags)
    if chosen.get("stale"):
        stale = registry.stale(environment)
        found = found.none() if stale is None else found.filter(stale)
    return found


def since_of(changed: str) -> datetime:
    """The moment from which the "Changed" filter looks: so many days ago at midnight of the workspace."""
    today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=int(changed))


def _changed_since(since: datetime) -> Any:
    return Activity.objects.filter(at__gte=since, field__in=(*BILLING_FIELDS, "status")).values("customer_id")


def parse_sort(value: str, *, at_risk: bool = False) -> str:
    """A known sort, with a leading minus for descending; anything else is the default.

    Where only those at risk are listed, the most at risk come first, and there is a column to sort by.
    """
    known = (*SORTS, "risk") if at_risk else SORTS
    default = RISK_SORT if at_risk else DEFAULT_SORT
    return value if value.removeprefix("-") in known else default


def sort_keys(sort: str, *, worst_first: bool) -> list[Key]:
    """The keys of a sort, for :func:`annotated` querysets; a filter on changes puts the worst first instead."""
    if worst_first:
        return [Key("severity"), Key("lost", descending=True), Key("id")]
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    field = {
        "name": "name_key", "plan": "plan_label", "mrr": "mrr", "risk": "mrr_at_risk", "payment": "severity",
        "since": "since_key",
    }  # fmt: skip
    return [Key(field.get(name, "owner_key"), descending), Key("id", descending)]


def annotated(found: CustomerQuerySet, sort: str, *, since: datetime | None = None) -> CustomerQuerySet:
    """Add what the sort needs and what a row shows of the owner."""
    found = found.select_related("owner")
    if since is not None:
        return found.annotate(severity=payment_rank(), mrr_before=_mrr_before(since), lost=F("mrr_before") - F("mrr"))
    name = sort.removeprefix("-")
    if name == "name":
        return found.annotate(name_key=Lower("name"))
    if name == "payment":
        return found.annotate(severity=payment_rank())
    if name == "since":
        return found.annotate(since_key=since_or(LONG_AGO if sort.startswith("-") else FAR_AHEAD))
    if name == "owner":
        return found.annotate(owner_key=owner_key("owner__"))
    return found


def _mrr_before(since: datetime) -> Coalesce:
    """The MRR at a moment; one whose history starts later counts as unchanged."""
    earlier = MrrPoint.objects.filter(customer=OuterRef("pk"), at__lt=since).order_by("-at", "-id")
    money = DecimalField(max_digits=18, decimal_places=2)
    return Coalesce(Subquery(earlier.values("mrr")[:1]), F("mrr"), output_field=money)


_SHARING = """
WITH keys AS (
    SELECT id AS customer_id, domain FROM customers_customer
    WHERE id = ANY(%(ids)s::bigint[]) AND domain <> '' AND status <> 'archived'
    UNION
    SELECT d.customer_id, d.domain FROM customers_customerdomain d JOIN customers_customer c ON c.id = d.customer_id
    WHERE d.customer_id = ANY(%(ids)s::bigint[]) AND c.status <> 'archived'
), wanted AS (
    SELECT array_agg(DISTINCT domain::text) AS domains FROM keys
), owners AS (
    SELECT id AS customer_id, domain FROM customers_customer
    WHERE environment = %(environment)s AND status <> 'archived'
      AND domain = ANY(ARRAY(SELECT unnest(domains) FROM wanted))
    UNION
    SELECT d.customer_id, d.domain FROM customers_customerdomain d JOIN customers_customer c ON c.id = d.customer_id
    WHERE d.environment = %(environment)s AND c.status <> 'archived'
      AND d.domain = ANY(ARRAY(SELECT unnest(domains) FROM wanted))
), shared AS (
    SELECT domain, count(*) AS number FROM owners GROUP BY domain HAVING count(*) > 1
)
SELECT DISTINCT ON (k.customer_id) k.customer_id, s.domain, s.number
FROM keys k JOIN shared s ON s.domain = k.domain ORDER BY k.customer_id, s.number DESC, s.domain
"""


@dataclass(frozen=True, slots=True)
class Shared:
    """A domain that several customers have, as their own or as an extra one."""

    domain: str
    customers: int


def sharing(customers: Sequence[Customer], environment: str) -> dict[int, Shared]:
    """The domain each of these customers shares with most others, where it shares one; archived ones do not count."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARING, {"ids": [customer.pk for customer in customers], "environment": environment})
        return {customer_id: Shared(domain, number) for customer_id, domain, number in cursor.fetchall()}

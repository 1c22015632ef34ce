"""The lists behind the counts: matched, unmatched, skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Subquery
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from customers.keyset import Key, Page, page
from integrations.models import MatchState, Standing, StripeConnection, StripeCustomer
from integrations.stripe.pages import links
from integrations.stripe.pages.presenters import reasons
from integrations.stripe.pages.presenters.rates import converted_receipts, rates_behind
from integrations.stripe.pages.presenters.subscriptions import mrr_in_scope
from integrations.stripe.pages.presenters.suggestions import Suggested, suggested
from integrations.stripe.sync.suggestions import Evidence, Found, suggest

PAGE_SIZE = 50
BY_STAKE = (Key("mrr", descending=True), Key("stripe_id"))
BY_CUSTOMER = (Key("customer_mrr", descending=True), Key("customer_id", descending=True), Key("stripe_id"))


@dataclass(frozen=True, slots=True)
class Row:
    """A Stripe customer in a list; ``mrr`` in USD a month over its subscriptions in scope."""

    stripe: StripeCustomer
    mrr: Decimal
    why: str
    url: str
    suggestions: Sequence[Suggested] = ()

    @property
    def name(self) -> str:
        """What people call it: its name, else its e-mail, else its id."""
        return self.stripe.name or self.stripe.email or self.stripe.stripe_id


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list was narrowed to, as it came in the address."""

    query: str
    reason: str

    @property
    def any(self) -> bool:
        """Whether anything was narrowed."""
        return bool(self.query or self.reason)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The addresses of the pages before and after; empty where there is none."""

    previous: str
    next: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list, the exchange rates behind its figures in words, and the addresses of its neighbours.

    ``found`` is how many the filter finds on all pages; 0 where nobody chooses among them.
    """

    rows: list[Row]
    filters: Filters
    reasons: Mapping[str, reasons.Words]
    rates: str
    neighbours: Neighbours
    found: int = 0

    @property
    def shown_ids(self) -> str:
        """The Stripe ids of the page, as its form carries them."""
        return ",".join(row.stripe.stripe_id for row in self.rows)


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the two lists of Stripe customers without a customer."""

    name: str
    state: MatchState
    reasons: Mapping[str, reasons.Words]


UNMATCHED = Kind("unmatched", MatchState.UNMATCHED, reasons.UNMATCHED)
SKIPPED = Kind("skipped", MatchState.SKIPPED, reasons.SKIPPED)
KINDS = {kind.name: kind for kind in (UNMATCHED, SKIPPED)}


def matched(request: HttpRequest, connection: StripeConnection) -> Listing:
    """Matched Stripe customers, those of the largest customers first."""
    # Of the environment they all are; said here, so that they can be walked through in the order of its index.
    rows = _live(connection, MatchState.MATCHED).filter(customer__environment=connection.environment)
    rows = rows.select_related("customer").annotate(customer_mrr=F("customer__mrr"), mrr=mrr_in_scope(connection))
    return _listing(request, connection, rows, reasons.MATCHED, BY_CUSTOMER)


def unmatched(request: HttpRequest, connection: StripeConnection, *, may_decide: bool = False) -> Listing:
    """Unmatched Stripe customers, the most MRR at stake first."""
    return waiting(request, connection, UNMATCHED, may_decide=may_decide)


def skipped(request: HttpRequest, connection: StripeConnection, *, may_decide: bool = False) -> Listing:
    """Skipped Stripe customers, the most MRR first."""
    return waiting(request, connection, SKIPPED, may_decide=may_decide)


def waiting(request: HttpRequest, connection: StripeConnection, kind: Kind, *, may_decide: bool) -> Listing:
    """One of the two lists that people link from, with suggestions where they may."""
    everyone = _live(connection, kind.state).annotate(mrr=F("stake"))
    if not may_decide:
        return _listing(request, connection, everyone, kind.reasons, BY_STAKE)
    number = everybody(request.GET, connection, kind).order_by().values("connection").annotate(number=Count("pk"))
    counted = everyone.annotate(found=Subquery(number.values("number")))
    listing = _listing(request, connection, counted, kind.reasons, BY_STAKE)
    found = suggest(connection, [row.stripe for row in listing.rows])
    rows = [_with_suggestions(connection, row, found, kind) for row in listing.rows]
    in_all = rows[0].stripe.found if rows else 0  # type: ignore[attr-defined]  # annotated above
    return replace(listing, rows=rows, found=in_all)


def _with_suggestions(connection: StripeConnection, row: Row, found: Found, kind: Kind) -> Row:
    """A row with its suggestions; a customer in the archive is why nobody has the domain."""
    archived = [each for each in found.get(row.stripe.stripe_id, ()) if each.evidence == Evidence.SAME_DOMAIN]
    is_archived = row.stripe.match_reason == "no_customer" and bool(archived)
    return replace(
        row,
        suggestions=suggested(connection, row.stripe, found, origin=kind.name),
        why=_("Its customer is archived") if is_archived else row.why,
    )


def everybody(asked: QueryDict, connection: StripeConnection, kind: Kind) -> QuerySet[StripeCustomer]:
    """Everybody the filter finds, on whichever page."""
    return _narrow(_live(connection, kind.state), _filters(asked, kind.reasons))


def most_at_stake(connection: StripeConnection, asked: QueryDict, kind: Kind) -> Any:
    """Everybody the filter finds with their ``mrr``, in the order of the list."""
    return everybody(asked, connection, kind).annotate(mrr=F("stake")).order_by("-stake", "stripe_id")


def by_stake(connection: StripeConnection, rows: QuerySet[StripeCustomer]) -> Any:
    """These rows, matched or not, with their ``mrr``, the most first: for a few of them."""
    return rows.annotate(mrr=mrr_in_scope(connection)).order_by("-mrr", "stripe_id")


def _live(connection: StripeConnection, state: MatchState) -> QuerySet[StripeCustomer]:
    return StripeCustomer.objects.filter(connection=connection, standing=Standing.LIVE, match_state=state)


def _listing(
    request: HttpRequest,
    connection: StripeConnection,
    rows: QuerySet[StripeCustomer],
    known_reasons: Mapping[str, reasons.Words],
    keys: tuple[Key, ...],
) -> Listing:
    filters = _filters(request.GET, known_reasons)
    annotated: Any = _narrow(rows, filters).annotate(receipts=converted_receipts(connection))
    shown: Page[Any] = page(annotated, keys, size=PAGE_SIZE, **cursors(request))
    return Listing(
        rows=[
            Row(
                stripe=row,
                mrr=row.mrr,
                why=reasons.sentence(row),
                url=links.customer_url(connection, row.stripe_id),
            )
            for row in shown.rows
        ],
        filters=filters,
        reasons=known_reasons,
        rates=rates_behind(receipt for row in shown.rows for receipt in row.receipts),
        neighbours=neighbours(request, shown),
    )


def _filters(asked: QueryDict, known_reasons: Mapping[str, reasons.Words]) -> Filters:
    reason = asked.get("why", "")
    query = asked.get("q", "").replace("\x00", "").strip()[:200]
    return Filters(query=query, reason=reason if reason in known_reasons else "")


def _narrow(rows: QuerySet[StripeCustomer], filters: Filters) -> QuerySet[StripeCustomer]:
    if filters.reason:
        rows = rows.filter(match_reason=filters.reason)
    if filters.query:
        text = filters.query
        rows = rows.filter(Q(name__icontains=text) | Q(email__icontains=text) | Q(stripe_id__startswith=text))
    return rows


def cursors(request: HttpRequest) -> dict[str, str]:
    """Where the page asked for lies, as :func:`customers.keyset.page` takes it."""
    return {"after": request.GET.get("after", ""), "before": request.GET.get("before", "")}


def neighbours(request: HttpRequest, shown: Page[Any]) -> Neighbours:
    """The pages beside the one shown."""
    return Neighbours(
        previous=address(request, before=shown.before) if shown.before else "",
        next=address(request, after=shown.after) if shown.after else "",
    )


def address(request: HttpRequest, **cursor: str) -> str:
    """This page's address at another cursor; its filters stay."""
    parameters = request.GET.copy()
    parameters.pop("after", None)
    parameters.pop("before", None)
    parameters.update(cursor)
    return f"{request.path}?{parameters.urlencode()}"

"""What a nightly run need not read again: paid invoices that the last successful run has seen the consequences of.

A customer is *examined* when no paid invoice newer than any unpaid one of theirs is missing in the mirror. That stays
so: what was open is in a list or read by id, so a paid invoice can only be missing when it was created since, or was
a draft. The nightly run therefore pages what was created since the last successful run less a day, and of those
examined by then it asks nothing more. Whose draft is older than that day and no draft any more is examined anew, and so
is whoever the last run had no need to examine. A full run relies on nothing (docs/architecture.md section 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from integrations.models import AuditAction, AuditEntry, Mode, RunKind, RunState, SyncRun
from integrations.stripe.api.decode import reference
from integrations.stripe.api.objects import Customer, Invoice
from integrations.stripe.api.pages import iterate
from integrations.stripe.sync.work import Work

OVERLAP_SECONDS = 86_400
LONGEST_AGO = timedelta(days=3)  # more that was paid since is no longer a few pages
MOST_NOTED = 2_000  # old drafts, and customers to examine anew; behind more, the next run reads what it always did
SILENT = ("draft", "void")  # statuses that say nothing about paying


def begin(work: Work) -> bool:
    """Find which drafts are old, and what may be relied on.

    Comes before open invoices: a draft that is sent while the run reads is met in one list or in the other.
    """
    if not work.may("invoice_read"):
        return True
    drafts, examined = old_drafts(work), relied_on(work)
    if examined is not None:
        sent = {owner for stripe_id, owner in examined["drafts"].items() if stripe_id not in (drafts or {})}
        examined["left_out"] = sorted(sent.union(examined["left_out"]))
    work.checkpoint.update(drafts=drafts, relied_on=examined)
    return True


def relied_on(work: Work) -> dict[str, Any] | None:
    """What the last successful run examined; None for a run that reads everything, and where nobody can know.

    Objects on a test clock are created in the past, so test mode relies on nothing, and no run does for which data of
    a customer was deleted meanwhile.
    """
    if work.run.kind != RunKind.NIGHTLY or work.connection.mode != Mode.LIVE:
        return None
    succeeded = SyncRun.objects.filter(connection=work.connection, state=RunState.SUCCEEDED)
    last = succeeded.exclude(kind=RunKind.PREVIEW).order_by("-pk").first()
    examined: dict[str, Any] | None = last.checkpoint.get("examined") if last else None
    if examined is None or work.began - datetime.fromisoformat(examined["began"]) > LONGEST_AGO:
        return None
    forgotten = AuditEntry.objects.filter(action=AuditAction.CUSTOMER_FORGOTTEN, at__gte=examined["began"])
    return None if forgotten.exists() else examined


def old_drafts(work: Work) -> dict[str, str] | None:
    """The drafts that the next night's paging would not meet once they are paid, with their Stripe customers.

    None when there are very many, or one has no readable id.
    """
    found: dict[str, str] = {}
    for page in iterate(work.reader, "/v1/invoices", {"status": "draft", "created": {"lt": horizon(work)}}):
        work.keep_lease()
        for raw in page.data:
            known = reference(raw)
            if known is None:
                return None
            owner = known.customer
            found[known.id] = owner.id if isinstance(owner, Customer) else owner or ""
        if len(found) > MOST_NOTED:
            return None
    return found


def horizon(work: Work) -> int:
    """Since when the run after this one pages paid invoices, Unix seconds."""
    return int(work.began.timestamp()) - OVERLAP_SECONDS


def leave_out(work: Work, customers: Iterable[str]) -> None:
    """Note who has to be examined anew by the next run."""
    known = set(work.checkpoint.get("left_out", ()))
    work.checkpoint["left_out"] = sorted(known.union(customers))[: MOST_NOTED + 1]


def conclude(work: Work) -> None:
    """Note, once every customer was looked at, what the next nightly run may rely on."""
    drafts, left_out = work.checkpoint.pop("drafts", None), work.checkpoint.pop("left_out", [])
    if drafts is not None and len(left_out) <= MOST_NOTED:
        noted = {"began": work.checkpoint["began"], "since": horizon(work), "drafts": drafts, "left_out": left_out}
        work.checkpoint["examined"] = noted


def since_last(work: Work) -> int | None:
    """Since when paid invoices are paged in any case; None when nothing is relied on."""
    examined = work.checkpoint.get("relied_on")
    return int(examined["since"]) if examined and not work.checkpoint.get("unreadable") else None


def of_examined(work: Work) -> dict[str, Any]:
    """The values that tell who is examined, for ``sync.unsettled``: had a subscription then and is not left out."""
    if since_last(work) is None:
        return {"examined_at": "-infinity", "left_out": []}
    examined = work.checkpoint["relied_on"]
    return {"examined_at": datetime.fromisoformat(examined["began"]), "left_out": examined["left_out"]}


def is_examined(known: list[Invoice], since: int) -> bool:
    """Whether paging everything paid since a moment (Unix seconds, 0: nothing was) examines whoever has these."""
    paid = max(((each.created, each.id) for each in known if each.status == "paid"), default=(0, ""))
    unpaid = [each for each in known if each.status not in ("paid", *SILENT) and (each.created, each.id) > paid]
    return bool(since) and all(each.created >= since for each in unpaid)

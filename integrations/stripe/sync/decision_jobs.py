"""One decision about very many Stripe customers, worked by the worker in chunks: one progress, one undo.

The row is the truth; a task only says "job 7 may go on". A chunk is one transaction under the derive lock: it adds its
member rows to the one decision, matches and rolls up what they concern, and moves ``done`` behind them. So a task that
is lost, repeated or late changes nothing, and a job that is stopped or undone half-way leaves whole chunks. Whoever
was matched meanwhile is left alone: the decision was about those nobody had matched.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django_q.tasks import async_task

from customers.models import Activity, Customer
from integrations.errors import IntegrationError
from integrations.models import (
    ConnectionState,
    DecisionJob,
    DecisionKind,
    MatchDecision,
    MatchState,
    MemberEffect,
    StripeConnection,
    StripeCustomer,
    WorkerHeartbeat,
)
from integrations.stripe.sync import derive, undoing
from integrations.stripe.sync.decidable import created_members, customer_here, target_of
from integrations.stripe.sync.decision_rows import ORIGIN, Member, add_members, audit, settle, write
from integrations.stripe.sync.decisions import deciding
from integrations.stripe.sync.suggestions import first_to_link, suggest

logger = logging.getLogger(__name__)

CONTINUE = "integrations.stripe.tasks.continue_decisions"
JOB_LOCKS = 0x4A4F  # "JO": keeps our advisory locks apart from anybody else's
CHUNK = 200
SLICE_SECONDS = 20
AT_ONCE = 500
"""A decision about more Stripe customers than this is a job, and so is its undo."""

LINK, LINK_EACH, LINK_SUGGESTED, CREATE, IGNORE, UNDO = "link", "link_each", "suggested", "create", "ignore", "undo"
KINDS: Mapping[str, DecisionKind] = {
    LINK: DecisionKind.PIN,
    LINK_EACH: DecisionKind.PIN,
    LINK_SUGGESTED: DecisionKind.PIN,
    CREATE: DecisionKind.PIN,
    IGNORE: DecisionKind.IGNORE,
}
WAITING = (MatchState.UNMATCHED, MatchState.SKIPPED)
ACTIVE = (DecisionJob.State.QUEUED, DecisionJob.State.RUNNING)


def start(
    *,
    connection: StripeConnection,
    action: str,
    stripe_ids: Sequence[str],
    reason: str,
    actor: User | None,
    target_id: int | None = None,
    targets: Sequence[int] = (),
) -> DecisionJob:
    """Write the decision and its job; the worker takes it up.

    ``targets`` are the customers of ``LINK_EACH``, one for each of ``stripe_ids``. Raises IntegrationError
    ``decision_refused`` for an empty set, an id of another connection, or a customer that cannot be linked to.
    """
    with deciding(connection, None):
        ordered = in_order(connection, stripe_ids) if not targets else list(stripe_ids)
        require_here(connection, ordered)
        target = target_of(connection, target_id, actor=actor, restore=False) if target_id is not None else None
        decision = write(
            connection,
            kind=KINDS[action],
            stripe_ids=ordered,
            customer_ids=[target.pk] if target else [],
            reason=reason,
            actor=actor,
        )
        job = DecisionJob.objects.create(
            connection=connection,
            decision=decision,
            action=action,
            target=target,
            members=ordered,
            targets=list(targets),
        )
        enqueue(job.pk)
    return job


def start_undo(*, connection: StripeConnection, decision_id: int, reason: str, actor: User | None) -> DecisionJob:
    """Undo a decision about very many: it is no longer in force at once, and the headers follow in chunks.

    Raises IntegrationError ``decision_refused``.
    """
    with deciding(connection, None):
        decision = undoing.undoable(connection, decision_id)
        written = undoing.write_undo(connection, decision, reason=reason, actor=actor)
        members = undoing.root_of(decision).members.order_by("pk").values_list("stripe_customer_id", flat=True)
        job = DecisionJob.objects.create(
            connection=connection, decision=written, action=UNDO, members=list(members), targets=[]
        )
        enqueue(job.pk)
    return job


def in_order(connection: StripeConnection, stripe_ids: Iterable[str]) -> list[str]:
    """Those of the connection, domain by domain, so that a chunk holds whole domains."""
    rows = StripeCustomer.objects.filter(connection=connection, stripe_id__in=list(stripe_ids))
    return list(rows.order_by("email_domain", "created", "stripe_id").values_list("stripe_id", flat=True))


def require_here(connection: StripeConnection, stripe_ids: Sequence[str]) -> None:
    """Raise IntegrationError unless these are Stripe customers of the connection, and some."""
    known = StripeCustomer.objects.filter(connection=connection, stripe_id__in=stripe_ids).count()
    if not stripe_ids or known != len(stripe_ids):
        raise IntegrationError("decision_refused", "A chosen Stripe customer does not belong to this connection.")


def enqueue(job_id: int) -> None:
    """Tell the worker, once the current transaction is committed, that a job may go on."""
    transaction.on_commit(lambda: async_task(CONTINUE, job_id))


def unattended() -> list[int]:
    """Jobs with work left: what the watchdog queues again. A task for one that somebody has right now ends at once."""
    left = DecisionJob.objects.filter(state__in=ACTIVE).exclude(connection__state=ConnectionState.DISCONNECTED)
    return list(left.order_by("pk").values_list("pk", flat=True))


def active(connection: StripeConnection) -> QuerySet[DecisionJob]:
    """The jobs of a connection that have work left."""
    return DecisionJob.objects.filter(connection=connection, state__in=ACTIVE)


def stop(job: DecisionJob) -> bool:
    """Stop behind the chunk that is being written; what is decided stays decided. False when it had ended already."""
    stopped = DecisionJob.objects.filter(pk=job.pk, state__in=ACTIVE)
    return bool(stopped.update(state=DecisionJob.State.STOPPED, finished_at=Now()))


def continue_job(job_id: int, *, queue: bool = True) -> bool:
    """Work a slice of a job; True when there is more to do. A job somebody else works on is left alone."""
    until = time.monotonic() + SLICE_SECONDS
    more = work_chunk(job_id)
    while more and time.monotonic() < until:
        more = work_chunk(job_id)
    WorkerHeartbeat.objects.beat()
    if more and queue:
        enqueue(job_id)
    return more


def work_chunk(job_id: int) -> bool:
    """One chunk in one transaction; True when there is another.

    A decision that was undone meanwhile ends the job, and what cannot be decided any more fails it with its sentence.
    A disconnected connection matches nothing: its jobs wait.
    """
    found = DecisionJob.objects.select_related("connection").defer("members", "targets").filter(pk=job_id).first()
    if found is None or not found.is_active or found.connection.state == ConnectionState.DISCONNECTED:
        return False
    try:
        with transaction.atomic():
            if not is_alone(job_id):
                return False
            with derive.lock(found.connection):
                job = DecisionJob.objects.select_for_update(of=("self",)).get(pk=job_id)
                return job.is_active and advance(job)
    except (IntegrationError, ValidationError) as error:
        logger.warning("decision job %s: %s", job_id, error)
        text = error.detail if isinstance(error, IntegrationError) else " ".join(error.messages)
        still = DecisionJob.objects.filter(pk=job_id, state__in=ACTIVE)
        still.update(state=DecisionJob.State.FAILED, error_detail=text, finished_at=Now())
        return False


def is_alone(job_id: int) -> bool:
    """Take the job for this transaction, unless somebody has it."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [JOB_LOCKS, job_id])
        return bool(cursor.fetchone()[0])


def advance(job: DecisionJob) -> bool:
    """Decide about the next chunk, and move behind it; True when members are left. The caller holds the locks."""
    decision = job.decision
    if MatchDecision.objects.filter(undoes=decision).exists():
        return end(job, DecisionJob.State.STOPPED)
    rows, behind = next_rows(job)
    if job.action == UNDO:
        undo_chunk(job, job.members[job.done : behind])
    else:
        members = MEMBERS[job.action](job, rows)
        add_members(decision, members)
        targets = {member.customer_id for member in members if member.customer_id is not None}
        outcome = settle(job.connection, stripe_ids=[each.stripe_id for each in members], customer_ids=targets)
        audit(decision, not_told(decision, outcome.touched), actor=decision.actor)
    job.done = behind
    if behind >= len(job.members):
        return end(job, DecisionJob.State.DONE)
    job.state = DecisionJob.State.RUNNING
    job.save(update_fields=["done", "state"])
    return True


def end(job: DecisionJob, state: str) -> bool:
    """Write the last state."""
    DecisionJob.objects.filter(pk=job.pk).update(done=job.done, state=state, finished_at=Now())
    return False


def next_rows(job: DecisionJob) -> tuple[list[StripeCustomer], int]:
    """The rows of the next chunk that wait for a decision, and where the chunk ends: never inside a company domain."""
    behind = min(job.done + CHUNK, len(job.members))
    known = StripeCustomer.objects.filter(connection=job.connection)
    if job.action == CREATE and behind < len(job.members):
        last = known.filter(stripe_id=job.members[behind - 1]).first()
        if last is not None and last.email_domain and not last.personal:
            behind += known.filter(stripe_id__in=job.members[behind:], email_domain=last.email_domain).count()
    rows = known.filter(stripe_id__in=job.members[job.done : behind])
    if job.action != LINK_EACH:
        rows = rows.filter(match_state__in=WAITING)
    return list(rows.order_by("stripe_id")), behind


def linked(job: DecisionJob, rows: Sequence[StripeCustomer]) -> list[Member]:
    """All to the one customer. Raises IntegrationError when it was deleted, moved or archived meanwhile."""
    if job.target_id is None:
        raise IntegrationError("decision_refused", "The customer to link to was deleted.")
    target = target_of(job.connection, job.target_id, actor=None, restore=False)
    return [Member(row.stripe_id, MemberEffect.PINNED, target.pk) for row in rows]


def linked_each(job: DecisionJob, rows: Sequence[StripeCustomer]) -> list[Member]:
    """Each to its own; a customer that was deleted, moved or archived meanwhile is left out."""
    wanted = dict(zip(job.members, job.targets, strict=True))
    numbers = {wanted[row.stripe_id] for row in rows}
    here = Customer.objects.in_environment(job.connection.environment).matchable().filter(pk__in=numbers)
    reachable = set(here.values_list("pk", flat=True))
    return [
        Member(row.stripe_id, MemberEffect.PINNED, wanted[row.stripe_id])
        for row in rows
        if wanted[row.stripe_id] in reachable
    ]


def linked_as_suggested(job: DecisionJob, rows: Sequence[StripeCustomer]) -> list[Member]:
    """Each to its strongest suggestion; who has none, or only an archived one, stays as it is."""
    found = suggest(job.connection, rows)
    firsts = ((row.stripe_id, first_to_link(found.get(row.stripe_id, ()))) for row in rows)
    return [
        Member(stripe_id, MemberEffect.PINNED, customer_here(job.connection, first.customer_id).pk)
        for stripe_id, first in firsts
        if first is not None
    ]


def created(job: DecisionJob, rows: Sequence[StripeCustomer]) -> list[Member]:
    """A customer per company domain."""
    return created_members(job.connection, rows, actor=job.decision.actor)


def ignored(job: DecisionJob, rows: Sequence[StripeCustomer]) -> list[Member]:
    """Skipped from now on."""
    return [Member(row.stripe_id, MemberEffect.IGNORED) for row in rows]


MEMBERS: Mapping[str, Callable[[DecisionJob, Sequence[StripeCustomer]], list[Member]]] = {
    LINK: linked,
    LINK_EACH: linked_each,
    LINK_SUGGESTED: linked_as_suggested,
    CREATE: created,
    IGNORE: ignored,
}


def undo_chunk(job: DecisionJob, stripe_ids: Sequence[str]) -> None:
    """Let the headers of these Stripe customers follow an undo that is in force already."""
    decision = job.decision
    root = undoing.root_of(decision)
    concerned = root.members.filter(stripe_customer_id__in=stripe_ids, customer__isnull=False)
    targets = {number for number in concerned.values_list("customer_id", flat=True) if number}
    undoing.follow(job.connection, root, targets, actor=decision.actor)
    outcome = settle(job.connection, stripe_ids=stripe_ids, customer_ids=targets)
    audit(decision, not_told(decision, outcome.touched), actor=decision.actor)


def not_told(decision: MatchDecision, customer_ids: Iterable[int]) -> set[int]:
    """Those customers whose activity does not name the decision yet: an earlier chunk may have touched them."""
    numbers = set(customer_ids)
    told = Activity.objects.filter(
        customer_id__in=numbers,
        event_type=f"match.{decision.kind}",
        origin=ORIGIN,
        new=decision.reason,
        at__gte=decision.created_at,
    )
    return numbers - set(told.values_list("customer_id", flat=True))

"""One decision about very many Stripe customers, worked off by the worker in chunks: one progress, one undo.

The row is the truth; a task only says that a job may go on. A chunk is one transaction under the connection's derive
lock: it decides, audits, matches, rolls up and moves ``done``, so that a lost, repeated or late task changes nothing.
Each chunk looks again: whoever found a customer, or was decided on, since the job was asked for is passed over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django_q.tasks import async_task

from customers.models import Customer, Status
from integrations.errors import IntegrationError
from integrations.models import (
    ConnectionState,
    DecisionJob,
    DecisionKind,
    MatchDecision,
    MatchState,
    MemberEffect,
    Standing,
    StripeConnection,
    StripeCustomer,
)
from integrations.stripe.sync import derive
from integrations.stripe.sync.decidable import created_members, customer_domain
from integrations.stripe.sync.decision_rows import Member, add_members, audit, settle, write
from integrations.stripe.sync.suggestions import first_to_link, suggest

CONTINUE = "integrations.stripe.tasks.continue_job"
CHUNK = 100
UNATTENDED = timedelta(seconds=60)
ATTEMPTS = 5
ACTIVE = (DecisionJob.State.QUEUED, DecisionJob.State.RUNNING)
KINDS: Mapping[str, DecisionKind] = {
    DecisionJob.Action.SUGGESTED: DecisionKind.PIN,
    DecisionJob.Action.CREATE: DecisionKind.PIN,
    DecisionJob.Action.IGNORE: DecisionKind.IGNORE,
    DecisionJob.Action.LISTED: DecisionKind.PIN,
}


def start(
    connection: StripeConnection,
    *,
    action: str,
    stripe_ids: Sequence[str],
    reason: str,
    actor: User | None,
    targets: Sequence[int] = (),
) -> DecisionJob:
    """Write the decision and its job, and let the worker begin; ``targets`` go with ``stripe_ids`` one by one.

    Raises IntegrationError when nobody is named, or the connection is disconnected.
    """
    if not stripe_ids or (targets and len(targets) != len(stripe_ids)):
        raise IntegrationError("decision_refused", "Nobody was chosen.")
    if connection.state == ConnectionState.DISCONNECTED:
        raise IntegrationError("decision_refused", "Stripe is disconnected, so nothing is matched.")
    with transaction.atomic():
        decision = write(
            connection,
            kind=KINDS[action],
            stripe_ids=stripe_ids,
            customer_ids=set(targets),
            reason=reason,
            actor=actor,
        )
        job = DecisionJob.objects.create(
            connection=connection, decision=decision, action=action, members=list(stripe_ids), targets=list(targets)
        )
        enqueue(job.pk)
    return job


def enqueue(job_id: int) -> None:
    """Tell the worker, once the current transaction is committed, that a job may go on."""
    transaction.on_commit(lambda: async_task(CONTINUE, job_id))


def active(connection: StripeConnection) -> DecisionJob | None:
    """The newest job that is waiting or under way, if any."""
    return DecisionJob.objects.filter(connection=connection, state__in=ACTIVE).select_related("decision").first()


def unattended() -> list[int]:
    """Jobs that nobody has taken up for a while: a lost task, a killed worker."""
    asleep = DecisionJob.objects.filter(state__in=ACTIVE).annotate(seen=Coalesce("worked_at", "created_at"))
    return list(asleep.filter(seen__lt=Now() - UNATTENDED).order_by("pk").values_list("pk", flat=True))


def continue_job(job_id: int) -> None:
    """Do the next chunk and queue the one after it; nothing for a job that has ended.

    An error that trying again cannot mend ends the job with its words, and so do attempts without progress.
    """
    job = DecisionJob.objects.select_related("connection", "decision__actor").filter(pk=job_id).first()
    if job is None or not job.is_active:
        return
    taken_up = DecisionJob.objects.filter(pk=job_id, state__in=ACTIVE)
    taken_up.update(state=DecisionJob.State.RUNNING, worked_at=Now(), attempts=F("attempts") + 1)
    if job.attempts >= ATTEMPTS:
        return fail(job_id, "It could not go on after several attempts.")
    try:
        chunk(job)
    except IntegrationError as error:
        fail(job_id, error.detail)
    except ValidationError as error:
        fail(job_id, " ".join(error.messages))


def fail(job_id: int, detail: str) -> None:
    """End a job where it stands; what it has done so far stays, and can be undone."""
    DecisionJob.objects.filter(pk=job_id, state__in=ACTIVE).update(
        state=DecisionJob.State.FAILED, error_detail=detail[:1000], finished_at=Now()
    )


def chunk(job: DecisionJob) -> None:
    """Decide on the next members, in one transaction. Raises IntegrationError."""
    connection = job.connection
    with derive.lock(connection):
        if not StripeConnection.objects.filter(pk=connection.pk).exclude(state=ConnectionState.DISCONNECTED).exists():
            raise IntegrationError("decision_refused", "Stripe was disconnected meanwhile.")
        job = (
            DecisionJob.objects.select_for_update(of=("self",))
            .select_related("connection", "decision__actor")
            .get(pk=job.pk)
        )
        if not job.is_active:
            return
        if MatchDecision.objects.filter(undoes=job.decision).exists():
            job.state, job.error_detail = DecisionJob.State.FAILED, "It was undone before it was through."
        else:
            decide(job, slice(job.done, job.done + CHUNK))
            job.done = min(job.done + CHUNK, len(job.members))
            job.attempts = 0
            if job.done == len(job.members):
                job.state = DecisionJob.State.DONE
        job.save(update_fields=["state", "error_detail", "done", "attempts"])
        if job.is_active:
            enqueue(job.pk)
        else:
            DecisionJob.objects.filter(pk=job.pk).update(finished_at=Now())


def decide(job: DecisionJob, part: slice) -> None:
    """Write the members of a chunk, and what follows from them."""
    wanted = job.members[part]
    rows = {
        row.stripe_id: row for row in StripeCustomer.objects.filter(connection=job.connection, stripe_id__in=wanted)
    }
    known = [rows[stripe_id] for stripe_id in wanted if stripe_id in rows]
    if job.action == DecisionJob.Action.LISTED:
        members = listed(job, known, dict(zip(wanted, job.targets[part], strict=True)))
    else:
        members = ACTS[job.action](job, [row for row in known if waits(row)])
    if not members:
        return
    decision = job.decision
    add_members(decision, members)
    targets = {member.customer_id for member in members if member.customer_id is not None}
    outcome = settle(job.connection, stripe_ids=[member.stripe_id for member in members], customer_ids=targets)
    audit(decision, outcome.touched, actor=decision.actor)
    decision.customer_ids = sorted({*decision.customer_ids, *targets})
    decision.save(update_fields=["customer_ids"])


def waits(row: StripeCustomer) -> bool:
    """Whether it is still without a customer."""
    return row.standing == Standing.LIVE and row.match_state in (MatchState.UNMATCHED, MatchState.SKIPPED)


def suggested(job: DecisionJob, rows: Sequence[StripeCustomer]) -> list[Member]:
    """Link each to its first suggestion; those without one are passed over."""
    found = suggest(job.connection, rows)
    chosen = {row.stripe_id: first_to_link(found.get(row.stripe_id, ())) for row in rows}
    return [
        Member(stripe_id, MemberEffect.PINNED, suggestion.customer_id)
        for stripe_id, suggestion in chosen.items()
        if suggestion is not None
    ]


def created(job: DecisionJob, rows: Sequence[StripeCustomer]) -> list[Member]:
    """Create the customers they need; a name or domain that cannot be is passed over."""
    by_domain: dict[str, list[StripeCustomer]] = defaultdict(list)
    for row in rows:
        by_domain[customer_domain(row) or f"no domain {row.stripe_id}"].append(row)
    members: list[Member] = []
    for group in by_domain.values():
        try:
            with transaction.atomic():
                members += created_members(job.connection, group, actor=job.decision.actor)
        except ValidationError:
            continue
    return members


def ignored(job: DecisionJob, rows: Sequence[StripeCustomer]) -> list[Member]:
    """Skip them from now on; those that are skipped by a decision already are passed over."""
    return [Member(row.stripe_id, MemberEffect.IGNORED) for row in rows if row.match_reason != "ignored"]


def listed(job: DecisionJob, rows: Sequence[StripeCustomer], targets: Mapping[str, int]) -> list[Member]:
    """Link each to the customer named for it, unless that one was archived, moved or deleted meanwhile."""
    here = Q(pk__in=set(targets.values()), environment=job.connection.environment) & ~Q(status=Status.ARCHIVED)
    usable = set(Customer.objects.filter(here).values_list("pk", flat=True))
    return [
        Member(row.stripe_id, MemberEffect.PINNED, targets[row.stripe_id])
        for row in rows
        if targets[row.stripe_id] in usable
    ]


ACTS = {
    DecisionJob.Action.SUGGESTED.value: suggested,
    DecisionJob.Action.CREATE.value: created,
    DecisionJob.Action.IGNORE.value: ignored,
}

"""Opens and closes sync issues, set-based."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection as database
from django.db.models import Q
from django.db.models.functions import Now

from integrations.models import IssueState, Severity, StripeConnection, SyncIssue, SyncRun
from integrations.stripe.sync.rows import Problem
from integrations.stripe.sync.scope_sql import SAVED_SCOPE


def record(
    connection: StripeConnection,
    problems: Iterable[Problem],
    *,
    run: SyncRun | None,
    severity: str = Severity.ERROR,
) -> None:
    """Open an issue per problem, or touch the one that is open already."""
    newest = {(problem.code, problem.object_id): problem for problem in problems}
    SyncIssue.objects.bulk_create(
        [
            SyncIssue(
                connection=connection,
                run=run,
                code=problem.code,
                severity=severity,
                object_type=problem.object_type,
                object_id=problem.object_id[:255],
                stripe_customer_id=problem.stripe_customer_id[:255],
                detail=problem.detail,
                answer=problem.answer,
                last_seen_at=Now(),
            )
            for problem in newest.values()
            if not touch(connection, problem, run)
        ],
        ignore_conflicts=True,
    )


def touch(connection: StripeConnection, problem: Problem, run: SyncRun | None) -> bool:
    """Say of an open issue that it was met again; False when there is none."""
    open_issues = SyncIssue.objects.filter(
        connection=connection, state=IssueState.OPEN, code=problem.code, object_id=problem.object_id[:255]
    )
    changes = {"last_seen_at": Now(), "detail": problem.detail, "answer": problem.answer}
    if run is not None:
        changes["run"] = run
    return bool(open_issues.update(**changes))


def resolve_errors(
    connection: StripeConnection, *, stripe_customer_ids: Iterable[str] | None, run: SyncRun | None
) -> int:
    """Close the open errors that a complete look did not meet again.

    After a complete run: every error the run did not touch. After a refresh: those of the customers it read.
    """
    errors = SyncIssue.objects.filter(connection=connection, state=IssueState.OPEN, severity=Severity.ERROR)
    if stripe_customer_ids is not None:
        errors = errors.filter(stripe_customer_id__in=list(stripe_customer_ids))
    if run is not None:
        errors = errors.filter(~Q(run=run) | Q(run__isnull=True))
    return errors.update(state=IssueState.RESOLVED)


# One warning per subject, however many subscriptions meet it: "no rate for NGN" is one thing to resolve. What is
# outside the scope is as if it were not there. An open warning that says the same is left as it is, unless a run meets
# it again.
MISSING_WARNINGS = """
WITH met AS (
    SELECT problem, s.customer_id AS stripe_customer_id
    FROM integrations_stripesubscription s, unnest(s.problems) AS problem
    WHERE s.connection_id = %(connection)s AND s.problems <> '{{}}' AND {scope}
    UNION ALL
    SELECT problem, NULL
    FROM integrations_billingsummary b, unnest(b.problems) AS problem
    WHERE b.connection_id = %(connection)s AND b.problems <> '{{}}'
), wanted AS (
    SELECT split_part(problem, ' ', 1) AS code, left(substr(problem, strpos(problem, ' ') + 1), 255) AS subject,
           coalesce(min(stripe_customer_id), '') AS stripe_customer_id,
           count(*) || CASE WHEN count(*) = 1 THEN ' record is' ELSE ' records are' END || ' affected' AS detail
    FROM met GROUP BY 1, 2
), closed AS (
    UPDATE integrations_syncissue AS i SET state = 'resolved'
    WHERE i.connection_id = %(connection)s AND i.state = 'open' AND i.severity = 'warning'
      AND i.object_type = 'figure'
      AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.code = i.code AND w.subject = i.object_id)
)
INSERT INTO integrations_syncissue AS i
    (connection_id, run_id, code, severity, state, object_type, object_id, stripe_customer_id, detail, answer,
     first_seen_at, last_seen_at)
SELECT %(connection)s, %(run)s, w.code, 'warning', 'open', 'figure', w.subject, w.stripe_customer_id, w.detail, '',
       clock_timestamp(), clock_timestamp()
FROM wanted w
ON CONFLICT (connection_id, code, object_id) WHERE state = 'open'
DO UPDATE SET last_seen_at = EXCLUDED.last_seen_at, detail = EXCLUDED.detail,
              run_id = coalesce(EXCLUDED.run_id, i.run_id)
WHERE i.severity = 'warning' AND (i.detail <> EXCLUDED.detail OR EXCLUDED.run_id IS NOT NULL)
"""


def sync_warnings(connection: StripeConnection, run: SyncRun | None = None) -> None:
    """Bring the open warnings in line with what the figures leave out now: new subjects open, gone ones resolve."""
    values = {"connection": connection.pk, "run": run.pk if run else None}
    with database.cursor() as cursor:
        cursor.execute(MISSING_WARNINGS.format(scope=SAVED_SCOPE), values)

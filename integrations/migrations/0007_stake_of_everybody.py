"""Fills 0006 in batches, each a statement of its own, and builds its index beside reads and writes."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

BATCH = 5000

FILL = """
WITH waiting AS MATERIALIZED (
    SELECT sc.id, sc.connection_id, sc.stripe_id FROM integrations_stripecustomer sc
    WHERE sc.id > %(after)s AND sc.standing = 'live' AND sc.match_state IN ('unmatched', 'skipped')
    ORDER BY sc.id LIMIT %(batch)s
), summed AS (
    SELECT w.id, coalesce((
        SELECT sum(s.mrr) FROM integrations_stripesubscription s
        WHERE s.connection_id = w.connection_id AND s.customer_id = w.stripe_id AND (
            NOT EXISTS (SELECT 1 FROM integrations_scopefilter f WHERE f.connection_id = w.connection_id)
            OR s.product_ids && ARRAY(SELECT f.value FROM integrations_scopefilter f
                                      WHERE f.connection_id = w.connection_id AND f.kind = 'product')
            OR s.lookup_keys && ARRAY(SELECT f.value FROM integrations_scopefilter f
                                      WHERE f.connection_id = w.connection_id AND f.kind = 'lookup_key'))
    ), 0) AS stake
    FROM waiting w
), written AS (
    UPDATE integrations_stripecustomer sc SET stake = summed.stake
    FROM summed WHERE sc.id = summed.id AND sc.stake <> summed.stake
)
SELECT max(id) FROM waiting
"""


def fill(apps, schema_editor):
    """Walk those who wait by id; may be repeated after a kill."""
    after = 0
    while after is not None:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(FILL, {"after": after, "batch": BATCH})
            [after] = cursor.fetchone()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("integrations", "0006_stake")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        AddIndexConcurrently(
            model_name="stripecustomer",
            index=models.Index(
                models.F("connection"),
                models.F("match_state"),
                models.OrderBy(models.F("stake"), descending=True),
                models.F("stripe_id"),
                condition=models.Q(("match_state__in", ["unmatched", "skipped"]), ("standing", "live")),
                name="stripecustomer_stake",
            ),
        ),
    ]

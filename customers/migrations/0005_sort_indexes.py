"""The list by payment status, by "Billed since" and of those flagged is read in the order of an index.

Built beside reads and writes. What found the flags before is superfluous with the last one.
"""

from datetime import UTC, datetime

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("customers", "0004_mrr_at_risk_indexes")]

    operations = [
        AddIndexConcurrently(
            "customer",
            models.Index(
                models.F("environment"),
                models.Case(
                    models.When(payment_status="failing", then=models.Value(0)),
                    models.When(payment_status="past_due", then=models.Value(1)),
                    models.When(payment_status="paid", then=models.Value(2)),
                    default=models.Value(3),
                    output_field=models.IntegerField(),
                ),
                models.F("id"),
                name="customer_payment",
            ),
        ),
        AddIndexConcurrently(
            "customer",
            models.Index(
                models.F("environment"),
                Coalesce(
                    "billing_started_at",
                    models.Value(datetime(9999, 12, 30, tzinfo=UTC), output_field=models.DateTimeField()),
                ),
                models.F("id"),
                name="customer_since",
            ),
        ),
        AddIndexConcurrently(
            "customer",
            models.Index(
                models.F("environment"),
                Coalesce(
                    "billing_started_at",
                    models.Value(datetime(1, 1, 2, tzinfo=UTC), output_field=models.DateTimeField()),
                ),
                models.F("id"),
                name="customer_since_latest",
            ),
        ),
        AddIndexConcurrently(
            "customer",
            models.Index(
                fields=["environment", "mrr", "id"],
                condition=models.Q(("billing_flags", []), _negated=True),
                name="customer_flagged",
            ),
        ),
        RemoveIndexConcurrently("customer", "customer_flags"),
    ]

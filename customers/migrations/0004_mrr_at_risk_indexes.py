"""The indexes of 0003, built beside reads and writes."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("customers", "0003_mrr_at_risk")]

    operations = [
        AddIndexConcurrently(
            "customer",
            models.Index(
                condition=models.Q(("at_risk_reason", ""), _negated=True),
                fields=["environment", "mrr_at_risk", "id"],
                name="customer_at_risk",
            ),
        ),
        AddIndexConcurrently(
            "customer",
            models.Index(
                condition=models.Q(("mrr_at_risk__isnull", True), models.Q(("billing_source", ""), _negated=True)),
                fields=["id"],
                name="customer_risk_unknown",
            ),
        ),
    ]

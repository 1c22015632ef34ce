"""The list by owner is read owner by owner, and who changed since some day from an index alone.

Built beside reads and writes. What found activity by its day before is superfluous with the last one.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("customers", "0006_tallies")]

    operations = [
        AddIndexConcurrently(
            "customer",
            models.Index(
                models.F("environment"),
                models.F("owner"),
                models.expressions.CombinedExpression(models.F("id"), "+", models.Value(0)),
                name="customer_of_owner",
            ),
        ),
        AddIndexConcurrently(
            "activity", models.Index(fields=["at"], include=["customer", "field"], name="activity_since")
        ),
        RemoveIndexConcurrently("activity", "activity_at"),
    ]

"""Words that are new in the index of names wait in a list of 64 kB at most, not of 4 MB.

Every search reads that list from its beginning to its end, until it is full or the table is vacuumed.
"""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models


class Migration(migrations.Migration):
    """Takes no lock that a reader or a writer waits for."""

    dependencies = [("customers", "0007_owner_and_activity_indexes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER INDEX customer_words SET (gin_pending_list_limit = 64)",
                    "ALTER INDEX customer_words RESET (gin_pending_list_limit)",
                )
            ],
            state_operations=[
                migrations.RemoveIndex("customer", "customer_words"),
                migrations.AddIndex(
                    "customer",
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.search.SearchVector(
                            models.Func(
                                models.F("name"), models.Value("./@_-"), models.Value("     "), function="translate"
                            ),
                            config="simple",
                        ),
                        gin_pending_list_limit=64,
                        name="customer_words",
                    ),
                ),
            ],
        )
    ]

"""What is at stake on who waits for a customer: a column with a default in the database, so no table is rewritten."""

from decimal import Decimal

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0005_computed_from")]

    operations = [
        migrations.AddField(
            model_name="stripecustomer",
            name="stake",
            field=models.DecimalField(
                db_default=Decimal(0), decimal_places=12, default=Decimal(0), editable=False, max_digits=30
            ),
        ),
    ]
